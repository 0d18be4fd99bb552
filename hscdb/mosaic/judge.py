"""Is the joint solution better than the first calibrations? Judged on reserved stars, which no fit has seen."""

import math
from dataclasses import dataclass

import numpy as np

from hscdb.mosaic.model import Astrometry, Bools, Floats, Flux, Ints, Observations
from hscdb.mosaic.places import MAS, vectors

__all__ = ["Before", "Floors", "Verdict", "before", "rms", "verdict"]

_MIN_STARS = 10  # fewer reserved stars than that do not judge; all stars are used then
_ALLOWED = 0.02  # what the variance may always grow by: 1 % of the rms


@dataclass(frozen=True)
class Floors:
    """Errors added to every detection that judges, so that no handful of the brightest decides alone."""

    position_mas: float = 2.0
    mag: float = 0.002


FLOORS = Floors()


@dataclass(frozen=True)
class Before:
    """Residuals by the first calibrations, detection minus star: position (n_obs, 2) [mas], mag (n_obs,) [mag]."""

    position: Floats
    mag: Floats


@dataclass(frozen=True)
class Verdict:
    """Weighted rms of one axis [mas] and of magnitudes [mag], before and after; who judged; what was accepted.

    Excess: what the variance grew by, as a fraction, and the standard error of that.
    """

    position_before: float
    position_after: float
    mag_before: float
    mag_after: float
    n_judge: int
    judged_by: str
    is_position_better: bool
    is_mag_better: bool
    position_excess: tuple[float, float]
    mag_excess: tuple[float, float]


def before(obs: Observations, first_mag: Floats, motion: Floats) -> Before:
    """Residuals about each star's plain mean over its usable detections; NaN where there is but one.

    first_mag : (n_obs,) AB magnitude by the first calibration; motion (n_obs, 2) known proper motion taken off [mas].
    """
    n = obs.stars.size
    usable = obs.reason == ""
    place = vectors(obs.ra, obs.dec)
    count = np.bincount(obs.star[usable], minlength=n)
    mean = np.stack([np.bincount(obs.star[usable], a[usable], n) for a in place.T], axis=1)
    center = mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-12)
    east = np.stack([-center[:, 1], center[:, 0], np.zeros(n)], axis=1)
    length = np.linalg.norm(east, axis=1, keepdims=True)
    east = np.where(length > 1e-12, east / np.maximum(length, 1e-12), np.array([0.0, 1.0, 0.0]))
    north = np.cross(center, east)
    d = place - center[obs.star]
    position = np.stack([np.einsum("ij,ij->i", d, a[obs.star]) for a in (east, north)], axis=1) * MAS - motion
    position -= (
        np.stack([np.bincount(obs.star[usable], a[usable], n)[obs.star] for a in position.T], axis=1)
        / np.maximum(count, 1)[obs.star][:, None]
    )
    has_mag = usable & np.isfinite(first_mag)
    n_mag = np.bincount(obs.star[has_mag], minlength=n)
    mean_mag = np.bincount(obs.star[has_mag], first_mag[has_mag], n) / np.maximum(n_mag, 1)
    mag = np.where(has_mag & (n_mag[obs.star] >= 2), first_mag - mean_mag[obs.star], np.nan)
    position[count[obs.star] < 2] = np.nan
    return Before(position, mag)


def rms(
    residual: Floats, star: Ints, usable: Bools, n_star: int, weight: Floats | None = None
) -> tuple[float, int]:
    """Scatter of residuals about their stars' means, and of how many: weighted, degrees of freedom put back.

    sqrt(sum w (r - mean)^2 / sum w (1 - w / W)), W the sum of a star's weights: the expected square of the numerator
    per unit of variance. Pulls beyond 5 sigma (MAD) are clipped; stars with fewer than two usable detections do not
    count. weight (n_obs,), default 1. NaN if nothing is left.
    """
    w = np.where(usable & np.isfinite(residual), np.ones(residual.size) if weight is None else weight, 0.0)
    w = np.where(np.isfinite(w), w, 0.0)
    w[np.bincount(star[w > 0], minlength=n_star)[star] < 2] = 0.0
    good = np.flatnonzero(w > 0)
    if not good.size:
        return float("nan"), 0
    w, r, mine = w[good], residual[good], star[good]
    total = np.bincount(mine, w, n_star)[mine]
    r = r - np.bincount(mine, w * r, n_star)[mine] / total
    free = w * (1.0 - w / total)
    pull = np.abs(r) * w / np.sqrt(np.maximum(free, 1e-300))
    kept = pull <= 5.0 * 1.4826 * max(float(np.median(pull)), 1e-12)
    return float(np.sqrt(np.sum(w[kept] * r[kept] ** 2) / np.sum(free[kept]))), int(kept.sum())


def reserved_rms(obs: Observations, residual: Floats, position_err_mas: Floats, floors: Floors = FLOORS) -> float:
    """Weighted rms per axis [mas] of the reserved stars' detections, as `verdict` weighs them."""
    usable = obs.is_reserved & (obs.reason == "")
    weight = 1.0 / (position_err_mas**2 + floors.position_mas**2)
    axes = [rms(residual[:, i], obs.star, usable, obs.stars.size, weight)[0] for i in range(2)]
    return float(np.sqrt(np.mean(np.square(axes))))


def change(
    obs: Observations, old: Floats, new: Floats, position_err_mas: Floats, floors: Floors = FLOORS
) -> tuple[float, float]:
    """By what fraction the variance of the reserved stars' places grows from residuals old to new (n_obs, 2), and the
    standard error of that; weighed as `verdict` weighs them.
    """
    weight = 1.0 / (position_err_mas**2 + floors.position_mas**2)
    found = _compare(old, new, obs.star, obs.is_reserved & (obs.reason == ""), obs.stars.size, weight)
    return found.excess, found.excess_err


def verdict(
    obs: Observations, first: Before, position: Astrometry, flux: Flux, position_err_mas: Floats,
    floors: Floors = FLOORS,
) -> Verdict:  # fmt: skip
    """Compare before and after; a solution is accepted unless its variance is larger by more than chance explains.

    That is by more than one standard error of the change, which is that of the same stars before and after, and by more
    than 2 % (1 % in rms).

    Each detection counts by 1 / (err^2 + floor^2), its own error position_err_mas (n_obs,) [mas] or obs.mag_err and a
    floor that is the same for both: what the solutions differ by is seen in the bright stars, and photon noise, which
    neither can change, must not drown it.
    """
    n = obs.stars.size
    judge, judged_by = obs.is_reserved, "reserved"
    if np.unique(obs.star[judge & (obs.reason == "")]).size < _MIN_STARS:
        judge, judged_by = np.ones(obs.star.size, bool), "all"
    usable = judge & (obs.reason == "")
    weight = 1.0 / (position_err_mas**2 + floors.position_mas**2)
    places = _compare(first.position, position.residual, obs.star, usable, n, weight)
    weight = 1.0 / (obs.mag_err**2 + floors.mag**2)
    mags = _compare(first.mag[:, None], flux.residual[:, None], obs.star, usable, n, weight)
    return Verdict(
        position_before=places.before, position_after=places.after, mag_before=mags.before, mag_after=mags.after,
        n_judge=places.n, judged_by=judged_by, is_position_better=places.is_kept, is_mag_better=mags.is_kept,
        position_excess=(places.excess, places.excess_err), mag_excess=(mags.excess, mags.excess_err),
    )  # fmt: skip


@dataclass(frozen=True)
class _Comparison:
    """Weighted rms before and after, of n detections; what the variance grew by, with its standard error."""

    before: float
    after: float
    n: int
    excess: float
    excess_err: float

    @property
    def is_kept(self) -> bool:
        """Not worse than chance allows. NaN = no star with two detections: then nothing speaks against the solution."""
        return not math.isfinite(self.excess) or self.excess <= max(_ALLOWED, self.excess_err)


def _compare(
    old: Floats, new: Floats, star: Ints, usable: Bools, n_star: int, weight: Floats
) -> _Comparison:
    """Scatter of old and new (n_obs, n_axis) about their stars' means, of the same detections.

    As `rms`, but a detection is clipped only where it is an outlier of both: a wrong one is so in either, and what only
    one solution has displaced must count. The error of the excess is that of a sum over stars (each its own trial).
    """
    finite = np.isfinite(old).all(axis=1) & np.isfinite(new).all(axis=1) & np.isfinite(weight)
    w = np.where(usable & finite, weight, 0.0)
    w[np.bincount(star[w > 0], minlength=n_star)[star] < 2] = 0.0
    good = np.flatnonzero(w > 0)
    nothing = float("nan")
    if not good.size:
        return _Comparison(nothing, nothing, 0, nothing, nothing)
    w, mine = w[good], star[good]
    total = np.bincount(mine, w, n_star)[mine]
    free = w * (1.0 - w / total)
    squares, wrong = [], np.ones(good.size, bool)
    for residual in (old[good], new[good]):
        mean = np.stack([np.bincount(mine, w * axis, n_star)[mine] for axis in residual.T], axis=1) / total[:, None]
        pull = np.abs(residual - mean) * (w / np.sqrt(np.maximum(free, 1e-300)))[:, None]
        wrong &= (pull > 5.0 * 1.4826 * np.maximum(np.median(pull, axis=0), 1e-12)).any(axis=1)
        squares.append(w * np.sum((residual - mean) ** 2, axis=1))
    kept = ~wrong
    before, after = (np.bincount(mine[kept], one[kept], n_star) for one in squares)
    freedom = old.shape[1] * float(np.sum(free[kept]))
    change, n_trial = (after - before)[before > 0], int(np.count_nonzero(before))
    all_before = max(float(before.sum()), 1e-300)
    error = float(np.std(change) * n_trial / np.sqrt(max(n_trial - 1, 1)) / all_before)
    return _Comparison(
        float(np.sqrt(before.sum() / freedom)), float(np.sqrt(after.sum() / freedom)), int(kept.sum()),
        float(change.sum()) / all_before, error,
    )  # fmt: skip
