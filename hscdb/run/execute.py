"""A command's work: its stages in groups, each group's units entered, worked on and accounted for."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hscdb import pipeline
from hscdb.db import lost
from hscdb.db.engine import transaction
from hscdb.db.queries import query
from hscdb.errors import DiskError
from hscdb.run import tasks
from hscdb.run.interrupt import stopping
from hscdb.run.log import Progress, logger
from hscdb.run.plan import Event, Plan
from hscdb.run.repository import Repository
from hscdb.run.rerun import Run
from hscdb.run.select import Selection
from hscdb.run.stage import Stage
from hscdb.run.statistics import Statistics
from hscdb.run.tasks import Unit

read_outcome = query("run/read_outcome")
read_funnel = query("run/read_funnel")

_POLL_S = 0.5  # between two looks at whether another command has finished its units
_CHECKED = ("frame", "visit", "tract")  # stages of these units are looked up before a unit that needs them begins


@dataclass
class Report:
    """How one stage came out. n_unit: selected; n_skipped: done before; failures: data id, reason, message."""

    stage: str
    n_unit: int = 0
    n_skipped: int = 0
    n_done: int = 0
    n_open: int = 0
    wall_s: float = 0.0
    failures: list[tuple[str, str, str]] = field(default_factory=list)
    funnel: list[tuple[str, int, float]] = field(default_factory=list)


@dataclass
class Outcome:
    """How a command came out. lost: what took the server or the disk from it, in words."""

    reports: list[Report] = field(default_factory=list)
    bugs: list[Event] = field(default_factory=list)
    lost: str | None = None

    @property
    def exit_status(self) -> int:
        """0 if every selected task is done, else 1."""
        is_bad = bool(self.bugs) or self.lost is not None or any(each.failures or each.n_open for each in self.reports)
        return 1 if is_bad or not any(each.n_unit for each in self.reports) else 0


def groups(stages: Sequence[Stage], known: Mapping[str, Stage]) -> list[list[Stage]]:
    """Stages that one process does one after another for the same frame, together; all others alone."""
    found: list[list[Stage]] = []
    for stage in stages:
        is_plain = stage.per == "frame" and not tasks.is_behind_tract(stage, known)
        if found and is_plain and found[-1][0].per == "frame" and not tasks.is_behind_tract(found[-1][0], known):
            found[-1].append(stage)
        else:
            found.append([stage])
    return found


def with_needs(stages: Iterable[Stage], known: Mapping[str, Stage] | None = None) -> dict[str, Stage]:
    """The stages and, by name, all they need directly or indirectly, as far as these are stages of the pipeline."""
    found = dict(known or {}) | {stage.name: stage for stage in stages}
    waiting = list(found.values())
    while waiting:
        for need in waiting.pop().needs:
            if need not in found:
                found[need] = pipeline.outline(need)
                waiting.append(found[need])
    return found


@dataclass
class Command:
    """What is common to all groups of one command.

    stages  : outlines will do (see pipeline.py): who works imports the stages.
    options : words of the command that are no settings. jobs: worker processes. dask: address of a scheduler.
    known   : stages by name besides those of the pipeline (tests).
    """

    repository: Repository
    run: Run
    stages: Sequence[Stage]
    selection: Selection
    jobs: int = 1
    is_redo: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    calib_run_id: int | None = None
    dask: str | None = None
    known: Mapping[str, Stage] = field(default_factory=dict)

    def execute(self) -> Outcome:
        """Do it all. Stages after a lost server or a bug are not begun. StoppedError (Ctrl-C, SIGTERM) leaves
        everything clean."""
        with stopping():
            return self._execute()

    def _execute(self) -> Outcome:
        known = with_needs(self.stages, self.known)
        outcome, is_told = Outcome(), False
        if self.selection.is_given and self.stages[0].per != "repository":
            is_told = tasks.warn_of_empty(self.repository.engine, self.selection)
        for group in groups(self.stages, known):
            try:
                with lost.named():
                    self._group(group, known, outcome, is_told=is_told)
            except (lost.ServerLostError, DiskError) as error:
                outcome.lost = str(error)
                break
            if outcome.bugs or outcome.lost:
                break
        return outcome

    def _group(
        self, group: list[Stage], known: Mapping[str, Stage], outcome: Outcome, *, is_told: bool = False
    ) -> None:
        """Do a group of stages. is_told: that there is no such data was said before."""
        engine, run_id = self.repository.engine, self.run.run_id
        names = [stage.name for stage in group]
        found = tasks.units(engine, run_id, group[0], self.selection, known, self.options)
        if not found:
            logger.log(
                logging.DEBUG if is_told else logging.WARNING,
                "%s: no data to process for %s%s",
                "..".join(names),
                self.selection.describe(),
                self._why(group),
            )
            outcome.reports += [Report(name) for name in names]
            return
        for stage in group:
            tasks.enter(engine, run_id, stage, found, is_redo=self.is_redo or stage.name == "ingest")
        left, _ = tasks.open_units(engine, run_id, names, found)
        before = {stage.name: self._n_done(stage, found) for stage in group}
        filled = list(dict.fromkeys([*(table for stage in group for table in stage.writes), "product"]))
        statistics = Statistics(engine, filled, run_id, self.jobs)
        if left:
            self._prepare(group, left)
            self._finish(group, found, known, outcome, statistics)
        if outcome.lost:
            return
        for stage in group:
            outcome.reports.append(self._report(stage, found, before[stage.name]))
        if left:
            statistics.end()

    def _why(self, group: list[Stage]) -> str:
        """What stages of tracts and solved frames build on, for those who find nothing."""
        if not self.run.parent and group[0].per == "tract":
            return (
                f": run {self.run.name} has no calibrated frame in such a tract. Run isr..calibrate and skymap in it, "
                f"or build on a run that has them (--rerun IN:{self.run.name})"
            )
        return ""

    def _finish(
        self, group: list[Stage], found: Sequence[Unit], known: Mapping[str, Stage], outcome: Outcome,
        statistics: Statistics,
    ) -> None:  # fmt: skip
        """Work until no unit is open: other commands are waited for, and what they leave is taken over.

        So the next stages find all that was selected, whoever has done it.
        """
        names = [stage.name for stage in group]
        tried: list[Unit] = []
        is_told = False
        while True:
            left, free = tasks.open_units(self.repository.engine, self.run.run_id, names, found)
            if not left or (free and free == tried):
                return
            if free:
                tried = free
                statistics.begin(len(free))
                if not self._work(self._plan(group, left, known), outcome, statistics):
                    return
                continue
            if not is_told:
                logger.info("%s: waiting for %d units that another command is at", "..".join(names), len(left))
                is_told = True
            time.sleep(_POLL_S)

    def _prepare(self, group: list[Stage], left: Sequence[Unit]) -> None:
        visits = {unit.ids["visit"] for unit in left if "visit" in unit.ids}
        from hscdb.db.partition import TABLES, ensure

        if TABLES & {table for stage in group for table in stage.writes}:
            ensure(self.repository.engine, self.run.run_id, visits)

    def _plan(self, group: list[Stage], left: Sequence[Unit], known: Mapping[str, Stage]) -> Plan:
        order = [name for name in (*pipeline.ORDER, *(n for n in known if n not in pipeline.ORDER)) if name in known]
        frames = [
            name for name in order if known[name].per == "frame" and not tasks.is_behind_tract(known[name], known)
        ]
        names = [stage.name for stage in group]
        makers = {name: known[name] for name in frames}
        inputs = {
            stage.name: tuple(n for n in stage.needs if n not in names and known[n].per in _CHECKED) for stage in group
        }
        return Plan(
            repository=str(self.repository.path),
            dsn=self.repository.start(),
            run_id=self.run.run_id,
            run_name=self.run.name,
            stages=tuple(group),
            configs={n: self.run.settings.config(n, known[n].config) for n in {*names, *makers}},
            units=left,
            inputs=inputs,
            makers=makers,
            later={name: _later(name, frames) for name in frames},
            options=dict(self.options),
            calib_run_id=self.calib_run_id,
            jobs=self.jobs,
            log_level=logging.getLevelName(logging.getLogger("hscdb").getEffectiveLevel()).lower(),
        )

    def _work(self, plan: Plan, outcome: Outcome, statistics: Statistics) -> bool:
        """Whether the workers came to their end by themselves."""
        progress = Progress("..".join(plan.names), len(plan.units))

        def tell(event: Event) -> None:
            if event.kind == "unit":
                progress.step()
            elif event.kind == "end" and event.status == "failed":
                progress.n_failed += 1
            elif event.kind == "log":
                progress.line(event.text)
            elif event.kind == "bug":
                outcome.bugs.append(event)
            elif event.kind == "lost":
                outcome.lost = event.text

        from hscdb.run import pool  # with it come FITS files: not for a look whether anything is left to do

        try:
            if self.dask is not None:
                is_good = pool.run_dask(plan, self.dask, self.jobs if self.jobs > 1 else None, tell)
            elif self.jobs > 1:
                is_good = pool.Processes(plan, self.jobs, tell, statistics.idle).run()
            else:
                is_good = pool.run_here(plan, tell)
        finally:
            progress.close()
        if not is_good and not outcome.bugs and not outcome.lost:
            logger.error("a worker of %s stopped before its work was done", "..".join(plan.names))
        return is_good and not outcome.bugs and not outcome.lost

    def _n_done(self, stage: Stage, found: Sequence[Unit]) -> int:
        return sum(row["status"] == "done" for row in self._rows(stage, found))

    def _rows(self, stage: Stage, found: Sequence[Unit]) -> Any:
        with transaction(self.repository.engine) as connection:
            return read_outcome(
                connection, run_id=self.run.run_id, stage=stage.name, data_ids=[unit.data_id for unit in found]
            )

    def _report(self, stage: Stage, found: Sequence[Unit], n_before: int) -> Report:
        rows = self._rows(stage, found)
        is_done, is_failed = rows["status"] == "done", rows["status"] == "failed"
        with transaction(self.repository.engine) as connection:
            sums = read_funnel(
                connection, run_id=self.run.run_id, stage=stage.name, data_ids=[unit.data_id for unit in found]
            )
        return Report(
            stage.name,
            len(found),
            n_before,
            int(is_done.sum()) - n_before,
            int((~is_done & ~is_failed).sum()),
            float(rows["wall_s"][is_done & (rows["wall_s"] == rows["wall_s"])].sum()),
            [(str(row["data_id"]), str(row["reason"]), str(row["message"])) for row in rows[is_failed]],
            [(str(row["name"]), int(row["n_task"]), float(row["total"])) for row in sums],
        )


def _later(name: str, frames: Sequence[str]) -> tuple[str, ...]:
    return tuple(frames[frames.index(name) + 1 :])
