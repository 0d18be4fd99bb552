"""Is the joint solution better than the first calibrations? Judged on reserved stars, which no fit has seen."""

from dataclasses import dataclass

import numpy as np

from hscdb.mosaic.model import Astrometry, Bools, Floats, Flux, Ints, Observations
from hscdb.mosaic.places import MAS, vectors

__all__ = ["Before", "Verdict", "before", "rms", "verdict"]

_MIN_STARS = 10  # fewer reserved stars than that do not judge; all stars are used then


@dataclass(frozen=True)
class Before:
    """Residuals by the first calibrations, detection minus star: position (n_obs, 2) [mas], mag (n_obs,) [mag]."""

    position: Floats
    mag: Floats


@dataclass(frozen=True)
class Verdict:
    """rms of one axis [mas] and of magnitudes [mag], before and after; who judged; what was accepted."""

    position_before: float
    position_after: float
    mag_before: float
    mag_after: float
    n_judge: int
    judged_by: str
    is_position_better: bool
    is_mag_better: bool


def before(obs: Observations, first_mag: Floats, motion: Floats) -> Before:
    """Residuals about each star's plain mean over its usable detections.

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
    mag = np.where(has_mag, first_mag - mean_mag[obs.star], np.nan)
    position[count[obs.star] == 0] = np.nan
    return Before(position, mag)


def rms(residual: Floats, star: Ints, usable: Bools, n_star: int) -> tuple[float, int]:
    """rms about the star means with the lost degree of freedom put back, 5 sigma (MAD) clipped, and its n.

    Only stars with two or more usable detections count. NaN if there are none.
    """
    good = usable & np.isfinite(residual)
    n = np.bincount(star[good], minlength=n_star)
    good &= n[star] >= 2
    if not good.any():
        return float("nan"), 0
    full = residual[good] * np.sqrt(n[star[good]] / (n[star[good]] - 1.0))
    sigma = 1.4826 * np.median(np.abs(full))
    kept = full[np.abs(full) <= 5.0 * max(sigma, 1e-12)]
    return float(np.sqrt(np.mean(kept**2))), int(kept.size)


def verdict(obs: Observations, first: Before, position: Astrometry, flux: Flux) -> Verdict:
    """Compare before and after; a solution is accepted if it is not worse (1 % of noise allowed)."""
    n = obs.stars.size
    judge, judged_by = obs.is_reserved, "reserved"
    if np.unique(obs.star[judge & (obs.reason == "")]).size < _MIN_STARS:
        judge, judged_by = np.ones(obs.star.size, bool), "all"
    usable = judge & (obs.reason == "")
    figures = []
    for one in (first.position, position.residual):
        axes = [rms(one[:, i], obs.star, usable, n) for i in range(2)]
        figures.append((float(np.sqrt(np.mean([a[0] ** 2 for a in axes]))), axes[0][1]))
    mags = [rms(one, obs.star, usable, n) for one in (first.mag, flux.residual)]
    return Verdict(
        position_before=figures[0][0], position_after=figures[1][0], mag_before=mags[0][0], mag_after=mags[1][0],
        n_judge=figures[1][1], judged_by=judged_by,
        is_position_better=_is_better(figures[0][0], figures[1][0]),
        is_mag_better=_is_better(mags[0][0], mags[1][0]),
    )  # fmt: skip


def _is_better(old: float, new: float) -> bool:
    """NaN = no star with two detections: then nothing speaks against the solution."""
    return not (np.isfinite(old) and np.isfinite(new)) or new <= 1.01 * old
