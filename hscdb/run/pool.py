"""Who runs the workers: this process (-j 1), processes of this machine (-j N), or a Dask cluster."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from typing import Any, cast

from hscdb import pipeline
from hscdb.db.engine import connect, transaction
from hscdb.db.queries import query
from hscdb.errors import ConfigError
from hscdb.run import fork, log
from hscdb.run.log import logger
from hscdb.run.plan import Event, Plan
from hscdb.run.threads import limit_threads
from hscdb.run.worker import Worker, guarded

mark_orphans_failed = query("run/mark_orphans_failed")
read_orphans = query("run/read_orphans")

Tell = Callable[[Event], None]
_PATIENCE_S = 15.0  # for workers to roll back after Ctrl-C


def run_here(plan: Plan, tell: Tell) -> bool:
    """Work in this process. False if it was stopped by a bug or the loss of the server."""
    try:
        with guarded(tell):
            Worker(plan, tell).loop()
    except SystemExit:
        return False
    return True


class _Lines:
    """A text stream whose lines go to the parent as events."""

    def __init__(self, tell: Tell) -> None:
        self.tell = tell

    def write(self, text: str) -> int:
        if text.strip():
            self.tell(Event("log", text=text.rstrip("\n")))
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""


def _child(plan: Plan, pipe: Connection) -> None:
    """Main of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    signal.signal(signal.SIGTERM, _interrupt)

    def tell(event: Event) -> None:
        try:
            pipe.send(event)
        except OSError:
            raise SystemExit(1) from None  # the parent is gone; the task in hand is rolled back

    log.start(plan.log_level, stream=_Lines(tell))  # type: ignore[arg-type]  # write and flush are all that is used
    try:
        with guarded(tell):
            Worker(plan, tell).loop()
    except KeyboardInterrupt:
        raise SystemExit(1) from None


def _interrupt(number: int, frame: Any) -> None:
    raise KeyboardInterrupt


class Processes:
    """Worker processes of one plan; a killed one is replaced, and what it was at is tried once more.

    idle : called when one has come to its end and others are still at work.
    """

    def __init__(self, plan: Plan, jobs: int, tell: Tell, idle: Callable[[], None]) -> None:
        self.plan, self.jobs, self.tell, self.idle = plan, jobs, tell, idle
        # What the stages import is imported once, by the process that the workers are forked from.
        self.context = fork.context(pipeline.modules(plan.stages))
        self.alive: dict[Connection, ForkServerProcess] = {}
        self.at: dict[int, Event] = {}  # process -> the task it has begun
        self.killed: dict[str, int] = {}  # data id -> workers killed at it
        self.is_good = True
        self.is_lost = False

    def run(self) -> bool:
        """Until the work is over. False if a worker stopped by a bug, was killed for good, or lost the server."""
        for _ in range(min(self.jobs, max(1, len(self.plan.units)))):
            self._start()
        try:
            while self.alive:
                self._listen()
        except KeyboardInterrupt:
            self._stop()
            raise
        return self.is_good

    def _start(self) -> None:
        ours, theirs = self.context.Pipe(duplex=False)
        process = self.context.Process(target=_child, args=(self.plan, theirs), daemon=True)
        process.start()
        theirs.close()
        self.alive[ours] = process

    def _listen(self) -> None:
        for pipe in cast(list[Connection], wait(list(self.alive), timeout=1.0)):
            try:
                event = pipe.recv()
            except (EOFError, OSError):
                self._ended(pipe)
                continue
            process = self.alive[pipe]
            if event.kind == "begin":
                self.at[process.pid or 0] = event
            self.is_lost |= event.kind == "lost"
            self.tell(event)

    def _ended(self, pipe: Connection) -> None:
        process = self.alive.pop(pipe)
        pipe.close()
        process.join()
        code = process.exitcode or 0
        if code > 0:
            self.is_good = False
        elif code == 0 and self.alive:
            self.idle()
        if code >= 0 or self.is_lost:
            return
        name = signal.Signals(-code).name
        event = self.at.get(process.pid or 0)
        what = f"{event.stage} {event.data_id}" if event else "starting up"
        logger.warning("worker %d was killed (%s) at %s", process.pid, name, what)
        self._take_over(process.pid or 0, event, name)

    def _take_over(self, pid: int, event: Event | None, name: str) -> None:
        """Give what a killed worker was at to a new one; after the second kill it is failed."""
        data_id = event.data_id if event else ""
        self.killed[data_id] = self.killed.get(data_id, 0) + 1
        worker = f"{os.uname().nodename}:{pid}"
        engine = connect(self.plan.dsn, pool=False)
        if self.killed[data_id] > 1:
            self.is_good = False
            message = (
                f"{data_id}: two workers were killed ({name}) at this. If memory ran out (see dmesg), use fewer "
                "processes (-j); then run the command again."
            )
            with transaction(engine) as connection:
                mark_orphans_failed(
                    connection, run_id=self.plan.run_id, stages=self._stages(), worker=worker, message=message
                )
        if data_id or not self.alive:
            for _ in range(100):  # the server may need a moment to see that the connection is gone
                with transaction(engine) as connection:
                    rows = read_orphans(connection, run_id=self.plan.run_id, stages=self._stages(), worker=worker)
                if not rows["is_held"].any():
                    break
                time.sleep(0.1)
            if self.killed[data_id] <= 2:
                self._start()

    def _stages(self) -> list[str]:
        return [*self.plan.names, *self.plan.makers]

    def _stop(self) -> None:
        """Ask the workers to roll back and leave; kill those that do not."""
        logger.warning("stopping %d workers; tasks in hand are given back", len(self.alive))
        for process in self.alive.values():
            process.terminate()
        end = time.monotonic() + _PATIENCE_S
        for process in self.alive.values():
            process.join(max(0.0, end - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()


def run_dask(plan: Plan, address: str, jobs: int | None, tell: Tell) -> bool:
    """Work on a Dask cluster: one loop per worker (or `jobs` loops). ConfigError `no_dask` without the package."""
    try:
        from distributed import Client, as_completed  # type: ignore[import-not-found, unused-ignore]  # optional
    except ImportError:
        raise ConfigError(
            "--dask: package `distributed` is not installed. pip install distributed.", code="no_dask"
        ) from None
    with Client(address) as client:
        n_loop = jobs or max(1, len(client.scheduler_info()["workers"]))
        futures = [client.submit(_on_dask, plan, number, pure=False) for number in range(min(n_loop, len(plan.units)))]
        is_good = True
        for future in as_completed(futures):
            events, is_well = future.result()
            is_good &= is_well
            for event in events:
                tell(event)
    return is_good


def _on_dask(plan: Plan, number: int) -> tuple[list[Event], bool]:
    limit_threads()
    logging.getLogger("hscdb").setLevel(log.level_number(plan.log_level))
    events: list[Event] = []
    return events, run_here(plan, events.append)
