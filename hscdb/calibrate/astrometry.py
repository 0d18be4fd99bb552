"""The WCS of one frame: references matched and fitted in turn, on top of the camera's geometry.

Model, with d the pixel's offset from crpix and f the distortion of the first WCS (the camera's, kept exactly):

    (xi, eta) = cd (d + f(d) + g(d)),       g a polynomial of order <= 3

so that pointing, rotation and scale go to crval and cd, what is left (refraction, flexure, the atmosphere) to g, and the
result is a plain TAN-SIP again. Minimised: sum over pairs of |place - reference|^2 / (centroid^2 + reference^2 + floor^2),
linear in the coefficients, with pairs beyond `n_sigma` left out (hscPipe's FitTanSipWcs: order 3, 3 sigma, 3 rounds).
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hscdb.calibrate import pattern
from hscdb.calibrate.reference import Places
from hscdb.errors import DataError
from hscdb.sky import polynomial, sphere
from hscdb.sky.wcs import Wcs

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Indices = NDArray[np.intp]

_MAS = 3.6e6
# Median of the length of a two-dimensional Gaussian deviate of unit sigma per axis.
_MEDIAN_RAYLEIGH = 1.1774100225


@dataclass(frozen=True)
class Detections:
    """Sources of a frame that may be stars: (n,) arrays. x, y [pix]; pix_err one sigma per axis; flux in any unit."""

    x: Floats
    y: Floats
    pix_err: Floats
    flux: Floats


@dataclass(frozen=True)
class Limits:
    """How the first guess may be wrong and what a fit must have.

    field_shift_pix : how far the largest rotation, about the boresight, moves this frame beyond max_shift_pix; looked
        for only when nothing is found within max_shift_pix.
    """

    max_shift_pix: float = 250.0
    field_shift_pix: float = 0.0
    max_rotation_deg: float = 1.15
    max_scale: float = 0.01
    tolerance_pix: float = 3.0
    order: int = 3
    n_sigma: float = 3.0
    n_iteration: int = 5
    n_star_min: int = 5
    floor_mas: float = 10.0


@dataclass(frozen=True)
class Solution:
    """A fitted WCS.

    source, ref : (n_pair,) indices of the pairs within the last match radius.
    is_used     : (n_pair,) whether a pair is in the final fit.
    dx_mas, dy_mas : (n_pair,) residuals, place minus reference, along xi (east) and eta (north).
    order       : of the correction g.
    rms_ra_mas, rms_dec_mas : of the pairs used.
    """

    wcs: Wcs
    source: Indices
    ref: Indices
    is_used: Bools
    dx_mas: Floats
    dy_mas: Floats
    order: int
    rms_ra_mas: float
    rms_dec_mas: float
    log_chance: float

    @property
    def rms_mas(self) -> float:
        """Rms per axis of the pairs used."""
        return float(np.sqrt((self.rms_ra_mas**2 + self.rms_dec_mas**2) / 2.0))


def solve(found: Detections, places: Places, brightness: Floats, start: Wcs, size: tuple[int, int], limits: Limits) -> Solution:
    """The WCS of a frame.

    places, brightness : reference stars around the frame, with their flux in any unit, (n_ref,).
    start              : WCS by geometry and pointing, wrong by no more than `limits`.
    size               : (width, height) of the frame.
    DataError `no_reference_stars`, `too_few_stars` or `no_match`.
    """
    _refuse_too_few(found, places, limits)
    scale = float(np.sqrt(start.plane_area(*start.crpix)))
    here = np.stack(start.pixel_to_plane(found.x, found.y), axis=1) / scale
    there = np.stack(sphere.project(places.ra, places.dec, *start.crval), axis=1) / scale
    (ahead,) = np.nonzero(np.isfinite(there).all(axis=1))
    first = None
    for shift in sorted({limits.max_shift_pix, limits.max_shift_pix + limits.field_shift_pix}):
        first = first or pattern.find(
            here, found.flux, there[ahead], brightness[ahead],
            max_shift_pix=shift, max_rotation_deg=limits.max_rotation_deg, max_scale=limits.max_scale,
            tolerance_pix=limits.tolerance_pix, n_pair_min=limits.n_star_min,
        )  # fmt: skip
    if first is None:
        raise DataError(
            f"astrometry: {len(found.x)} sources do not lie like {len(places.ra)} reference stars within "
            f"{limits.max_shift_pix:g} pix, {limits.max_rotation_deg:g} deg and {limits.max_scale:.1%} of the pointing. "
            "Check pointing and rotator in the header and the reference catalog, or raise calibrate.max_shift_pix.",
            code="no_match",
        )
    i, j = first.source, ahead[first.ref]
    fit = _fit(found, places, start, i, j, size, replace(limits, order=1))
    radius = limits.tolerance_pix * scale
    for _ in range(limits.n_iteration):
        before = fit.wcs
        i, j = _pairs(found, places, before, radius)
        if len(i) < limits.n_star_min:
            break
        fit = _fit(found, places, replace(before, a=start.a, b=start.b), i, j, size, limits)
        # hscPipe: the next match radius is the mean plus two sigma of the separations; never below half a pixel.
        apart = np.hypot(fit.dx_mas, fit.dy_mas) / _MAS
        radius = min(radius, max(float(apart.mean() + 2.0 * apart.std()), scale / 2.0))
        if _largest_change(before, fit.wcs, size) * 3600.0 < 1e-3:
            break
    return replace(fit, log_chance=first.log_chance)


def _refuse_too_few(found: Detections, places: Places, limits: Limits) -> None:
    """DataError if there cannot be a solution."""
    if not len(places.ra):
        raise DataError(
            "astrometry: no reference star around the frame. Ingest a reference catalog that covers it "
            "(`hscdb ingest-refcat`).",
            code="no_reference_stars",
        )
    if len(found.x) < limits.n_star_min or len(places.ra) < limits.n_star_min:
        raise DataError(
            f"astrometry: {len(found.x)} sources and {len(places.ra)} reference stars "
            f"(needed {limits.n_star_min} of each). Lower calibrate.snr_min, or leave the frame out.",
            code="too_few_stars",
        )


def _pairs(found: Detections, places: Places, wcs: Wcs, radius_deg: float) -> tuple[Indices, Indices]:
    """Mutually nearest sources and references within a radius, in the tangent plane."""
    here = np.stack(wcs.pixel_to_plane(found.x, found.y), axis=1)
    there = np.stack(sphere.project(places.ra, places.dec, *wcs.crval), axis=1)
    (ahead,) = np.nonzero(np.isfinite(there).all(axis=1))
    i, j = pattern.mutual_nearest(here, there[ahead], radius_deg)
    return i, ahead[j]


def _fit(
    found: Detections, places: Places, start: Wcs, i: Indices, j: Indices, size: tuple[int, int], limits: Limits
) -> Solution:
    """Weighted fit of crval, cd and g to given pairs, with clipping; start.a and start.b are the distortion kept."""
    x, y = found.x[i], found.y[i]
    pixel_mas = float(np.sqrt(start.plane_area(*start.crpix))) * _MAS
    error = np.sqrt((found.pix_err[i] * pixel_mas) ** 2 + places.mas_err[j] ** 2 + limits.floor_mas**2)
    used = np.ones(len(i), dtype=np.bool_)
    wcs, order = start, 1
    off = np.zeros((len(i), 2))
    for _ in range(6):
        order = _affordable_order(x[used], y[used], size, limits.order)
        wcs = _correct(x[used], y[used], places.ra[j[used]], places.dec[j[used]], 1.0 / error[used], wcs, start, size, order)
        off = _residual(wcs, x, y, places.ra[j], places.dec[j])
        pull = np.hypot(*off.T) / error
        # The scatter of the errors themselves is taken from the median, never below what they claim.
        spread = max(float(np.median(pull[used])) / _MEDIAN_RAYLEIGH, 1.0)
        keep = pull <= limits.n_sigma * spread
        if keep.sum() < limits.n_star_min or (keep == used).all():
            break
        used = keep
    rms = np.sqrt(np.mean(off[used] ** 2, axis=0))
    return Solution(wcs, i, j, used, off[:, 0], off[:, 1], order, float(rms[0]), float(rms[1]), 0.0)


def _residual(wcs: Wcs, x: Floats, y: Floats, ra: Floats, dec: Floats) -> Floats:
    """(n, 2) place minus reference in the tangent plane [mas]."""
    here = np.stack(wcs.pixel_to_plane(x, y), axis=1)
    return np.asarray((here - np.stack(sphere.project(ra, dec, *wcs.crval), axis=1)) * _MAS)


def _affordable_order(x: Floats, y: Floats, size: tuple[int, int], order: int) -> int:
    """The highest order whose error at the frame's worst corner is below that of a single star.

    That error is the square root of the corner's leverage: 7, 26 and 70 stars spread evenly pay for orders 1, 2, 3; stars
    in one half of a frame pay for less. Order 0 means shift, rotation and scale only.
    """
    corner = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
    here = _unit(x, y, size)
    for n in range(order, 0, -1):
        matrix = polynomial.design(*here, n)
        if len(x) <= matrix.shape[1]:
            continue
        normal = matrix.T @ matrix
        if np.linalg.cond(normal) > 1e10:
            continue
        at = polynomial.design(*corner.T, n)
        if np.einsum("ij,ji->i", at, np.linalg.solve(normal, at.T)).max() <= 1.0:
            return n
    return 0


def _unit(x: Floats, y: Floats, size: tuple[int, int]) -> tuple[Floats, Floats]:
    """Pixels stretched so that the frame fills [-1, 1]."""
    half_x, half_y = size[0] / 2.0, size[1] / 2.0
    return (x + 0.5) / half_x - 1.0, (y + 0.5) / half_y - 1.0


def _correct(
    x: Floats, y: Floats, ra: Floats, dec: Floats, weight: Floats, wcs: Wcs, start: Wcs, size: tuple[int, int], order: int
) -> Wcs:
    """Fit cd (d + f + g) to the references and fold g's constant and linear part into crval and cd.

    weight : (n,) inverse errors. Moving crval turns the tangent plane, so this is done three times; what moves the third
    time is below 1e-6 pix for the largest pointing error allowed.
    """
    for _ in range(3):
        u, v = x - wcs.crpix[0], y - wcs.crpix[1]
        d = np.stack([u + polynomial.evaluate(start.a, u, v), v + polynomial.evaluate(start.b, u, v)], axis=1)
        goal = np.stack(sphere.project(ra, dec, *wcs.crval), axis=1) @ np.linalg.inv(wcs.cd).T - d
        c_x, c_y = _fit_similarity(d, goal, weight) if order == 0 else _fit_polynomial(x, y, goal, weight, wcs, size, order)
        wcs = _fold(wcs, start, c_x, c_y)
    return wcs


def _fit_polynomial(
    x: Floats, y: Floats, goal: Floats, weight: Floats, wcs: Wcs, size: tuple[int, int], order: int
) -> tuple[Floats, Floats]:
    """Coefficients [p, q], in pixels from crpix, of the polynomials nearest to goal (n, 2)."""
    matrix = polynomial.design(*_unit(x, y, size), order)
    solution = np.linalg.lstsq(matrix * weight[:, None], goal * weight[:, None], rcond=None)[0]
    power = np.arange(order + 1)
    scale = np.outer((size[0] / 2.0) ** power, (size[1] / 2.0) ** power)
    middle = ((size[0] - 1) / 2.0, (size[1] - 1) / 2.0)
    c_x, c_y = (
        polynomial.shift(polynomial.from_legendre(column, order) / scale, wcs.crpix[0] - middle[0], wcs.crpix[1] - middle[1])
        for column in solution.T
    )
    return c_x, c_y


def _fit_similarity(d: Floats, goal: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Shift, rotation and scale as order-1 polynomials: for frames with very few stars."""
    zero, one = np.zeros(len(d)), np.ones(len(d))
    rows = np.vstack([np.stack([one, zero, d[:, 0], -d[:, 1]], 1), np.stack([zero, one, d[:, 1], d[:, 0]], 1)])
    twice = np.concatenate([weight, weight])
    a, b, scale, turn = np.linalg.lstsq(rows * twice[:, None], goal.T.ravel() * twice, rcond=None)[0]
    return np.array([[a, -turn], [scale, 0.0]]), np.array([[b, scale], [turn, 0.0]])


def _fold(wcs: Wcs, start: Wcs, c_x: Floats, c_y: Floats) -> Wcs:
    """cd (d + f + g) as a TAN-SIP: with g = g0 + G d + h, it is cd g0 + cd (1 + G) (d + (1 + G)^-1 (f - 0 + h)).

    For order 0 the similarity acts on d + f, not on d: (1 + G) then multiplies f as well, and the difference G f is
    below 1e-3 pix; it is gone in the next round, in which G is nearly 0.
    """
    linear = np.eye(2) + np.array([[c_x[1, 0], c_x[0, 1]], [c_y[1, 0], c_y[0, 1]]])
    cd = wcs.cd @ linear
    n = max(len(start.a), len(c_x))
    sip = np.zeros((2, n, n))
    sip[0, : len(c_x), : len(c_x)], sip[1, : len(c_y), : len(c_y)] = c_x, c_y
    sip[:, 0, 0] = sip[:, 1, 0] = sip[:, 0, 1] = 0.0
    sip[:, : len(start.a), : len(start.a)] += np.stack([start.a, start.b])
    sip = np.einsum("ij,jpq->ipq", np.linalg.inv(linear), sip)
    shift = wcs.cd @ np.array([c_x[0, 0], c_y[0, 0]])
    ra, dec = sphere.deproject(*shift, *wcs.crval)
    return Wcs((float(ra), float(dec)), wcs.crpix, cd, sip[0], sip[1])


def _largest_change(before: Wcs, after: Wcs, size: tuple[int, int]) -> float:
    """Largest move of the frame's corners, degrees."""
    return float(np.max(sphere.separation(*before.corners(*size), *after.corners(*size))))
