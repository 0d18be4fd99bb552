"""A reduction of simulated frames against their truth: how far each detection is from where the star really was."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from hscdb.sky import sphere

Rows = npt.NDArray[np.void]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_MAS = 3.6e6
_MAG_PER_LN = 2.5 / np.log(10.0)
_AB_NJY = 2.5 * np.log10(3631e9)  # AB magnitude of 1 nJy


@dataclass(frozen=True)
class Errors:
    """Errors of detections of true, constant stars, before and after the joint solution; arrays (n,), "" = after.

    ra_mas, dec_mas are tangential; mag_mmag is detection minus truth.
    """

    visit: npt.NDArray[np.int64]
    star: npt.NDArray[np.int64]
    snr: Floats
    is_reserved: Bools
    ra_before_mas: Floats
    dec_before_mas: Floats
    mag_before_mmag: Floats
    ra_mas: Floats
    dec_mas: Floats
    mag_mmag: Floats


def errors(detections: Rows, truth: Mapping[str, Any], radius_pix: float = 1.5) -> Errors:
    """Errors of detections by the true sources nearest on their frames.

    detections : rows of qa/read_detections.
    truth      : columns of truth_source by name.
    radius_pix : farther neighbors are not taken; galaxies and variable stars, whose magnitude or centroid is no single
                 number, neither.
    """
    constant = ~(truth["is_galaxy"] | truth["is_variable"])
    names = ("visit", "ccd", "x", "y", "ra", "dec", "mag")
    truth = {name: np.asarray(truth[name])[constant] for name in names}
    at = np.full(len(detections), -1)
    for visit, ccd in np.unique(detections[["visit", "ccd"]]):
        mine = np.flatnonzero((detections["visit"] == visit) & (detections["ccd"] == ccd))
        there = np.flatnonzero((truth["visit"] == visit) & (truth["ccd"] == ccd))
        if not there.size:
            continue
        tree = cKDTree(np.stack([truth["x"][there], truth["y"][there]], axis=1))
        here = np.stack([detections["x_pix"][mine], detections["y_pix"][mine]], axis=1)
        apart, nearest = tree.query(here)
        near = apart < radius_pix
        at[mine[near]] = there[nearest[near]]
    rows, true = detections[at >= 0], {name: column[at[at >= 0]] for name, column in truth.items()}
    with np.errstate(invalid="ignore", divide="ignore"):
        mag_before = _AB_NJY - 2.5 * np.log10(rows["flux_njy_before"])
    before, after = (
        np.stack(sphere.project(rows[f"ra{which}"], rows[f"dec{which}"], true["ra"], true["dec"]), axis=1) * _MAS
        for which in ("_before", "")
    )
    return Errors(
        visit=rows["visit"].astype(np.int64), star=rows["star_id"].astype(np.int64), snr=_MAG_PER_LN / rows["mag_err"],
        is_reserved=rows["is_reserved"], ra_before_mas=before[:, 0], dec_before_mas=before[:, 1],
        mag_before_mmag=1e3 * (mag_before - true["mag"]), ra_mas=after[:, 0], dec_mas=after[:, 1],
        mag_mmag=1e3 * (rows["mag"] - true["mag"]),
    )  # fmt: skip


def table(found: Errors, snr_min: float) -> Iterator[tuple[str, str, float, float, str, int]]:
    """(what, sample, before, after, unit, number of detections) of the detections with a S/N above snr_min.

    Of positions (per axis) and magnitudes each: the median error common to all, which is the tie to the reference
    catalog; the rms of what is left; and the rms about each star's own mean error, which is repeatability.
    """
    axes = {
        "position": (("ra_before_mas", "dec_before_mas"), ("ra_mas", "dec_mas"), "mas"),
        "magnitude": (("mag_before_mmag",), ("mag_mmag",), "mmag"),
    }
    for sample, chosen in (("all", np.ones(found.snr.size, np.bool_)), ("reserved", found.is_reserved)):
        some = chosen & (found.snr > snr_min)
        for what, (*both, unit) in axes.items():
            sides = [[np.asarray(getattr(found, name))[some] for name in names] for names in both]
            for label, figure in (("median error", _common), ("rms error", _scatter)):
                yield f"{what}, {label}", sample, figure(sides[0]), figure(sides[1]), unit, int(some.sum())
            own = [[_centered(axis, found.star[some]) for axis in side] for side in sides]
            yield f"{what}, rms about its star", sample, _rms(own[0]), _rms(own[1]), unit, int(some.sum())


def _common(axes: list[Floats]) -> float:
    """Length of the median error."""
    return float(np.linalg.norm([np.nanmedian(axis) if np.isfinite(axis).any() else np.nan for axis in axes]))


def _scatter(axes: list[Floats]) -> float:
    """Rms of one axis without the median."""
    return _rms([axis - np.nanmedian(axis) if np.isfinite(axis).any() else axis for axis in axes])


def _centered(error: Floats, star: npt.NDArray[np.int64]) -> Floats:
    """Errors about each star's mean error, the lost degree of freedom put back; NaN for a star seen once."""
    _, mine = np.unique(star, return_inverse=True)
    good = np.isfinite(error)
    n = np.bincount(mine, good, mine.max(initial=-1) + 1)[mine]
    mean = np.bincount(mine, np.where(good, error, 0.0))[mine] / np.maximum(n, 1)
    return np.where(n > 1, (error - mean) * np.sqrt(n / np.maximum(n - 1, 1)), np.nan)


def _rms(axes: list[Floats]) -> float:
    """Rms of one axis, 5 sigma (MAD) clipped; NaN without any."""
    kept = []
    for axis in axes:
        one = axis[np.isfinite(axis)]
        if one.size:
            kept.append(one[np.abs(one) <= 5.0 * 1.4826 * max(float(np.median(np.abs(one))), 1e-9)])
    return float(np.sqrt(np.mean(np.concatenate(kept) ** 2))) if kept else float("nan")
