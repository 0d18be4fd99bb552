"""The planner's statistics of what a group of stages fills: refreshed while the last units are still worked on."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Thread
from typing import Any

from hscdb.db import tables
from hscdb.db.engine import wait_for_disk

_SHARE = 0.1  # of all units that may be missing: such statistics lead to the same plans


class Statistics:
    """Refreshes the statistics of the tables `filled`, once, at the end of a group of stages.

    When the first of several workers finds nothing more to do, its core is idle until the last one ends (0.5 s of a
    visit of 20 CCDs), and refreshing takes as long; so `idle` begins with it, where nearly all rows are there already.
    """

    def __init__(self, engine: Any, filled: Sequence[str], run_id: int, jobs: int) -> None:
        self.engine, self.filled, self.run_id, self.jobs = engine, filled, run_id, jobs
        self.thread: Thread | None = None
        self.is_early = self.is_fresh = False

    def begin(self, n_unit: int) -> None:
        """So many units are begun. If it is not the first time, what was refreshed before they were is old."""
        if self.thread is not None:
            self.thread.join()
        self.thread, self.is_fresh = None, False
        self.is_early = self.jobs - 1 <= _SHARE * n_unit

    def idle(self) -> None:
        """A worker has nothing more to do, and others are still at work."""
        if self.is_early and self.thread is None:
            self.thread = Thread(target=self._early, daemon=True)  # Ctrl-C need not wait for it
            self.thread.start()

    def end(self) -> None:
        """All work is done: what was not refreshed is now, and the workers' commits are waited for."""
        if self.thread is not None:
            self.thread.join()
        tables.analyze(self.engine, [*([] if self.is_fresh else self.filled), "task"], self.run_id)
        wait_for_disk(self.engine)

    def _early(self) -> None:
        # what is in the way may be again at the end, which tells
        self.is_fresh = tables.try_analyze(self.engine, self.filled, self.run_id)
