"""A frame's WCS under the names that hscPipe's scripts call; the computing is hscdb.sky.wcs's."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from hscdb.butler.angle import Angle, AngleUnit, SpherePoint, degrees
from hscdb.butler.geom import Point2D
from hscdb.butler.metadata import PropertyList
from hscdb.sky.wcs import Wcs


class Linear:
    """An affine map of the neighbourhood of a point: getLinear() is its 2 x 2 matrix."""

    def __init__(self, matrix: np.ndarray) -> None:
        self._matrix = matrix

    def getLinear(self) -> Linear:
        """The linear part."""
        return self

    def getMatrix(self) -> np.ndarray:
        """(2, 2)."""
        return self._matrix

    def computeDeterminant(self) -> float:
        """The determinant."""
        return float(np.linalg.det(self._matrix))


def _xy(x: Any, y: Any) -> tuple[Any, Any]:
    return (x, y) if y is not None else (x[0], x[1])


class SkyWcs:
    """Pixels <-> sky. `ours` is the hscdb.sky.wcs.Wcs underneath, which takes arrays and degrees."""

    def __init__(self, ours: Wcs) -> None:
        self.ours = ours

    def pixelToSky(self, x: Any, y: Any = None) -> Any:
        """The SpherePoint of a pixel (x, y or a point); a list of them for a list of points."""
        if y is None and isinstance(x, list | tuple) and len(x) and not isinstance(x[0], int | float | np.number):
            return [self.pixelToSky(point) for point in x]
        ra, dec = self.ours.pixel_to_sky(*_xy(x, y))
        return SpherePoint(float(ra), float(dec), degrees)

    def skyToPixel(self, sky: Any, dec: Any = None) -> Any:
        """The Point2D of a SpherePoint (or of two Angles); a list of them for a list."""
        if isinstance(sky, list):
            return [self.skyToPixel(each) for each in sky]
        if dec is not None:
            sky = SpherePoint(sky, dec)
        x, y = self.ours.sky_to_pixel(*sky.toIcrs().getPosition())
        return Point2D(float(x), float(y))

    def pixelToSkyArray(self, x: Any, y: Any, degrees: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Arrays of ra and dec [rad, or deg if asked for] of arrays of pixels."""
        ra, dec = self.ours.pixel_to_sky(x, y)
        return (ra, dec) if degrees else (np.radians(ra), np.radians(dec))

    def skyToPixelArray(self, ra: Any, dec: Any, degrees: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Arrays of pixels of arrays of ra and dec [rad, or deg if said]."""
        return self.ours.sky_to_pixel(*((ra, dec) if degrees else (np.degrees(ra), np.degrees(dec))))

    def getPixelScale(self, point: Any = None) -> Angle:
        """Side of a pixel of the same solid angle, at a point or at the tangent point's pixel."""
        x, y = self.ours.crpix if point is None else point
        return Angle(math.sqrt(float(self.ours.pixel_area(x, y))), degrees)

    pixelScale = getPixelScale

    def pixArea(self, point: Any) -> float:
        """Solid angle of a pixel [deg^2]."""
        return float(self.ours.pixel_area(*point))

    def getSkyOrigin(self) -> SpherePoint:
        """The tangent point."""
        return SpherePoint(*self.ours.crval, degrees)

    def getPixelOrigin(self) -> Point2D:
        """Its pixel, from 0."""
        return Point2D(*self.ours.crpix)

    def getCdMatrix(self) -> np.ndarray:
        """(2, 2), degrees per pixel."""
        return self.ours.cd.copy()

    getCDMatrix = getCdMatrix

    def isFlipped(self) -> bool:
        """Whether east lies where a map has west."""
        return bool(np.linalg.det(self.ours.cd) > 0)

    def linearizePixelToSky(self, point: Any, unit: AngleUnit = degrees) -> Linear:
        """The affine map from pixels to (xi, eta) [unit], east and north of the point."""
        if isinstance(point, SpherePoint):
            point = self.skyToPixel(point)
        x, y = (float(each) for each in point)
        from hscdb.sky import sphere

        ra, dec = self.ours.pixel_to_sky(x, y)
        step = 0.5
        xi, eta = sphere.project(
            *self.ours.pixel_to_sky(
                np.array([x + step, x - step, x, x]), np.array([y, y, y + step, y - step])
            ), float(ra), float(dec)
        )  # fmt: skip
        matrix = np.array([[xi[0] - xi[1], xi[2] - xi[3]], [eta[0] - eta[1], eta[2] - eta[3]]]) / (2 * step)
        return Linear(matrix * degrees.in_radians / unit.in_radians)

    def linearizeSkyToPixel(self, point: Any, unit: AngleUnit = degrees) -> Linear:
        """The inverse of linearizePixelToSky."""
        return Linear(np.linalg.inv(self.linearizePixelToSky(point, unit).getMatrix()))

    def getFitsMetadata(self, precise: bool = False) -> PropertyList:
        """Its FITS cards."""
        from hscdb.fits.header import wcs_cards

        return PropertyList({card[0]: card[1] for card in wcs_cards(self.ours)}, "wcs")

    @property
    def astropy(self) -> Any:
        """As astropy's WCS."""
        from astropy.wcs import WCS

        return WCS(self.getFitsMetadata().toDict())

    def copyAtShiftedPixelOrigin(self, by: Any) -> SkyWcs:
        """The WCS of pixels that count from elsewhere: old pixel p is new pixel p + by."""
        w = self.ours
        return SkyWcs(Wcs(w.crval, (w.crpix[0] + by[0], w.crpix[1] + by[1]), w.cd, w.a, w.b))

    def __repr__(self) -> str:
        scale = self.getPixelScale().asArcseconds()
        return f"SkyWcs at {self.getSkyOrigin()}, pixel {self.getPixelOrigin()}, {scale:.5f} arcsec/pix"


def makeWcs(metadata: PropertyList | Mapping[str, Any]) -> SkyWcs:
    """The WCS of a header. InputError `no_wcs`, `bad_wcs`."""
    from hscdb.fits.header import wcs_from_header

    contents = metadata.toDict() if isinstance(metadata, PropertyList) else dict(metadata)
    return SkyWcs(wcs_from_header(contents))


def makeSkyWcs(crpix: Any, crval: SpherePoint | None = None, cdMatrix: Any = None) -> SkyWcs:
    """A TAN WCS of pixel origin, sky origin and CD matrix [deg/pix]; or that of a header."""
    if crval is None:
        return makeWcs(crpix)
    ra, dec = crval.toIcrs().getPosition()
    return SkyWcs(Wcs((ra, dec), (crpix[0], crpix[1]), np.asarray(cdMatrix)))


__all__ = ["Linear", "SkyWcs", "makeSkyWcs", "makeWcs"]
