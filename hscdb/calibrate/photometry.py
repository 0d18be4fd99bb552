"""The zero point of one frame: color terms, the cut of reference stars, a robust mean (pipe_tasks photoCal.py).

Magnitudes are AB; ZP = m_ref - (-2.5 log10 counts), so that FLUXMAG0 = 10^(0.4 ZP) counts are those of a star of
magnitude 0 in the whole exposure.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hscdb.camera.model import ColorTerm
from hscdb.errors import ConfigError, DataError
from hscdb.image.stats import iqr_sigma

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
# band -> flux and its error [nJy], (n_ref,) each, NaN where unknown.
Fluxes = Mapping[str, tuple[Floats, Floats]]

_NJY_MAG0 = 3631e9
_MAG_PER_LN = 2.5 / np.log(10.0)
_CUT = re.compile(r"^\s*(\w+)\s*(?:-\s*(\w+)\s*)?([<>])\s*([-+]?\d+(?:\.\d*)?)\s*$")


@dataclass(frozen=True)
class ZeroPoint:
    """mag = AB magnitude of one count; mag_err its one sigma; rms of the stars used; is_used (n,)."""

    mag: float
    mag_err: float
    rms_mag: float
    is_used: Bools

    @property
    def flux_mag0(self) -> float:
        """Counts of a star of magnitude 0 (FLUXMAG0)."""
        return float(10.0 ** (0.4 * self.mag))

    @property
    def flux_mag0_err(self) -> float:
        """One sigma of flux_mag0."""
        return float(self.flux_mag0 * self.mag_err / _MAG_PER_LN)


def magnitude(fluxes: Fluxes, band: str) -> tuple[Floats, Floats]:
    """AB magnitude and its error in a band; NaN where the flux is unknown or not positive."""
    flux, error = fluxes[band]
    with np.errstate(invalid="ignore", divide="ignore"):
        good = np.where(flux > 0.0, flux, np.nan)
        return -2.5 * np.log10(good / _NJY_MAG0), _MAG_PER_LN * error / good


def apply_term(fluxes: Fluxes, term: ColorTerm) -> tuple[Floats, Floats]:
    """Magnitude in the camera's filter: p + c0 + c1 (p - s) + c2 (p - s)^2, and its error.

    The error is sqrt(((1 + c1) sigma_p)^2 + (c1 sigma_s)^2), as hscPipe has it: c2 is left out.
    """
    p, p_err = magnitude(fluxes, term.primary_band)
    s, s_err = magnitude(fluxes, term.secondary_band)
    color = p - s
    mag = p + term.c0 + term.c1 * color + term.c2 * color**2
    return mag, np.hypot((1.0 + term.c1) * p_err, term.c1 * s_err)


def passes(fluxes: Fluxes, cuts: Sequence[str], n_ref: int) -> Bools:
    """Which references pass all cuts such as "g-r > 0" or "i < 22".

    A cut on a band the catalog does not have at all is no cut; a star without that band fails it. ConfigError
    `bad_setting` for a cut that cannot be read.
    """
    keep = np.ones(n_ref, dtype=np.bool_)
    for cut in cuts:
        found = _CUT.match(cut)
        if found is None:
            raise ConfigError(f'calibrate.reference_cuts: {cut!r} is no cut. Write e.g. "g-r > 0" or "i < 22".')
        first, second, sign, limit = found.groups()
        if first not in fluxes or (second and second not in fluxes):
            continue
        figure = magnitude(fluxes, first)[0]
        if second:
            figure = figure - magnitude(fluxes, second)[0]
        with np.errstate(invalid="ignore"):
            keep &= figure < float(limit) if sign == "<" else figure > float(limit)
    return keep


def solve(
    ref_mag: Floats,
    ref_mag_err: Floats,
    counts: Floats,
    counts_err: Floats,
    *,
    n_star_min: int = 3,
    floor_mag: float = 0.01,
    n_sigma: float = 3.0,
    sigma_max_mag: float = 0.25,
    n_iteration: int = 20,
) -> ZeroPoint:
    """The zero point of stars matched one to one, arrays (n,); NaN and counts <= 0 are left out.

    Start at the mode of a histogram of 20 bins; then median and interquartile range of the stars kept; keep those
    within n_sigma * min(sigma, sigma_max_mag); at the end the mean, weighted by 1 / (reference^2 + counts^2 + floor^2).
    DataError `too_few_stars`.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        positive = counts > 0.0
        offset = np.where(positive, ref_mag + 2.5 * np.log10(np.where(positive, counts, 1.0)), np.nan)
        own = _MAG_PER_LN * np.where(positive, counts_err / np.where(positive, counts, 1.0), np.nan)
    variance = np.nan_to_num(ref_mag_err) ** 2 + np.nan_to_num(own) ** 2 + floor_mag**2
    (usable,) = np.nonzero(np.isfinite(offset))
    if len(usable) < n_star_min:
        raise DataError(
            f"photometry: {len(usable)} stars with a reference magnitude (needed {n_star_min}). "
            "Lower calibrate.n_photometry_min, widen calibrate.reference_cuts, or ingest a deeper catalog.",
            code="too_few_stars",
        )
    some = offset[usable]
    keep = _clip(some, n_sigma, sigma_max_mag, n_iteration, n_star_min)
    weight = 1.0 / variance[usable[keep]]
    zero_point = float(np.average(some[keep], weights=weight))
    is_used = np.zeros(len(offset), dtype=np.bool_)
    is_used[usable[keep]] = True
    rms = float(np.sqrt(np.mean((some[keep] - zero_point) ** 2)))
    return ZeroPoint(zero_point, float(1.0 / np.sqrt(weight.sum())), rms, is_used)


def _clip(offset: Floats, n_sigma: float, sigma_max: float, n_iteration: int, n_min: int) -> Bools:
    """Which offsets stay; a round that would leave fewer than n_min is not taken."""
    center, sigma = _mode(offset)
    keep = np.ones(len(offset), dtype=np.bool_)
    for _ in range(n_iteration):
        # With all stars alike the interquartile range is 0; 1 mmag keeps rounding from throwing half of them out.
        new = np.abs(offset - center) <= n_sigma * min(max(sigma, 1e-3), sigma_max)
        if new.sum() < n_min:
            break
        same, keep = bool((new == keep).all()), new
        center, sigma = float(np.median(offset[keep])), iqr_sigma(offset[keep])
        if same:
            break
    return keep


def _mode(offset: Floats) -> tuple[float, float]:
    """Peak of a histogram and its full width at half maximum / 2.3; few or equal stars: median and quartiles.

    At least 8 stars to a bin, at most hscPipe's 20 bins, smoothed by 1-2-1: with fewer the peak is a clump by chance.
    """
    low, high = np.percentile(offset, (5.0, 95.0))
    n_bin = min(len(offset) // 8, 20)
    if n_bin < 5 or high <= low:
        return float(np.median(offset)), iqr_sigma(offset)
    count, edges = np.histogram(offset, n_bin, (low, high))
    smooth = np.convolve(count, [0.25, 0.5, 0.25], "same")
    top = int(np.argmax(smooth))
    below = np.flatnonzero(smooth < smooth[top] / 2.0)
    left = below[below < top].max(initial=-1) + 1
    right = below[below > top].min(initial=n_bin)
    return float(edges[top : top + 2].mean()), float(edges[right] - edges[left]) / 2.3
