"""One worker: claim a unit, do its tasks, each in one transaction, until nothing is free.

A unit is claimed by its row (FOR UPDATE SKIP LOCKED) and held by a session advisory lock: that of a killed worker goes
with its connection, and the next one takes the unit over. A task's rows, its product rows and its `done` appear
together or not at all. An HscdbError makes a failed row with a reason; anything else is a bug and stops the worker.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hscdb import pipeline
from hscdb.db import lost
from hscdb.db.engine import connect, transaction
from hscdb.db.queries import query
from hscdb.db.tables import delete_task_rows, is_worth_retry
from hscdb.errors import DiskError, HscdbError, InputError
from hscdb.run.cost import Clock, peak_mb
from hscdb.run.interrupt import Interrupt
from hscdb.run.log import logger, subject
from hscdb.run.plan import BugError, Event, Plan, worker_name
from hscdb.run.product import MissingProductError, TaskFiles
from hscdb.run.repository import Repository
from hscdb.run.stage import Stage, Work
from hscdb.run.tasks import Unit, enter_in, missing_input
from hscdb.run.threads import keep_memory

claim_unit = query("run/claim_unit")
delete_lock = query("run/delete_lock")
read_unit_tasks = query("run/read_unit_tasks")
mark_running = query("run/mark_running")
mark_done = query("run/mark_done")
mark_failed = query("run/mark_failed")
mark_given_back = query("run/mark_given_back")
mark_outdated = query("run/mark_outdated")

_SLICE = 64  # units offered to the server per claim: keeps a claim short however long the list is
_N_TRY = 3  # of a task that met a deadlock or a serialization failure


class Worker:
    """Does the work of a plan over one connection. `tell` receives the events."""

    def __init__(self, plan: Plan, tell: Callable[[Event], None]) -> None:
        self.plan, self.tell = plan, tell
        self.stages = [pipeline.loaded(stage) for stage in plan.stages]
        self.repository = Repository.open(plan.repository, plan.dsn)
        self.units = {unit.data_id: unit for unit in plan.units}
        self.engine = connect(plan.dsn, pool=False, application_name=f"hscdb {'+'.join(plan.names)}", is_patient=False)
        self.connection: Any = None
        self.interrupt = Interrupt()

    def loop(self) -> None:
        """Work until nothing is free. BugError after a bug; other exceptions of a lost server leave as they are."""
        if all(stage.per == "frame" for stage in self.plan.stages):
            keep_memory()
        with self.interrupt.held(), self.engine.connect() as self.connection:
            for statuses in (["todo", "running"], ["running"]):
                # The second time round takes what a worker was killed at after we had passed it.
                for data_id, lock_key in self._claims(statuses):
                    try:
                        self._unit(self.units[data_id])
                    finally:
                        if not self.connection.invalidated:
                            with self.connection.begin():
                                delete_lock(self.connection, lock_key=lock_key)
                    self.tell(Event("unit", data_id))
                    self.interrupt.check()

    def _claims(self, statuses: list[str]) -> Iterator[tuple[str, int]]:
        """Claimed units: data id and lock. Each slice of the list is asked until nothing of it is free."""
        data_ids = [unit.data_id for unit in self.plan.units]
        at = 0
        while at < len(data_ids):
            offered = data_ids[at : at + _SLICE]
            with self.connection.begin():
                row = claim_unit.one(
                    self.connection, run_id=self.plan.run_id, stages=self.plan.names, data_ids=offered,
                    statuses=statuses,
                )  # fmt: skip
            if row is None:
                at += _SLICE
            elif row["is_mine"]:
                at += offered.index(str(row["data_id"])) + 1
                yield str(row["data_id"]), int(row["lock_key"])

    def _unit(self, unit: Unit) -> None:
        """The open tasks of a unit, stage after stage; those behind a failed one fail with it."""
        carry: dict[str, Any] = {}
        broken: dict[str, str] = {}
        tasks = self._tasks(unit, self.plan.names)
        for stage in self.stages:
            task = tasks.get(stage.name)
            if task is None or task["status"] not in ("todo", "running"):
                if task is not None and task["status"] == "failed":
                    broken[stage.name] = f"{stage.name} failed ({task['reason']}): {task['message']}"
                continue
            cause = self._missing_input(stage, unit, broken)
            self.interrupt.check()
            if cause is None:
                cause = self._task(stage, unit, int(task["task_id"]), carry)
                if task["n_attempt"]:  # a redone task opens those behind it
                    tasks = self._tasks(unit, self.plan.names)
            else:
                error = InputError(cause, "no_input")
                is_told = any(need in broken for need in stage.needs)
                self._fail(stage, unit, int(task["task_id"]), None, error, (0.0, 0.0), is_told=is_told)
            if cause is not None:
                broken[stage.name] = cause
        self._write_left(unit, carry)

    def _write_left(self, unit: Unit, carry: dict[str, Any]) -> None:
        """Write the products that a task has left to a stage behind it, which failed or had nothing to do."""
        left = carry.pop("unwritten", None)
        if left is None:
            return
        files = self._files(left.task_id)
        try:
            with self.connection.begin():
                left.write(files, **unit.ids)
                files.store()
            files.settle()
        except BaseException:
            files.discard()
            raise

    def _files(self, task_id: int) -> TaskFiles:
        return TaskFiles(self.connection, self.repository.path, self.plan.run_id, self.plan.run_name, task_id)

    def _tasks(self, unit: Unit, stages: list[str]) -> dict[str, Any]:
        with self.connection.begin():
            rows = read_unit_tasks(self.connection, run_id=self.plan.run_id, stages=stages, data_id=unit.data_id)
        return {str(row["stage"]): row for row in rows}

    def _missing_input(self, stage: Stage, unit: Unit, broken: dict[str, str]) -> str | None:
        """Why the stage cannot begin, or None: a stage it needs has failed or was never done."""
        known = [broken[need] for need in stage.needs if need in broken]
        needed = self.plan.inputs.get(stage.name, ())
        if known or not needed:
            return known[0] if known else None
        with self.connection.begin():
            return missing_input(self.connection, self.plan.run_id, stage.name, unit, needed)

    def _task(
        self, stage: Stage, unit: Unit, task_id: int, carry: dict[str, Any], after: tuple[str, ...] = ()
    ) -> str | None:
        """Do a task to its end; None when it is done, else why it failed. A missing product is made again, once.

        after : stages that follow in this process; those of the plan if none are named.
        """
        with subject(f"{stage.name} {unit.data_id}"):
            self.tell(Event("begin", unit.data_id, stage.name))
            is_remade, n_try = False, 0
            while True:
                clock = Clock()
                files = None
                try:
                    with self.connection.begin():
                        begun = mark_running.one(self.connection, task_id=task_id, worker=worker_name())
                    files = self._files(task_id)
                    with self.connection.begin():
                        self._run(stage, unit, files, carry, clock, after, is_first=begun["n_attempt"] == 1)
                    files.settle()
                except MissingProductError as error:
                    files.discard() if files else None
                    maker = None if is_remade else self._maker(stage, error)
                    if maker is None:
                        return self._fail(stage, unit, task_id, files, error, clock.seconds)
                    is_remade = True
                    logger.info("%s; %s is done again", str(error).rstrip("."), maker.name)
                    cause = self._remake(maker, unit, carry, stage.name)
                    if cause is not None:
                        return self._fail(stage, unit, task_id, files, InputError(cause, "no_input"), clock.seconds)
                except HscdbError as error:
                    files.discard() if files else None
                    return self._fail(stage, unit, task_id, files, error, clock.seconds)
                except BaseException as error:
                    files.discard() if files else None
                    n_try += 1
                    if n_try < _N_TRY and is_worth_retry(error):
                        continue
                    self._give_back(stage, unit, task_id, error)
                    raise
                else:
                    if getattr(carry.get("unwritten"), "last", "") == stage.name:
                        del carry["unwritten"]
                    self.tell(Event("end", unit.data_id, stage.name, "done"))
                    return None

    def _run(
        self, stage: Stage, unit: Unit, files: TaskFiles, carry: dict[str, Any], clock: Clock, after: tuple[str, ...],
        *, is_first: bool,
    ) -> None:  # fmt: skip
        """The inside of a task's transaction."""
        plan = self.plan
        if not is_first:
            delete_task_rows(self.connection, stage.writes, plan.run_id, files.task_id)
        if not after and stage.name in plan.names:
            after = tuple(plan.names[plan.names.index(stage.name) + 1 :])
        following = plan.next_unit(unit.data_id)
        work = Work(
            connection=self.connection, run_id=plan.run_id, task_id=files.task_id, unit=dict(unit.ids),
            camera=self.repository.camera, files=files, repository=Path(plan.repository),
            calib_run_id=plan.calib_run_id, carry=carry,
            options={**plan.options, "frames": unit.frames, "followed_by": after, "next": following and following.ids},
        )  # fmt: skip
        try:
            with self.interrupt.open():
                funnel = stage.run(work, plan.configs[stage.name])
        except BaseException:
            if not self.interrupt.is_asked:
                raise
            self.connection.invalidate()  # it may be in the middle of a statement; the server rolls back
            raise self.interrupt.error from None
        later = list(plan.later.get(stage.name, ()))
        if not is_first and later:
            mark_outdated(self.connection, run_id=plan.run_id, stages=later, data_id=unit.data_id)
        wall_s, cpu_s = clock.seconds
        counts = {key: int(entry) for key, entry in (funnel or {}).items()}
        mark_done(self.connection, task_id=files.task_id, funnel=counts, wall_s=wall_s, cpu_s=cpu_s, peak_mb=peak_mb())
        files.store()
        logger.info("done in %.1f s  %s", wall_s, " ".join(f"{key}={entry}" for key, entry in counts.items()))

    def _maker(self, stage: Stage, error: MissingProductError) -> Stage | None:
        """The frame stage that writes what is missing, if we may do it again."""
        needs = [each for each in stage.needs if each in self.plan.makers]
        wanted = error.stage or (needs[-1] if needs else None)
        return pipeline.loaded(self.plan.makers[wanted]) if wanted in needs else None

    def _remake(self, maker: Stage, unit: Unit, carry: dict[str, Any], after: str) -> str | None:
        with self.connection.begin():
            enter_in(self.connection, self.plan.run_id, maker.name, [unit])
        task = self._tasks(unit, [maker.name])[maker.name]
        return self._task(maker, unit, int(task["task_id"]), carry, (after,))

    def _fail(
        self, stage: Stage, unit: Unit, task_id: int, files: TaskFiles | None, error: HscdbError,
        seconds: tuple[float, float], *, is_told: bool = False,
    ) -> str:  # fmt: skip
        """Store the reason and nothing else; what an earlier attempt had left goes. is_told: the log has it already."""
        wall_s, cpu_s = seconds
        message = str(error)
        files = files or self._files(task_id)
        with self.connection.begin():
            delete_task_rows(self.connection, stage.writes, self.plan.run_id, task_id)
            files.forget_all()
            if error.store is not None:
                error.store(self.connection)
            mark_failed(
                self.connection, task_id=task_id, reason=error.code, message=message, wall_s=wall_s, cpu_s=cpu_s,
                peak_mb=peak_mb(),
            )  # fmt: skip
        files.settle()
        with subject(f"{stage.name} {unit.data_id}"):
            logger.log(logging.DEBUG if is_told else logging.WARNING, "failed (%s): %s", error.code, message)
        self.tell(Event("end", unit.data_id, stage.name, "failed", error.code))
        return f"{stage.name} {unit.data_id} failed ({error.code}): {message}"

    def _give_back(self, stage: Stage, unit: Unit, task_id: int, error: BaseException) -> None:
        """After a bug, Ctrl-C or the loss of the server: the task is as if it had not begun."""
        if isinstance(error, Exception) and lost.is_lost(error):
            return  # the server rolls back by itself; the task counts as a killed worker's
        trouble = lost.disk_error(error, self.repository.path)
        try:
            with lost.named(), transaction(self.engine) as connection:  # ours may be gone
                mark_given_back(connection, task_id=task_id)
        except (DiskError, lost.ServerLostError):
            if trouble is None:
                raise
            # On a full disk no row can be changed, either: the task counts as a killed worker's.
        if trouble is not None:
            raise trouble from error
        if isinstance(error, Exception):
            told = "".join(traceback.format_exception(error))
            self.tell(Event("bug", unit.data_id, stage.name, text=told))
            raise BugError(f"{stage.name} {unit.data_id}: {type(error).__name__}: {error}") from error


@contextmanager
def guarded(tell: Callable[[Event], None]) -> Iterator[None]:
    """Turn the loss of the server or of the disk into an event, and that or a bug (told already) into SystemExit(1)."""
    try:
        yield
    except BugError:
        raise SystemExit(1) from None
    except HscdbError as error:
        tell(Event("lost", text=str(error)))
        raise SystemExit(1) from None
    except Exception as error:
        trouble = lost.disk_error(error)
        if trouble is None and not lost.is_lost(error):
            tell(Event("bug", text="".join(traceback.format_exception(error))))
        else:
            tell(Event("lost", text=str(trouble or lost.told(error))))
        raise SystemExit(1) from None
