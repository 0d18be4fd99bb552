"""hscPipe's butler and the objects that it gives, over our tables and files: `from hscdb.butler import Butler`."""

from hscdb.butler.angle import Angle, Coord, IcrsCoord, SpherePoint, arcminutes, arcseconds, degrees, hours, radians
from hscdb.butler.butler import Butler
from hscdb.butler.calib import Calib, FluxFitParams, PhotoCalib
from hscdb.butler.dataref import DataRef, getDataRef
from hscdb.butler.geom import Axes, Box2I, Extent2D, Extent2I, Point2D, Point2I, Quadrupole
from hscdb.butler.registry import NoResults
from hscdb.butler.wcs import makeWcs

__all__ = [
    "Angle", "Axes", "Box2I", "Butler", "Calib", "Coord", "DataRef", "Extent2D", "Extent2I", "FluxFitParams",
    "IcrsCoord", "NoResults", "PhotoCalib", "Point2D", "Point2I", "Quadrupole", "SpherePoint", "arcminutes",
    "arcseconds", "degrees", "getDataRef", "hours", "makeWcs", "radians",
]  # fmt: skip
