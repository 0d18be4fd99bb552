"""How residuals of one visit agree over the field: correlation functions, split into gradient (E) and curl (B).

With d the residual vectors of two detections of a visit at a distance r, L and T their parts along and across the
line between them,

    xi+(r) = <d1 . d2>,    xi-(r) = <L1 L2 - T1 T2>,    xi'(r) = xi-(r) - 2 int_r^inf xi-(s) ds / s,
    xi_E = (xi+ + xi') / 2,    xi_B = (xi+ - xi') / 2.

A field that is the gradient of something, as that of the air's refraction, has xi_B = 0 and xi_E = xi+; noise, and what
a joint solution has left of other errors, has both alike. Source: Bernstein et al. 2017 (PASP 129, 074503), section
4; Leget et al. 2021 (A&A 650, A81). Check: J_0(x) = -J_2(x) + 2 int_x^inf J_2(y) dy / y.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from hscdb.sky import sphere

Rows = npt.NDArray[np.void]
Floats = npt.NDArray[np.float64]

EDGES_ARCMIN = np.geomspace(0.25, 45.0, 16)  # bins of a factor of sqrt 2: one is centered on 1, another on 5
DISTANCES_ARCMIN = (1.0, 5.0)
_N_MOST = 1500  # detections of a visit, the most exact: a million pairs
_FAR_MAS = 5.0  # robust sigmas beyond which a detection is no part of a field
_N_PAIR = 30  # fewer in a bin tell nothing


@dataclass(frozen=True)
class Correlation:
    """xi_E and xi_B [mas^2] at a distance [arcmin], of n_pair pairs; NaN and 0 of too few."""

    variant: str
    sample: str
    distance_arcmin: float
    e_mas2: float
    b_mas2: float
    n_pair: int


def of_residuals(rows: Rows, snr_min: float) -> Iterator[Correlation]:
    """Before and after, of all detections with a S/N above a limit and of the reserved ones among them.

    rows : of qa/read_residuals; detections of stars seen once have no residual and are left out.
    """
    rows = rows[(rows["n_seen"] >= 2) & ~(rows["snr"] <= snr_min)]
    for sample, some in (("all", rows), ("reserved", rows[rows["is_reserved"]])):
        for variant in ("before", "after"):
            plus, minus, count = _sums(some, variant)
            for distance in DISTANCES_ARCMIN:
                yield _at(distance, variant, sample, plus, minus, count)


def _sums(rows: Rows, variant: str) -> tuple[Floats, Floats, npt.NDArray[np.int64]]:
    n = EDGES_ARCMIN.size - 1
    plus, minus, count = np.zeros(n), np.zeros(n), np.zeros(n, np.int64)
    east, north = rows[f"ra_{variant}_mas"], rows[f"dec_{variant}_mas"]
    known = np.isfinite(east) & np.isfinite(north) & np.isfinite(rows["ra"])
    size = np.hypot(np.where(known, east, np.inf), np.where(known, north, np.inf))
    # a Rayleigh distribution's median is 1.1774 sigma
    limit = _FAR_MAS * float(np.median(size[known])) / 1.1774 if known.any() else 0.0
    known &= size <= limit
    for visit in np.unique(rows["visit"]):
        k = np.flatnonzero(known & (rows["visit"] == visit))
        k = k[np.argsort(rows["position_mas_err"][k], kind="stable")[:_N_MOST]]
        if k.size < 2:
            continue
        center = sphere.mean_position(rows["ra"][k], rows["dec"][k])
        x, y = (60.0 * np.asarray(a, np.float64) for a in sphere.project(rows["ra"][k], rows["dec"][k], *center))
        _pairs(x, y, east[k].astype(np.float64), north[k].astype(np.float64), EDGES_ARCMIN, plus, minus, count)
    safe = np.maximum(count, 1)
    return plus / safe, minus / safe, count


@njit(cache=True, nogil=True)
def _pairs(x, y, east, north, edges, plus, minus, count):
    """Add all pairs to the sums of their bins."""
    low, per_step, n = np.log(edges[0]), (edges.size - 1) / np.log(edges[-1] / edges[0]), edges.size - 1
    for i in range(x.size):
        for j in range(i + 1, x.size):
            dx, dy = x[j] - x[i], y[j] - y[i]
            r2 = dx * dx + dy * dy
            if r2 < edges[0] * edges[0] or r2 >= edges[-1] * edges[-1]:
                continue
            k = min(int((0.5 * np.log(r2) - low) * per_step), n - 1)
            both = east[i] * east[j] + north[i] * north[j]
            along = (east[i] * dx + north[i] * dy) * (east[j] * dx + north[j] * dy) / r2
            plus[k] += both
            minus[k] += 2.0 * along - both
            count[k] += 1


def _at(
    distance: float, variant: str, sample: str, plus: Floats, minus: Floats, count: npt.NDArray[np.int64]
) -> Correlation:
    step = float(np.log(EDGES_ARCMIN[1] / EDGES_ARCMIN[0]))
    k = int(np.searchsorted(EDGES_ARCMIN, distance) - 1)
    if count[k] < _N_PAIR:
        return Correlation(variant, sample, distance, float("nan"), float("nan"), 0)
    # from the middle of this bin on: half of it, and all farther ones
    beyond = step * (0.5 * minus[k] + minus[k + 1 :].sum())
    prime = minus[k] - 2.0 * beyond
    return Correlation(
        variant, sample, distance, float(0.5 * (plus[k] + prime)), float(0.5 * (plus[k] - prime)), int(count[k])
    )
