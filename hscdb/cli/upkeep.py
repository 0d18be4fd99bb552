"""db size, check, archive, reader, watch: what takes room, what does not agree, what is put aside, who may look."""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hscdb.errors import ConfigError

ACTIONS = ("size", "check", "archive", "reader", "watch")


def run(args: argparse.Namespace, repository: Any) -> int:
    """Do what args.action says; exit status 1 if check has found a fault."""
    if args.action == "size":
        return _size(repository)
    if args.action == "check":
        return _check(repository, is_full=args.checksums)
    if args.action == "archive":
        return _archive(repository, args.table, is_back=args.restore)
    from hscdb.db import reader

    if args.action == "watch":
        print(f"ending readers' transactions after {args.seconds:g} s; Ctrl-C stops the watch", file=sys.stderr)
        reader.watch(repository.engine, args.seconds, print)
        return 0
    if args.table is None:
        raise ConfigError("hscdb db reader: give the name of the login.", code="usage")
    if args.drop:
        reader.drop(repository.engine, args.table)
        print(f"dropped {args.table}")
        return 0
    limits = reader.Limits(seconds=int(args.seconds))
    password = reader.make(repository.engine, args.table, limits, may_upload=args.upload)
    print(f"user     {args.table}\npassword {password}")
    print(f"limits   {limits.connections} connections, {limits.seconds} s, {limits.temp_mb} MB of temporary files")
    if repository.server is not None and repository.server.port is None:
        print(f"over TCP only after: hscdb connect {args.repository} --tcp")
    return 0


def _archive(repository: Any, name: str | None, *, is_back: bool) -> int:
    from hscdb.run.litter import archive_run, restore_run

    if name is None:
        raise ConfigError("hscdb db archive: give the name of the run.", code="usage")
    if is_back:
        print(f"run {name}: {', '.join(restore_run(repository, name))} are back")
        return 0
    tables = archive_run(repository, name)
    run_id = tables[0].rpartition("_r")[2]
    print(f"run {name}: {', '.join(tables)} are in the namespace archive, out of all queries")
    print("to a file (hscdb connect shows the DSN):")
    print(f"  pg_dump -d DSN -Fc -t 'archive.*_r{run_id}' -t 'archive.*_r{run_id}_v*' -f FILE")
    print(f"  then DROP TABLE; back by: pg_restore -d DSN FILE; hscdb db archive REPO {name} --restore")
    return 0


def _size(repository: Any) -> int:
    from hscdb.cli.show import table
    from hscdb.db.engine import transaction
    from hscdb.db.queries import query

    with transaction(repository.engine) as connection:
        tables = query("run/read_sizes")(connection)
        runs = query("run/read_run_sizes")(connection)
    names = ("table", "partitions", "rows", "table_mb", "index_mb", "total_mb")
    kept = [row.tolist() for row in tables if row["total_mb"] >= 0.1 or row["n_row"] > 0]
    total = [float(tables[name].sum()) for name in ("table_mb", "index_mb", "total_mb")]
    table(names, [*kept, ("all", int(tables["n_partition"].sum()), float(tables["n_row"].sum()), *total)])
    if len(runs):
        print()
        table(("run", "source_mb", "files", "files_mb"), [row.tolist() for row in runs])
    return 0


def _check(repository: Any, *, is_full: bool) -> int:
    from hscdb.db.engine import transaction
    from hscdb.db.queries import query

    with transaction(repository.engine) as connection:
        faults = [(str(r["fault"]), f"{r['what']}: {r['n']}") for r in query("run/read_faults")(connection)]
        products = query("run/read_kept_products")(connection)
    faults += list(_files(Path(repository.path), products, is_full=is_full))
    for fault, what in faults:
        print(f"{fault}: {what}")
    how = "sizes and checksums" if is_full else "sizes; --checksums reads them all"
    print(f"{len(products)} files ({how}), {len(faults)} fault{'s' * (len(faults) != 1)}")
    return 1 if faults else 0


def _files(root: Path, products: Any, *, is_full: bool) -> Iterator[tuple[str, str]]:
    for product in products:
        path = root / str(product["path"])
        if not path.is_file():
            yield "file missing", f"{product['path']} ({product['data_id']})"
        elif path.stat().st_size != product["n_byte"]:
            yield "size differs", f"{product['path']}: {path.stat().st_size} bytes (recorded {product['n_byte']})"
        elif is_full:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != product["sha256"]:
                yield "checksum differs", f"{product['path']} ({product['data_id']})"
