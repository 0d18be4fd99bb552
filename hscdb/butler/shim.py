"""Old import lines: after `import hscdb.butler.shim`, `import lsst.daf.persistence` and its like give our own.

`python -m hscdb.butler.shim SCRIPT.py ARGUMENTS` runs a Python 3 script that has such lines, unchanged. Where the real
packages are installed, nothing is put over them: ConfigError `real_lsst`.
"""

from __future__ import annotations

import runpy
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import hscdb.butler as ours
from hscdb.butler import angle, calib, camera, catalog, exposure, geom, image, masked, matching, metadata, wcs
from hscdb.errors import ConfigError, InputError

_GEOM = {
    **{name: getattr(geom, name) for name in ("Point2D", "Point2I", "Extent2D", "Extent2I", "Box2I")},
    "PointD": geom.Point2D, "PointI": geom.Point2I, "ExtentI": geom.Extent2I, "BoxI": geom.Box2I, "Box2D": geom.Box2I,
    **{name: getattr(angle, name) for name in (
        "Angle", "SpherePoint", "radians", "degrees", "hours", "arcminutes", "arcseconds", "milliarcseconds")},
    "makeSkyWcs": wcs.makeSkyWcs, "SkyWcs": wcs.SkyWcs,
}  # fmt: skip
_ELLIPSES = {"Quadrupole": geom.Quadrupole, "Axes": geom.Axes}
_IMAGE = {
    **{f"Exposure{kind}": exposure.Exposure for kind in "FDIU"}, "Exposure": exposure.Exposure,
    **{f"MaskedImage{kind}": masked.MaskedImage for kind in "FDIU"}, "MaskedImage": masked.MaskedImage,
    "Image": image.Image, "ImageF": image.ImageF, "ImageD": image.ImageD, "ImageI": image.ImageI,
    "ImageU": image.ImageU, "Mask": image.Mask, "MaskU": image.Mask, "MaskX": image.Mask, "PARENT": image.PARENT,
    "LOCAL": image.LOCAL, "Calib": calib.PhotoCalib, "PhotoCalib": calib.PhotoCalib, "makeWcs": wcs.makeWcs,
    "VisitInfo": exposure.VisitInfo,
}  # fmt: skip
_TABLE = {
    "SourceCatalog": catalog.SourceCatalog, "SimpleCatalog": catalog.SourceCatalog,
    "BaseCatalog": catalog.SourceCatalog, "SourceRecord": catalog.SourceRecord, "matchRaDec": matching.matchRaDec,
    "SOURCE_IO_NO_FOOTPRINTS": 1, "SOURCE_IO_NO_HEAVY_FOOTPRINTS": 2,
}  # fmt: skip
_MOSAIC = {"FluxFitParams": calib.FluxFitParams}
_BUTLER = {"Butler": ours.Butler, "NoResults": ours.NoResults, "ButlerDataRef": ours.DataRef}

# module -> what it holds; parents are made as needed
CONTENTS: dict[str, dict[str, Any]] = {
    "lsst.daf.persistence": _BUTLER,
    "lsst.daf.base": {"PropertyList": metadata.PropertyList, "PropertySet": metadata.PropertyList},
    "lsst.geom": _GEOM,
    "lsst.afw.geom": _GEOM,
    "lsst.afw.geom.ellipses": _ELLIPSES,
    "lsst.afw.coord": {
        "Coord": angle.SpherePoint, "IcrsCoord": angle.SpherePoint, "Fk5Coord": angle.Fk5Coord,
        "GalacticCoord": angle.GalacticCoord,
    },
    "lsst.afw.image": _IMAGE,
    "lsst.afw.table": _TABLE,
    "lsst.afw.cameraGeom": {
        "PIXELS": camera.PIXELS, "FOCAL_PLANE": camera.FOCAL_PLANE, "FIELD_ANGLE": camera.FIELD_ANGLE,
    },
    "lsst.meas.mosaic": _MOSAIC,
    "lsst.pex.exceptions": {"NotFoundError": InputError, "Exception": InputError},
    "hsc.pipe.base.butler": {"getDataRef": ours.getDataRef},
    "hsc.meas.mosaic.mosaicLib": _MOSAIC,
}  # fmt: skip


def install() -> None:
    """Put our modules in the places of hscPipe's. Doing it again changes nothing. ConfigError `real_lsst`."""
    for root in ("lsst", "hsc"):
        if not getattr(sys.modules.get(root), "is_hscdb", False) and _is_real(root):
            raise ConfigError(
                f"hscdb.butler.shim: package {root} is installed. Import from hscdb.butler, or use it without {root}.",
                code="real_lsst",
            )
    for name, content in CONTENTS.items():
        vars(_module(name)).update(content)
    if find_spec("hscdb.display") is not None:
        _display()


def _is_real(root: str) -> bool:
    """Whether a package of hscPipe's can be imported; a folder `hsc` that happens to lie in the path is none."""
    spec = find_spec(root)
    places = [] if spec is None else [Path(each) for each in spec.submodule_search_locations or ()]
    return any((place / part).is_dir() for place in places for part in ("afw", "daf", "pipe"))


def _display() -> None:
    """ds9 and afwDisplay, where the display is installed."""
    from importlib import import_module

    shown = import_module("hscdb.display")
    for name in ("lsst.afw.display.ds9", "lsst.afw.display"):
        module = _module(name)
        for each in dir(shown):
            if not each.startswith("_"):
                vars(module).setdefault(each, getattr(shown, each))


def _module(name: str) -> ModuleType:
    """The module of a dotted name, made with its parents."""
    if name not in sys.modules:
        made = ModuleType(name, f"hscdb in the place of {name}.")
        made.__path__ = []
        made.is_hscdb = True  # type: ignore[attr-defined]  # how a second call knows it
        sys.modules[name] = made
        parent, _, own = name.rpartition(".")
        if parent:
            setattr(_module(parent), own, made)
    return sys.modules[name]


install()

if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit("usage: python -m hscdb.butler.shim SCRIPT.py ARGUMENTS")
    del sys.argv[0]
    runpy.run_path(sys.argv[0], run_name="__main__")
