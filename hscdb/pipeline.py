"""The order of the stages: the only list of it."""

from collections.abc import Iterable
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

# What a stage works on, needs and writes, as its module says (a test compares): for those who only want to know which
# units there are and what is done, since importing a stage takes a second.
_OUTLINES: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "ingest": ("repository", (), ("visit", "frame", "frame_header")),
    "master": ("ccd", (), ("master", "master_input", "master_defect")),
    "isr": ("frame", (), ("frame_isr", "frame_vet")),
    "detect": ("frame", ("isr",), ("source", "frame_quality", "psf_star")),
    "calibrate": ("frame", ("detect",), ("wcs_solution", "flux_scale", "source_sky", "source_ref")),
    "skymap": ("repository", ("calibrate",), ("frame_tract", "frame_patch")),
    "match": ("tract", ("calibrate", "skymap"), ("star", "star_member", "star_ref")),
    "mosaic": ("tract", ("match",), (
        "mosaic_solution", "mosaic_visit", "mosaic_ccd", "star_solution", "star_residual", "wcs_solution", "flux_scale",
    )),
    "apply": ("frame", ("mosaic",), ("calibrated_source",)),
    "qa": ("tract", ("mosaic",), ("qa_metric",)),
}  # fmt: skip


def load(name: str) -> Stage:
    """Import a stage's module and return it. KeyError if there is no such stage."""
    if name not in ORDER:
        raise KeyError(name)
    import_module(module(name))
    return registered(name)


def module(name: str) -> str:
    """The module of a stage."""
    return f"hscdb.{name}.stage"


def config(name: str) -> type:
    """The settings that a stage declares, without importing the stage. KeyError as `load`."""
    if name not in ORDER:
        raise KeyError(name)
    found: type = import_module(f"hscdb.{name}.stage_config").Config
    return found


def configs() -> dict[str, type]:
    """{stage: Config} of the whole pipeline: a run keeps the settings of all stages."""
    return {name: config(name) for name in ORDER}


def outline(name: str) -> Stage:
    """A stage with all but what it does and reads, without importing it: see `loaded`. KeyError as `load`."""
    per, needs, writes = _OUTLINES[name]
    return Stage(name, per, (), writes, config(name), _run, needs)


def loaded(stage: Stage) -> Stage:
    """The stage that an outline is of, imported; any other as it is."""
    return load(stage.name) if stage.run is _run else stage


def modules(stages: Iterable[Stage]) -> list[str]:
    """The modules that must be imported to run these stages."""
    return [module(stage.name) if stage.run is _run else stage.run.__module__ for stage in stages]


def _run(work: Work, config: Any) -> Funnel:
    raise TypeError("the outline of a stage cannot be run: load it")
