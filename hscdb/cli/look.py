"""status and query: looking at what is there."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from hscdb.cli import options
from hscdb.errors import ConfigError, InputError

_FORMATS = ("table", "csv", "ecsv", "fits", "votable", "parquet")
_ENDINGS = {"fit": "fits", "fts": "fits", "vot": "votable", "xml": "votable"}


def arguments(parser: argparse.ArgumentParser, name: str) -> Callable[[argparse.Namespace], int]:
    """The arguments of status and query."""
    options.repository(parser)
    add = parser.add_argument
    if name == "status":
        parser.description = (
            "Runs, how far their stages are, failed tasks and refused files. Exit status 1 if a task has failed."
        )
        parser.epilog = "examples:\n  hscdb status ~/HSC\n  hscdb status ~/HSC --rerun first --failures"
        add("--rerun", metavar="NAME", help="only this run")
        add("--failures", action="store_true", help="list every failed task and refused file with its reason")
        return status
    parser.description = (
        "One SELECT, which can change nothing; Ctrl-C cancels it on the server. FITS, ECSV, VOTable and Parquet carry "
        "units, UCDs and meanings. Tables and columns: hscdb db describe; functions: hscdb db functions."
    )
    parser.epilog = (
        'examples:\n  hscdb query ~/HSC "SELECT visit, filter, field, count(*) FROM frame_info GROUP BY 1, 2, 3"\n'
        '  hscdb query ~/HSC "SELECT * FROM qa_metric" --output metrics.csv\n'
        "  hscdb query ~/HSC -f stars.sql --output stars.fits\n"
        "  hscdb query ~/HSC \"SELECT name, meaning, example FROM help('%cone%')\""
    )
    add("statement", nargs="?", metavar="STATEMENT", help="the SELECT; '-' reads it from standard input")
    add("-f", "--file", metavar="FILE", help="read the statement from a file")
    add("-o", "--output", metavar="FILE", help="write to a file; its ending tells the format")
    add("--format", choices=_FORMATS, help="[by the file's ending, else table]")
    add("--limit", type=options.positive, metavar="N", help="at most so many rows")
    add("--timeout", type=float, default=0.0, metavar="S", help="stop after so many seconds [never]")
    return query


def status(args: argparse.Namespace) -> int:
    """Runs and stages with their tasks by state."""
    from hscdb.cli.show import table
    from hscdb.db.engine import transaction
    from hscdb.db.queries import query as statement
    from hscdb.run.rerun import existing, read_runs

    with options.opened(args) as repository, transaction(repository.engine) as connection:
        if args.rerun:
            existing(connection, args.rerun)
        runs = [row for row in read_runs(connection) if args.rerun in (None, row["name"])]
        rows, failures = [], []
        for run in runs:
            counts = statement("run/read_progress")(connection, run_id=int(run["run_id"]))
            label = f"{run['name']} <- {run['parent']}" if run["parent"] else run["name"]
            rows += [(label, *row.tolist()) for row in counts]
            found = statement("run/read_failures")(connection, run_id=int(run["run_id"]), stages=None)
            failures += [(run["name"], row) for row in found]
        total = statement("run/find_totals").one(connection)
        refusals = [] if args.rerun else list(statement("run/read_refusals")(connection))
    print("  ".join(f"{name}={total[name]}" for name in total.dtype.names))
    if rows:
        print()
        table(("run", "stage", "todo", "running", "done", "failed", "wall_s", "cpu_s", "peak_mb"), rows)
    elif not runs:
        print("no runs yet")
    if refusals:
        _tell_refusals(refusals, is_full=args.failures)
    if failures:
        _tell_failures(failures, is_full=args.failures)
    if (refusals or failures) and not args.failures:
        print("--failures lists them")
    return 1 if failures else 0


def _tell_failures(failures: Sequence[tuple[str, Any]], *, is_full: bool) -> None:
    print()
    if is_full:
        for run, row in failures:
            print(f"{run} {row['stage']} {row['data_id']}  {row['reason']}\n    {row['message']}")
        return
    counts: dict[tuple[str, str, str], int] = {}
    for run, row in failures:
        key = (run, str(row["stage"]), str(row["reason"]))
        counts[key] = counts.get(key, 0) + 1
    for (run, stage, reason), n_task in counts.items():
        print(f"{run} {stage}: {n_task} failed ({reason})")


def _tell_refusals(refusals: Sequence[Any], *, is_full: bool) -> None:
    print()
    if is_full:
        for row in refusals:
            print(f"ingest {row['path']}  {row['reason']}\n    {row['message']}")
        return
    reasons = [str(row["reason"]) for row in refusals]
    for reason in sorted(set(reasons)):
        print(f"ingest: {reasons.count(reason)} files refused ({reason})")


def query(args: argparse.Namespace) -> int:
    """Run a SELECT and write its rows as they come."""
    from hscdb.db.stream import answer

    statement = _statement(args)
    path = Path(args.output) if args.output else None
    form = args.format or _form(path)
    if form not in ("table", "csv") and path is None:
        raise ConfigError(f"--format {form}: needs a file. Add --output FILE.", code="usage")
    with options.opened(args) as repository:
        with answer(repository.engine, statement, args.timeout, args.limit) as found:
            try:
                n_row = _write(found, form, path)
            except OSError as error:
                if path is None:
                    raise
                raise InputError(f"{path}: cannot be written ({error.strerror}).", code="no_file") from None
        if found.is_cut:
            print(
                f"hscdb query: INCOMPLETE: --limit has cut the result at {n_row} rows; there are more.", file=sys.stderr
            )
    return 0


def _write(found: Any, form: str, path: Path | None) -> int:
    """Write an answer; the number of its rows."""
    from hscdb.cli.show import table

    names = [column.name for column in found.columns]
    if form in ("fits", "ecsv", "votable", "parquet"):
        from hscdb.fits import export

        if len(set(names)) < len(names):
            raise ConfigError(f"{path}: two columns have the same name. Give names with AS.", code="bad_output")
        strange = [name for name in names if not (name.isascii() and name.isprintable() and name.strip())]
        if form == "fits" and strange:
            raise ConfigError(
                f"{path}: FITS has only ASCII letters for names of columns ('{strange[0]}'). Give another with AS.",
                code="bad_output",
            )
        fields = [export.Field(**vars(column)) for column in found.columns]
        return export.write(Path(str(path)), form, fields, found.rows, lambda: bool(found.is_cut))
    rows = _Counted(found.rows)
    if path is not None:
        with path.open("w", newline="", encoding="utf-8") as file:
            _csv(file, found.columns, rows) if form == "csv" else table(names, rows, file)
    elif form == "csv":
        _csv(sys.stdout, found.columns, rows)
    else:
        table(names, rows)
        print(f"({rows.n_row} row{'s' * (rows.n_row != 1)})")
    return rows.n_row


class _Counted:
    """Rows that are counted as they pass."""

    def __init__(self, rows: Iterable[Any]) -> None:
        self.rows, self.n_row = rows, 0

    def __iter__(self) -> Iterator[Any]:
        for row in self.rows:
            self.n_row += 1
            yield row


def _statement(args: argparse.Namespace) -> str:
    if (args.statement is None) == (args.file is None):
        raise ConfigError("hscdb query: give one statement, or --file FILE.", code="usage")
    if args.statement == "-":
        return sys.stdin.read()
    if args.file is None:
        return str(args.statement)
    try:
        return Path(args.file).read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{args.file}: cannot be read ({error.strerror}).", code="no_file") from None


def _form(path: Path | None) -> str:
    if path is None:
        return "table"
    ending = path.suffix.lower().lstrip(".")
    return _ENDINGS.get(ending, ending if ending in _FORMATS else "table")


def _csv(file: Any, columns: Sequence[Any], rows: Iterable[Sequence[Any]]) -> None:
    writer = csv.writer(file)
    writer.writerow([column.name for column in columns])
    if any(column.dtype == "U" for column in columns):
        from hscdb.fits.export import text

        rows = ([text(cell) if isinstance(cell, dict | list | bytes) else cell for cell in row] for row in rows)
    writer.writerows(rows)
