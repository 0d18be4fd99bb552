"""rerun and gc: housekeeping."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hscdb.cli import options
from hscdb.errors import ConfigError

if TYPE_CHECKING:
    from hscdb.run.repository import Repository


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
    parser.description = (
        "Runs: list them; show one with its settings; tell how two differ, in settings, what is done and how good "
        "it is; delete one with its rows and files."
    )
    parser.epilog = (
        "examples:\n  hscdb rerun list ~/HSC\n  hscdb rerun show ~/HSC first\n  hscdb rerun diff ~/HSC first second\n"
        "  hscdb rerun delete ~/HSC first --yes"
    )
    add("action", choices=("list", "show", "diff", "delete"), help="what to do")
    options.repository(parser)
    add("run", nargs="?", metavar="NAME", help="show, diff, delete: which run")
    add("other", nargs="?", metavar="OTHER", help="diff: the run to compare it with [the one it builds on]")
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
        if args.other is not None and args.action != "diff":
            raise ConfigError(
                f"hscdb rerun {args.action} {args.run}: one run at a time, not {args.other} too.", "usage"
            )
        if args.run is None:
            raise ConfigError(f"hscdb rerun {args.action}: which run? Add its name.", code="usage")
        with transaction(repository.engine) as connection:
            row = reruns.existing(connection, args.run)
        if args.action == "diff":
            return _diff(repository, row, args.other)
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


def _diff(repository: Repository, row: Any, word: str | None) -> int:
    """How a run differs from another; only what differs is printed."""
    from hscdb.cli.show import table
    from hscdb.db.engine import transaction
    from hscdb.db.queries import query
    from hscdb.run import rerun as reruns
    from hscdb.run.config import differences

    other_name = word or row["parent"]
    if other_name is None:
        raise ConfigError(
            f"hscdb rerun diff: run {row['name']} builds on no other; with which is it to be compared? Add its name.",
            code="usage",
        )
    with transaction(repository.engine) as connection:
        other = reruns.existing(connection, other_name)
        ids = {"run_id": int(row["run_id"]), "other_run_id": int(other["run_id"])}
        tasks = query("run/read_task_differences")(connection, **ids)
        metrics = query("run/read_metric_differences")(connection, **ids)
    a, b = str(row["name"]), str(other["name"])
    facts = [(what, row[what] or "-", other[what] or "-") for what in ("parent", "code_version")]
    changed = [
        (each, repr(old), repr(new)) for each, (old, new) in differences(row["settings"], other["settings"]).items()
    ]
    parts = (
        (("run", a, b), [each for each in facts if each[1] != each[2]]),
        (("setting", a, b), changed),
        (("stage: done", a, b, "in both", f"failed {a}", f"failed {b}"), [tuple(each) for each in tasks.tolist()]),
        (("metric", "sample", "filter", a, b, "unit"), [tuple(each) for each in metrics.tolist()]),
    )
    shown = [part for part in parts if part[1]]
    for at, (names, rows) in enumerate(shown):
        print("" if at else f"run {a} against {b}")
        table(names, rows)
    if not shown:
        print(f"run {a} and run {b}: same settings, nothing done in either")
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
