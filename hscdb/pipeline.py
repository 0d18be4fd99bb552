"""The order of the stages: the only list of it."""

from importlib import import_module

from hscdb.run.stage import Stage, registered

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


def load(name: str) -> Stage:
    """Import a stage's module and return it. KeyError if there is no such stage."""
    if name not in ORDER:
        raise KeyError(name)
    import_module(f"hscdb.{name}.stage")
    return registered(name)
