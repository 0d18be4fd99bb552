"""The WCS of one frame: references matched and fitted in turn, on top of the camera's geometry.

Model, with d the pixel's offset from crpix and f the distortion of the first WCS (the camera's, kept exactly):

    (xi, eta) = cd (d + f(d) + g(d)),       g a polynomial of order <= 3

so that pointing, rotation and scale go to crval and cd, what is left (refraction, flexure, the atmosphere) to g, and
the result is a plain TAN-SIP again. Minimised: the sum over pairs of

    |place - reference|^2 / (centroid^2 + reference^2 + floor^2),

linear in the coefficients, with pairs beyond `n_sigma` left out (hscPipe's FitTanSipWcs: order 3, 3 sigma, 3 rounds)
and those of reserved stars, as long as twice the number a fit needs are left: they judge it, and the joint fit after
it.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hscdb.calibrate import correction, pattern, reference
from hscdb.calibrate.reference import Places
from hscdb.errors import DataError
from hscdb.sky import sphere
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
    Pairs of reserved references are listed, not used.
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
        return float(np.hypot(self.rms_ra_mas, self.rms_dec_mas) / np.sqrt(2.0))


def solve(
    found: Detections, places: Places, brightness: Floats, start: Wcs, size: tuple[int, int], limits: Limits
) -> Solution:
    """The WCS of a frame.

    places, brightness : reference stars around the frame, with their flux in any unit, (n_ref,).
    start              : WCS by geometry and pointing, wrong by no more than `limits`.
    size               : (width, height) of the frame.
    DataError `no_reference_stars`, `too_few_stars` or `no_match`.
    """
    _refuse_too_few(found, places, limits)
    i, j, log_chance = _first_pairs(found, places, brightness, start, limits)
    fit = _fit(found, places, start, i, j, size, replace(limits, order=1))
    scale = float(np.sqrt(start.plane_area(*start.crpix)))
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
    return replace(fit, log_chance=log_chance)


def _first_pairs(
    found: Detections, places: Places, brightness: Floats, start: Wcs, limits: Limits
) -> tuple[Indices, Indices, float]:
    """Pairs of sources and references by their pattern alone, and how likely they are an accident.

    DataError `no_match`.
    """
    scale = float(np.sqrt(start.plane_area(*start.crpix)))
    here = np.stack(start.pixel_to_plane(found.x, found.y), axis=1) / scale
    there = np.stack(sphere.project(places.ra, places.dec, *start.crval), axis=1) / scale
    (ahead,) = np.nonzero(np.isfinite(there).all(axis=1))
    first = None
    for shift in sorted({limits.max_shift_pix, limits.max_shift_pix + limits.field_shift_pix}):
        first = first or pattern.find(
            here,
            found.flux,
            there[ahead],
            brightness[ahead],
            max_shift_pix=shift,
            max_rotation_deg=limits.max_rotation_deg,
            max_scale=limits.max_scale,
            tolerance_pix=limits.tolerance_pix,
            n_pair_min=limits.n_star_min,
        )
    if first is None:
        raise DataError(
            f"astrometry: {len(found.x)} sources do not lie like {len(places.ra)} reference stars, within "
            f"{limits.max_shift_pix:g} pix, {limits.max_rotation_deg:g} deg and {limits.max_scale:.1%} of the "
            "pointing. Check pointing and rotator in the header and the reference catalog, or raise "
            "calibrate.max_shift_pix.",
            code="no_match",
        )
    return first.source, ahead[first.ref], first.log_chance


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
    free = used = reference.fitted(places.is_reserved[j], 2 * limits.n_star_min)
    wcs, order = start, 1
    off = np.zeros((len(i), 2))
    for _ in range(6):
        order = correction.affordable_order(x[used], y[used], size, limits.order)
        wcs = correction.fit(
            x[used], y[used], places.ra[j[used]], places.dec[j[used]], 1.0 / error[used], wcs, start, size, order
        )
        off = _residual(wcs, x, y, places.ra[j], places.dec[j])
        pull = np.hypot(*off.T) / error
        # The scatter of the errors themselves is taken from the median, never below what they claim.
        spread = max(float(np.median(pull[used])) / _MEDIAN_RAYLEIGH, 1.0)
        keep = free & (pull <= limits.n_sigma * spread)
        if keep.sum() < limits.n_star_min or (keep == used).all():
            break
        used = keep
    rms = np.sqrt(np.mean(off[used] ** 2, axis=0))
    return Solution(wcs, i, j, used, off[:, 0], off[:, 1], order, float(rms[0]), float(rms[1]), 0.0)


def _residual(wcs: Wcs, x: Floats, y: Floats, ra: Floats, dec: Floats) -> Floats:
    """(n, 2) place minus reference in the tangent plane [mas]."""
    here = np.stack(wcs.pixel_to_plane(x, y), axis=1)
    return np.asarray((here - np.stack(sphere.project(ra, dec, *wcs.crval), axis=1)) * _MAS)


def _largest_change(before: Wcs, after: Wcs, size: tuple[int, int]) -> float:
    """Largest move of the frame's corners, degrees."""
    return float(np.max(sphere.separation(*before.corners(*size), *after.corners(*size))))
