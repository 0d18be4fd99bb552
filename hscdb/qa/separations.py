"""How well separations of star pairs repeat from visit to visit: AM, AD and AF (LPM-17, section 3.3.2)."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from hscdb.sky import sphere

Rows = npt.NDArray[np.void]
Floats = npt.NDArray[np.float64]

_MAS = np.degrees(1.0) * 3.6e6
_HALF_WIDTH_ARCMIN = 1.0
_N_CHUNK = 20_000  # pairs at a time: with 100 visits 48 MB


@dataclass(frozen=True)
class Repeatability:
    """am: median over pairs of the standard deviation of the separation [mas]; ad: 90th percentile of its deviations
    from the pair's mean [mas]; af: percentage of deviations beyond the limit; the latter two of pairs seen three times
    or more. NaN without any pair.
    """

    variant: str
    am_mas: float
    ad_mas: float
    af_percent: float
    n_pair: int


def repeatability(places: Rows, distance_arcmin: float, deviation_mas: float) -> Iterator[Repeatability]:
    """AM, AD and AF before and after, of all pairs within 1 arcmin of a distance.

    places : rows of qa/read_places.    deviation_mas : limit of AF.
    """
    stars, star = np.unique(places["star_id"], return_inverse=True)
    visits, visit = np.unique(places["visit"], return_inverse=True)
    pairs = np.empty((0, 2), np.intp)
    if stars.size:
        after = sphere.unit_vector(places["ra_after"], places["dec_after"])
        center = np.stack([np.bincount(star, column, stars.size) for column in after.T], axis=1)
        center = center / np.linalg.norm(center, axis=1, keepdims=True)
        low, high = (
            2.0 * np.sin(np.radians((distance_arcmin + side) / 60.0) / 2.0)
            for side in (-_HALF_WIDTH_ARCMIN, _HALF_WIDTH_ARCMIN)
        )
        pairs = cKDTree(center).query_pairs(high, output_type="ndarray")
        pairs = pairs[np.linalg.norm(center[pairs[:, 0]] - center[pairs[:, 1]], axis=1) >= low]
    for variant in ("before", "after"):
        vectors = np.full((stars.size, visits.size, 3), np.nan)
        vectors[star, visit] = sphere.unit_vector(places[f"ra_{variant}"], places[f"dec_{variant}"])
        spread, deviation = [np.empty(0)], [np.empty(0)]
        for start in range(0, len(pairs), _N_CHUNK):
            a, b = pairs[start : start + _N_CHUNK].T
            one, other = _spread(_MAS * 2.0 * np.arcsin(np.linalg.norm(vectors[a] - vectors[b], axis=2) / 2.0))
            spread.append(one)
            deviation.append(other)
        rms, off = np.concatenate(spread), np.concatenate(deviation)
        yield Repeatability(
            variant, float(np.median(rms)) if rms.size else float("nan"),
            float(np.percentile(off, 90.0)) if off.size else float("nan"),
            float(100.0 * np.mean(off > deviation_mas)) if off.size else float("nan"), rms.size,
        )  # fmt: skip


def _spread(separation: Floats) -> tuple[Floats, Floats]:
    """Standard deviation of each pair seen twice or more, and all deviations of those seen three times or more.

    separation : (n_pair, n_visit), NaN where a pair was not seen.
    """
    seen = np.isfinite(separation)
    n = seen.sum(axis=1)
    mean = np.where(seen, separation, 0.0).sum(axis=1) / np.maximum(n, 1)
    off = np.where(seen, np.abs(separation - mean[:, None]), 0.0)
    often = n >= 2
    rms = np.sqrt((off[often] ** 2).sum(axis=1) / (n[often] - 1))
    return rms, off[seen & (n >= 3)[:, None]]
