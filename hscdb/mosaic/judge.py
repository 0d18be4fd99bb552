"""Is the joint solution better than the first calibrations? Judged on reserved stars, which no fit has seen."""

from dataclasses import dataclass

import numpy as np

from hscdb.mosaic.model import Astrometry, Bools, Floats, Flux, Ints, Observations
from hscdb.mosaic.places import MAS, vectors

__all__ = ["Before", "Floors", "Verdict", "before", "rms", "verdict"]

_MIN_STARS = 10  # fewer reserved stars than that do not judge; all stars are used then


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
    """Weighted rms of one axis [mas] and of magnitudes [mag], before and after; who judged; what was accepted."""

    position_before: float
    position_after: float
    mag_before: float
    mag_after: float
    n_judge: int
    judged_by: str
    is_position_better: bool
    is_mag_better: bool


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


def verdict(
    obs: Observations, first: Before, position: Astrometry, flux: Flux, position_err_mas: Floats,
    floors: Floors = FLOORS,
) -> Verdict:  # fmt: skip
    """Compare before and after; a solution is accepted if it is not worse (1 % of noise allowed).

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
    figures = []
    for one in (first.position, position.residual):
        axes = [rms(one[:, i], obs.star, usable, n, weight) for i in range(2)]
        figures.append((float(np.sqrt(np.mean([a[0] ** 2 for a in axes]))), axes[0][1]))
    weight = 1.0 / (obs.mag_err**2 + floors.mag**2)
    mags = [rms(one, obs.star, usable, n, weight) for one in (first.mag, flux.residual)]
    return Verdict(
        position_before=figures[0][0], position_after=figures[1][0], mag_before=mags[0][0], mag_after=mags[1][0],
        n_judge=figures[1][1], judged_by=judged_by,
        is_position_better=_is_better(figures[0][0], figures[1][0]),
        is_mag_better=_is_better(mags[0][0], mags[1][0]),
    )  # fmt: skip


def _is_better(old: float, new: float) -> bool:
    """NaN = no star with two detections: then nothing speaks against the solution."""
    return not (np.isfinite(old) and np.isfinite(new)) or new <= 1.01 * old
