"""What a worker process is told, and what it tells back. Both travel between processes."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from hscdb.run.stage import Stage
from hscdb.run.tasks import Unit


@dataclass(frozen=True)
class Plan:
    """The work of a group of stages.

    stages   : in order; more than one only for stages of the same frame, which one process does one after another.
    configs  : {stage: Config instance}, also of the makers.
    units    : all of them, in order; every worker goes through the same list and claims what is free.
    inputs   : {stage: stages outside the group that must be done for the unit}.
    makers   : frame stages that can be done again when a product of theirs is missing.
    later    : {stage: frame stages behind it}, opened again when it was redone.
    jobs     : workers that share the units.
    """

    repository: str
    dsn: str
    run_id: int
    run_name: str
    stages: tuple[Stage, ...]
    configs: Mapping[str, Any]
    units: Sequence[Unit]
    inputs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    makers: Mapping[str, Stage] = field(default_factory=dict)
    later: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    calib_run_id: int | None = None
    log_level: str = "info"
    jobs: int = 1

    @property
    def names(self) -> list[str]:
        """Names of the stages."""
        return [stage.name for stage in self.stages]

    def next_unit(self, data_id: str) -> Unit | None:
        """The unit that who is at this one will probably come to next: the others take those in between."""
        place = self._places[data_id] + self.jobs
        return self.units[place] if place < len(self.units) else None

    @cached_property
    def _places(self) -> dict[str, int]:
        return {unit.data_id: place for place, unit in enumerate(self.units)}


@dataclass(frozen=True)
class Event:
    """Something a worker tells.

    kind : "begin" and "end" of a task, "unit" (a unit is over), "log" (a line), "bug" (with its traceback),
           "lost" (the server or the disk is gone; the text tells).
    """

    kind: str
    data_id: str = ""
    stage: str = ""
    status: str = ""
    text: str = ""


class BugError(Exception):
    """A stage failed in a way it did not foresee; the traceback was reported and the task given back."""


def worker_name() -> str:
    """Host and process, as task.worker holds it."""
    return f"{socket.gethostname()}:{os.getpid()}"
