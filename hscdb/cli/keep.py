"""rerun and gc: housekeeping."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from hscdb.cli import options
from hscdb.errors import ConfigError


def arguments(parser: argparse.ArgumentParser, name: str) -> Callable[[argparse.Namespace], int]:
    """The arguments of rerun and gc."""
    add = parser.add_argument
    if name == "gc":
        parser.description = (
            "Remove litter: temporary files that killed commands have left, and product files under rerun/ without a "
            "row. Files younger than --age are left alone, since a worker may be about to enter them."
        )
        parser.epilog = "examples:\n  hscdb gc ~/HSC --dry-run\n  hscdb gc ~/HSC"
        options.repository(parser)
        add("-n", "--dry-run", action="store_true", help="only list")
        add("--age", type=float, default=3600.0, metavar="S", help="seconds since a file was changed [3600]")
        return gc
    parser.description = "Runs: list them, show one with its settings, delete one with its rows and files."
    parser.epilog = (
        "examples:\n  hscdb rerun list ~/HSC\n  hscdb rerun show ~/HSC first\n  hscdb rerun delete ~/HSC first --yes"
    )
    add("action", choices=("list", "show", "delete"), help="what to do")
    options.repository(parser)
    add("run", nargs="?", metavar="NAME", help="show, delete: which run")
    add("--yes", action="store_true", help="delete: do it without asking")
    return rerun


def rerun(args: argparse.Namespace) -> int:
    """List, show or delete runs."""
    from hscdb.cli.show import table
    from hscdb.db.engine import transaction
    from hscdb.run import rerun as reruns

    options.start_log(args)
    with options.opened(args) as repository:
        if args.action == "list":
            with transaction(repository.engine) as connection:
                rows = reruns.read_runs(connection)
            names = ("name", "parent", "created_at", "code_version", "n_done", "n_open", "n_failed")
            table(names, [tuple(_plain(row[name]) for name in names) for row in rows])
            return 0
        if args.run is None:
            raise ConfigError(f"hscdb rerun {args.action}: which run? Add its name.", code="usage")
        with transaction(repository.engine) as connection:
            row = reruns.existing(connection, args.run)
        if args.action == "show":
            print(
                f"run {row['name']}"
                + (f" on {row['parent']}" if row["parent"] else "")
                + f", hscdb {row['code_version']}"
            )
            print(f"settings {row['settings_sha256']}")
            for stage, names in row["settings"].items():
                print(f"[{stage}]")
                print("".join(f"{name} = {value!r}\n" for name, value in names.items()))
            return 0
        if not args.yes and input(f"delete run {args.run}, its rows and files? [y/N] ").lower() not in ("y", "yes"):
            print("nothing was deleted")
            return 0
        from hscdb.run.litter import delete_run

        n_file = delete_run(repository, args.run)
        print(f"run {args.run} deleted, {n_file} files removed")
    return 0


def _plain(entry: object) -> object:
    from datetime import datetime

    return entry.strftime("%Y-%m-%d %H:%M") if isinstance(entry, datetime) else getattr(entry, "item", lambda: entry)()


def gc(args: argparse.Namespace) -> int:
    """Remove litter."""
    from hscdb.run.litter import find_litter, remove

    with options.opened(args) as repository:
        found = find_litter(repository, args.age)
        n_byte = sum(path.lstat().st_size for path in found)
        for path in found if args.dry_run else []:
            print(path.relative_to(repository.path))
        if not args.dry_run:
            remove(repository.path / "rerun", found)
    verb = "would be removed" if args.dry_run else "removed"
    print(f"{len(found)} files, {n_byte / 1e6:.1f} MB {verb}")
    return 0
