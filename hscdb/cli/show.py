"""Tables, reports and lists as text."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hscdb.run.execute import Outcome, Report

_EXACT = re.compile(r"(^|_)(ra|dec|mjd|deg)$")
_N_FAILURE = 20  # failures told in full after a command; `hscdb status --failures` tells all


def text(entry: Any, n_digit: int = 6) -> str:
    """One cell: so many digits of a float, nothing for a missing value."""
    if entry is None or (isinstance(entry, float) and entry != entry):
        return ""
    if isinstance(entry, float):
        return f"{entry:.{n_digit}g}"
    if isinstance(entry, list | tuple):
        return "{" + ", ".join(text(each, n_digit) for each in entry) + "}"
    if isinstance(entry, dict | bytes):
        from hscdb.fits.export import text as plain

        entry = plain(entry)
    written = str(entry)  # of what is no letter only the name: a line must stay a line
    return written if written.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in written)


def table(names: Sequence[str], rows: Iterable[Sequence[Any]], stream: Any = None) -> None:
    """Columns side by side; numbers to the right. Places and times are worth eleven digits, all else six."""
    listed = [list(row) for row in rows]
    digits = [11 if _EXACT.search(name) else 6 for name in names]
    cells = [[text(entry, n_digit) for entry, n_digit in zip(row, digits, strict=True)] for row in listed]
    widths = [max([len(name), *(len(row[i]) for row in cells)]) for i, name in enumerate(names)]
    is_number = [
        any(row[i] is not None for row in listed)
        and all(row[i] is None or (isinstance(row[i], int | float) and not isinstance(row[i], bool)) for row in listed)
        for i in range(len(names))
    ]
    for each in [list(names), ["-" * width for width in widths], *cells]:
        parts = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(each, widths, is_number, strict=True)
        ]
        print("  ".join(parts).rstrip(), file=stream or sys.stdout)


def outcome(result: Outcome) -> None:
    """What a command has done: a line per stage, its funnel, the failures with their reasons, bugs."""
    rows = [_row(report) for report in result.reports if report.n_unit]
    if rows:
        table(("stage", "units", "skipped", "done", "failed", "left", "s/unit"), rows)
    for report in result.reports:
        counts = "  ".join(f"{name}={total:.0f}" for name, _, total in report.funnel)
        if counts:
            print(f"{report.stage}: {counts}")
    _failures([(report.stage, *failure) for report in result.reports for failure in report.failures])
    for bug in result.bugs:
        who = f"{bug.stage} {bug.data_id}".strip() or "a worker"
        print(f"\nBUG: {who} stopped; the task was given back. Please report this:\n{bug.text}", file=sys.stderr)
    if result.lost is not None:
        print(f"\nhscdb: {result.lost}", file=sys.stderr)
    if not rows and result.lost is None and not result.bugs:
        nothing()


def nothing() -> None:
    """What is said where a selection holds no data."""
    from hscdb.run.log import speaker

    who = f"{speaker()}.py" if speaker() else "hscdb"
    said = 'not running, because there is no data to process; you may preview data using "--show data"'
    print(f"{who}: {said}", file=sys.stderr)


def _row(report: Report) -> tuple[Any, ...]:
    n_done = report.n_done + report.n_skipped
    return (
        report.stage, report.n_unit, report.n_skipped, report.n_done, len(report.failures), report.n_open,
        round(report.wall_s / n_done, 3) if n_done else None,
    )  # fmt: skip


def _failures(failures: Sequence[tuple[str, str, str, str]]) -> None:
    """Failures that have a cause of their own in full; those behind another failure as a count."""
    own = [each for each in failures if each[2] != "no_input"]
    if failures:
        behind = len(failures) - len(own)
        print(f"\n{len(failures)} failed" + (f", {behind} of them for want of input (no_input):" if behind else ":"))
    for stage, data_id, reason, message in (own or failures)[:_N_FAILURE]:
        print(f"  {stage} {data_id}  {reason}\n    {message}")
    if len(own) > _N_FAILURE:
        print(f"  ... {len(own) - _N_FAILURE} more: hscdb status REPO --failures")
