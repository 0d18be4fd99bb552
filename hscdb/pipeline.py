"""The order of the stages: the only list of it."""

from importlib import import_module
from typing import Any

from hscdb.run.stage import Funnel, Stage, Work, registered

ORDER = (
    "ingest",
    "master",
    "isr",
    "detect",
    "calibrate",
    "skymap",
    "match",
    "mosaic",
    "apply",
    "qa",
)

# What a stage works on and needs, as its module says (a test compares): for those who only want to know which units
# there are, since importing a stage takes seconds.
_OUTLINES: dict[str, tuple[str, tuple[str, ...]]] = {
    "ingest": ("repository", ()),
    "master": ("ccd", ()),
    "isr": ("frame", ()),
    "detect": ("frame", ("isr",)),
    "calibrate": ("frame", ("detect",)),
    "skymap": ("repository", ("calibrate",)),
    "match": ("tract", ("calibrate", "skymap")),
    "mosaic": ("tract", ("match",)),
    "apply": ("frame", ("mosaic",)),
    "qa": ("tract", ("mosaic",)),
}


def load(name: str) -> Stage:
    """Import a stage's module and return it. KeyError if there is no such stage."""
    if name not in ORDER:
        raise KeyError(name)
    import_module(f"hscdb.{name}.stage")
    return registered(name)


def outline(name: str) -> Stage:
    """A stage with its name, unit and needs only, without importing it; it cannot be run. KeyError as `load`."""
    per, needs = _OUTLINES[name]
    return Stage(name, per, (), (), object, _run, needs)


def _run(work: Work, config: Any) -> Funnel:
    raise TypeError("the outline of a stage cannot be run: load it")
