"""What a stage is, and what it is given.

A stage is one function in `hscdb/<stage>/stage.py`, registered with `@stage`. It gets a `Work` (connection, run, unit,
camera, files) and its Config, does its unit inside the worker's transaction, and returns the funnel: how many entered
and left each cut. It raises an HscdbError when the unit cannot be done; nothing of it is stored then but the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from hscdb.camera.model import Camera

Funnel = dict[str, int]


class Files(Protocol):
    """Products of a unit of work; implemented by run/product.py."""

    def writing(self, dataset: str, **data_id: Any) -> AbstractContextManager[Path]:
        """Yield a temporary path to write to; renamed to its final name and stored as a product row with the task."""
        ...

    def promise(self, dataset: str, **data_id: Any) -> None:
        """Enter a product that a stage behind this one writes, in this process (Work.carry); till then it is swept."""
        ...

    def find(self, dataset: str, **data_id: Any) -> Path:
        """The newest such product in the chain of runs. InputError `no_<dataset>` if there is none."""
        ...

    def exists(self, dataset: str, **data_id: Any) -> bool:
        """Whether `find` would succeed."""
        ...

    def sweep(self, dataset: str, **data_id: Any) -> None:
        """Remove a product that is not needed any more, once the task is done; its row stays with `swept_at`."""
        ...


@dataclass
class Work:
    """One unit of work.

    connection : SQLAlchemy connection inside the worker's transaction; never commit or roll back.
    unit       : the data id, e.g. {"visit": 903334, "ccd": 50} or {"tract": 0, "filter": "HSC-R"}.
    options    : command-line words of this stage that are not settings (e.g. master's kind), and what the worker knows:
                 followed_by (stages behind this one in this process), next (the unit it will probably come to).
    carry      : objects handed from stage to stage of the same frame inside one process, e.g. carry["postISRCCD"].
                 carry["unwritten"] (fits/exposure.py) are products that were promised; the worker writes them where
                 the stage that should have did not come to its end.
    """

    connection: Connection
    run_id: int
    task_id: int
    unit: dict[str, Any]
    camera: Camera
    files: Files
    repository: Path
    calib_run_id: int | None = None
    options: dict[str, Any] = field(default_factory=dict)
    carry: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage:
    """A registered stage."""

    name: str
    per: str  # "frame", "visit", "tract" (tract and filter), "ccd" (master: kind, ccd, filter), "repository"
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    config: type
    run: Callable[[Work, Any], Funnel]
    needs: tuple[str, ...] = ()  # stages whose done tasks make the units of this one
    help: str = ""


_REGISTRY: dict[str, Stage] = {}


def stage(
    name: str,
    *,
    per: str,
    config: type,
    reads: tuple[str, ...] = (),
    writes: tuple[str, ...] = (),
    needs: tuple[str, ...] = (),
) -> Callable[[Callable[[Work, Any], Funnel]], Callable[[Work, Any], Funnel]]:
    """Register a stage. `reads` and `writes` are tables: writes are cleared of the task's rows before it runs again
    and analyzed when the stage has filled them; `needs` are the stages that must be done for a unit first."""

    def register(function: Callable[[Work, Any], Funnel]) -> Callable[[Work, Any], Funnel]:
        _REGISTRY[name] = Stage(name, per, reads, writes, config, function, needs, (function.__doc__ or "").strip())
        return function

    return register


def registered(name: str) -> Stage:
    """The stage of this name; KeyError if its module was not imported (see hscdb.pipeline.load)."""
    return _REGISTRY[name]


def all_registered() -> Iterator[Stage]:
    """All stages imported so far."""
    return iter(_REGISTRY.values())
