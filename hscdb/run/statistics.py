"""The planner's statistics of what a group of stages fills: refreshed while the last units are still worked on."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from threading import Thread
from typing import Any

from hscdb.db import lost, tables
from hscdb.errors import DiskError

_SHARE = 0.1  # of all units that may be missing: such statistics lead to the same plans


class Statistics:
    """Refreshes the statistics of tables once, at the end of a group of stages.

    When the first of several workers finds nothing more to do, its core is idle until the last one ends (0.5 s of a
    visit of 20 CCDs), and refreshing takes as long; so `idle` begins with it, where nearly all rows are there already.
    """

    def __init__(self, engine: Any, filled: Sequence[str], run_id: int, n_unit: int, jobs: int) -> None:
        self.engine, self.filled, self.run_id = engine, filled, run_id
        self.is_early = jobs - 1 <= _SHARE * n_unit
        self.thread: Thread | None = None
        self.is_fresh = False

    def idle(self) -> None:
        """A worker has nothing more to do, and others are still at work."""
        if self.is_early and self.thread is None:
            self.thread = Thread(target=self._early, daemon=True)
            self.thread.start()

    def end(self) -> None:
        """All work is done: what was not refreshed is now.

        `task` is always: with this commit, the first one after all work that waits for the disk, the workers' are kept.
        """
        if self.thread is not None:
            self.thread.join()
        tables.analyze(self.engine, [*([] if self.is_fresh else self.filled), "task"], self.run_id)

    def _early(self) -> None:
        with suppress(lost.ServerLostError, DiskError), lost.named():  # `end` meets it again, and tells
            tables.analyze(self.engine, self.filled, self.run_id)
            self.is_fresh = True
