"""The WCS of a frame of a catalog that brings none: from its stars' x, y and ra, dec, on top of the camera's geometry.

The optics' distortion is the camera's; what the stars add is small and smooth: for the whole visit a map of the
field angles (pointing, scale, turn, and what the air does), then for each frame as much as its stars can carry.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hscdb.camera import focalplane
from hscdb.camera.model import Camera, Ccd
from hscdb.sky import sphere
from hscdb.sky.wcs import Wcs, approximate

Floats = NDArray[np.float64]

# Stars per frame from which the correction has an order: three times its number of coefficients per axis.
_STARS_OF_ORDER = ((60, 3), (18, 2), (6, 1), (1, 0))
# Likewise for a visit, whose field angles are mapped by a polynomial of their own.
_STARS_OF_VISIT_ORDER = ((100, 3), (6, 1))
SIP_ORDER = 5


@dataclass(frozen=True)
class VisitPlane:
    """Field angle (X, Y) [arcsec] -> plane (xi, eta) [deg] about (ra, dec).

    (xi, eta) = terms(X / size, Y / size) @ coefficients, (n_term, 2); terms as in `_terms`.
    """

    ra: float
    dec: float
    size: float
    order: int
    coefficients: Floats

    def plane(self, field_x: Floats, field_y: Floats) -> Floats:
        """(n, 2): xi, eta."""
        return np.asarray(_terms(field_x / self.size, field_y / self.size, self.order) @ self.coefficients)


def _terms(u: Floats, v: Floats, order: int) -> Floats:
    """(n, n_term): u^p v^q, for p in 0..order, for q in 0..order-p."""
    u, v = np.ravel(u), np.ravel(v)
    return np.stack([u**p * v**q for p in range(order + 1) for q in range(order + 1 - p)], axis=1)


@dataclass(frozen=True)
class Solved:
    """A WCS and how it suits its stars."""

    wcs: Wcs
    n_star: int
    rms_mas: float


def visit_plane(camera: Camera, ccds: NDArray[np.int64], x: Floats, y: Floats, ra: Floats, dec: Floats) -> VisitPlane:
    """The map of a visit from all its stars: (n,) ccd, 0-based pixels, degrees.

    Of order 3 from 100 stars on; with fewer than six, scale and turn are the camera's own and only the pointing is
    fitted. Stars beyond 5 robust sigmas are left out.
    """
    ra0, dec0 = sphere.mean_position(ra, dec)
    field = np.zeros((len(x), 2))
    for ccd in np.unique(ccds):
        mine = ccds == ccd
        uv = focalplane.pixel_to_focal(camera.ccds[int(ccd)], x[mine], y[mine])
        field[mine] = np.stack(focalplane.focal_to_field(camera, *uv), axis=1)
    plane = np.stack(sphere.project(ra, dec, ra0, dec0), axis=1)
    size = max(float(np.abs(field).max()), 1.0)
    if len(x) < _STARS_OF_VISIT_ORDER[-1][0]:
        turn = focalplane.orientation(camera, 0.0).T[::-1] * size / 3600.0  # terms are 1, Y, X
        shift = (plane - _terms(field[:, 0] / size, field[:, 1] / size, 1)[:, 1:] @ turn).mean(axis=0)
        return VisitPlane(ra0, dec0, size, 1, np.vstack([shift, turn]))
    order = next(order for n_star, order in _STARS_OF_VISIT_ORDER if len(x) >= n_star)
    matrix = _terms(field[:, 0] / size, field[:, 1] / size, order)
    used = np.ones(len(x), dtype=bool)
    for _ in range(5):
        solution = np.linalg.lstsq(matrix[used], plane[used], rcond=None)[0]
        kept = _near(plane - matrix @ solution)
        if (kept == used).all():
            break
        used = kept
    return VisitPlane(ra0, dec0, size, order, np.asarray(solution, dtype=np.float64))


def frame_wcs(camera: Camera, ccd: Ccd, visit: VisitPlane, x: Floats, y: Floats, ra: Floats, dec: Floats) -> Solved:
    """The TAN-SIP of a frame: the visit's plane, corrected by a polynomial in x, y as its stars allow."""

    def base(at_x: Floats, at_y: Floats) -> Floats:
        return visit.plane(*focalplane.focal_to_field(camera, *focalplane.pixel_to_focal(ccd, at_x, at_y)))

    center, half = np.array([ccd.width - 1, ccd.height - 1]) / 2.0, max(ccd.width, ccd.height) / 2.0

    def terms(at_x: Floats, at_y: Floats, order: int) -> Floats:
        return _terms((at_x - center[0]) / half, (at_y - center[1]) / half, order)

    order = next(order for n_star, order in _STARS_OF_ORDER if len(x) >= n_star)
    off = np.stack(sphere.project(ra, dec, visit.ra, visit.dec), axis=1) - base(x, y)
    used = _near(off)
    correction = np.linalg.lstsq(terms(x[used], y[used], order), off[used], rcond=None)[0]

    def exact(at_x: Floats, at_y: Floats) -> tuple[Floats, Floats]:
        plane = base(at_x, at_y) + terms(at_x, at_y, order) @ correction
        return sphere.deproject(plane[:, 0], plane[:, 1], visit.ra, visit.dec)

    crpix = (float(center[0]), float(center[1]))
    crval_ra, crval_dec = exact(np.array([crpix[0]]), np.array([crpix[1]]))
    wcs = approximate(exact, ccd.width, ccd.height, (float(crval_ra[0]), float(crval_dec[0])), crpix, SIP_ORDER)
    return Solved(wcs, int(used.sum()), rms_mas(wcs, x[used], y[used], ra[used], dec[used]))


def _near(off: Floats) -> NDArray[np.bool_]:
    """Stars within 5 robust sigmas of the median offset: a wrong position must not bend a frame."""
    distance = np.hypot(*(off - np.median(off, axis=0)).T)
    return np.asarray(distance <= max(5.0 * 1.4826 * float(np.median(distance)), 1e-9))


def plain_wcs(camera: Camera, ccd: Ccd, ra: Floats, dec: Floats) -> Wcs:
    """A tangent plane of the camera's pixel scale around stars without pixels: what makes x, y of them."""
    scale = camera.pixel_scale_arcsec / 3600.0
    center = ((ccd.width - 1) / 2.0, (ccd.height - 1) / 2.0)
    return Wcs(sphere.mean_position(ra, dec), center, np.array([[-scale, 0.0], [0.0, scale]]))


def rms_mas(wcs: Wcs, x: Floats, y: Floats, ra: Floats, dec: Floats) -> float:
    """Rms per axis [mas] of stars against a WCS."""
    off = sphere.separation(*wcs.pixel_to_sky(x, y), ra, dec) * 3.6e6
    return float(np.sqrt(np.mean(off**2) / 2.0)) if len(off) else float("nan")
