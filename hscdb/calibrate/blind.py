"""Find a frame on the sky when neither its rotation nor its parity is known, and its place only to half a degree.

A pair of sources far apart fixes a similarity once it is known which pair of references it is; the scale being known
to a percent, few pairs of references have the right distance. Each such guess, both ways round and in both parities,
is tried on the other bright sources: where true, most of them meet a reference, where false hardly any does. What
meets best is refined and believed by the same rule as an ordinary match (pattern.py): fewer than 1e-5 accidents
expected among all guesses.

LAST solves the middle of an image first and takes its neighbors from there (Ofek et al. 2023, PASP 135, 124502); here
each CCD can do it alone, and those that cannot take the solution of the CCDs around (`carry_over`).
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hscdb.calibrate import pattern
from hscdb.sky import sphere
from hscdb.sky.wcs import Wcs

Floats = NDArray[np.float64]

# Brightest sources, and brightest references per area of a frame, tried in turn.
_LADDER = ((24, 36), (50, 80))
_N_PAIR = 150  # pairs of sources tried per step; with half of the sources spurious one in six to eight is true
_NEAR_PIX = 8.0  # a source has met a reference: error of the pair's distance and turn at the frame's far end
_N_LOOK = 10  # sources looked at before a guess without any meeting is dropped
_N_BEST = 8
_REF_MAX = 12_000


@dataclass(frozen=True)
class Guess:
    """How a plane lies on another: place = matrix @ place + shift; matrix is a turn (or mirror) times a scale."""

    matrix: Floats
    shift: Floats
    n_pair: int
    log_chance: float


def find(
    source: Floats,
    source_flux: Floats,
    ref: Floats,
    ref_flux: Floats,
    *,
    frame_area: float,
    max_shift_pix: float,
    max_scale: float = 0.01,
    tolerance_pix: float = 3.0,
    n_pair_min: int = 5,
) -> Guess | None:
    """The similarity, mirrored or not, that lays sources on references; None if none is credible.

    source, ref           : (n, 2) places in one plane [pix], the frame's expected middle at the origin.
    source_flux, ref_flux : (n,) brightness, any unit; NaN counts as faintest.
    frame_area            : of the frame [pix^2]: how many references are as bright as its sources is told from it.
    max_shift_pix         : largest shift of the origin.
    """
    first, second = pattern.brightest_first(source_flux), pattern.brightest_first(ref_flux)
    reach = max_shift_pix + float(np.hypot(*source.T).max(initial=0.0))
    n_frame = max(np.pi * reach**2 / frame_area, 1.0)
    n_tried, before = 0, (0, 0)
    for n_source, n_ref in _LADDER:
        some = source[first[:n_source]]
        others = ref[second[: min(round(n_ref * n_frame), _REF_MAX)]]
        if (len(some), len(others)) == before:
            break
        before = (len(some), len(others))
        for mirror in (1.0, -1.0):
            flipped = some * (1.0, mirror)
            guesses, n = _guesses(flipped, others, reach, max_shift_pix, max_scale)
            n_tried += n
            found = _best(flipped, others, guesses, n_tried, tolerance_pix, n_pair_min)
            if found is not None:
                return Guess(found.matrix @ np.diag([1.0, mirror]), found.shift, found.n_pair, found.log_chance)
    return None


def _best(
    source: Floats, ref: Floats, guesses: Floats, n_tried: int, tolerance: float, n_min: int
) -> Guess | None:
    """The most credible of the guesses (m, 5: times met, matrix a, b, shift) once refined."""
    tree, best = pattern.tree_of(ref), None
    for _, a, b, x, y in guesses:
        found = pattern.refine(source, ref, tree, np.array([[a, -b], [b, a]]), np.array([x, y]), tolerance, n_min)
        if found is None:
            continue
        chance = float(pattern.log_chance(source, ref, found, tolerance) + np.log10(max(n_tried, 1)))
        if chance < pattern.MAX_LOG_CHANCE and (best is None or chance < best.log_chance):
            best = Guess(found[0], found[1], len(found[2]), chance)
    return best


def _guesses(source: Floats, ref: Floats, reach: float, max_shift: float, max_scale: float) -> tuple[Floats, int]:
    """The guesses that meet most references, (m, 5), and how many were made."""
    if len(source) < 3 or len(ref) < 3:
        return np.zeros((0, 5)), 0
    i, j = np.triu_indices(len(source), 1)
    apart = np.hypot(*(source[i] - source[j]).T)
    # Long pairs say most about the turn; the brightest of them first.
    is_long = apart >= 0.4 * apart.max()
    i, j, apart = i[is_long][:_N_PAIR], j[is_long][:_N_PAIR], apart[is_long][:_N_PAIR]
    near = pattern.tree_of(ref).query_pairs(float(apart.max()) * (1.0 + max_scale) + _NEAR_PIX, output_type="ndarray")
    distance = np.hypot(*(ref[near[:, 0]] - ref[near[:, 1]]).T)
    order = np.lexsort((near[:, 1], near[:, 0], distance))
    near, distance = near[order], distance[order]
    low = np.searchsorted(distance, apart * (1.0 - max_scale) - _NEAR_PIX)
    high = np.searchsorted(distance, apart * (1.0 + max_scale) + _NEAR_PIX)
    side = int(np.ceil(2.0 * reach / _NEAR_PIX)) + 3
    cell = np.floor((ref + reach) / _NEAR_PIX).astype(np.int64) + 1
    kept = ((cell > 0) & (cell < side - 1)).all(axis=1)
    taken = np.zeros((side, side), np.bool_)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            taken[cell[kept, 1] + dy, cell[kept, 0] + dx] = True
    best = np.zeros((_N_BEST, 5))
    n = _try(source, i, j, ref, near, low, high, taken, reach, max_shift, max_scale, best)
    return best[best[:, 0] > 0], n


@njit(cache=True, nogil=True)
def _try(
    source: Floats, i: NDArray[np.intp], j: NDArray[np.intp], ref: Floats, near: NDArray[np.intp],
    low: NDArray[np.intp], high: NDArray[np.intp], taken: NDArray[np.bool_], reach: float, max_shift: float,
    max_scale: float, best: Floats,
) -> int:  # fmt: skip
    """Make each guess, count the sources that meet a taken cell, keep the best, one per place. Returns their number."""
    n_guess, side = 0, taken.shape[0]
    for k in range(i.size):
        ax, ay = source[i[k], 0], source[i[k], 1]
        dx, dy = source[j[k], 0] - ax, source[j[k], 1] - ay
        length2 = dx * dx + dy * dy
        for m in range(low[k], high[k]):
            for turn in range(2):
                p, q = near[m, turn], near[m, 1 - turn]
                ex, ey = ref[q, 0] - ref[p, 0], ref[q, 1] - ref[p, 1]
                a, b = (ex * dx + ey * dy) / length2, (ey * dx - ex * dy) / length2
                x, y = ref[p, 0] - a * ax + b * ay, ref[p, 1] - b * ax - a * ay
                if x * x + y * y > max_shift * max_shift or abs(np.hypot(a, b) - 1.0) > max_scale:
                    continue
                n_guess += 1
                n_met = 0
                for s in range(source.shape[0]):
                    if s == _N_LOOK and n_met < 3:
                        break
                    u = int((a * source[s, 0] - b * source[s, 1] + x + reach) / _NEAR_PIX) + 1
                    v = int((b * source[s, 0] + a * source[s, 1] + y + reach) / _NEAR_PIX) + 1
                    if 0 <= u < side and 0 <= v < side and taken[v, u]:
                        n_met += 1
                if n_met <= best[-1, 0]:
                    continue
                at = best.shape[0] - 1
                for r in range(best.shape[0]):
                    is_same = abs(best[r, 3] - x) < 30.0 and abs(best[r, 4] - y) < 30.0 and abs(best[r, 1] - a) < 0.02
                    if is_same and abs(best[r, 2] - b) < 0.02:
                        at = r
                        break
                if n_met <= best[at, 0]:
                    continue
                while at > 0 and best[at - 1, 0] < n_met:
                    best[at] = best[at - 1]
                    at -= 1
                best[at, 0], best[at, 1], best[at, 2], best[at, 3], best[at, 4] = n_met, a, b, x, y
    return n_guess


def moved(start: Wcs, boresight: tuple[float, float], matrix: Floats, shift_deg: Floats) -> Wcs:
    """A WCS whose places in the tangent plane at `boresight` [deg] are turned, mirrored and shifted by a guess."""
    step = 100.0  # pixels: short enough for the plane to be flat, long enough for 1e-9 of rounding
    x = start.crpix[0] + np.array([0.0, step, -step, 0.0, 0.0])
    y = start.crpix[1] + np.array([0.0, 0.0, 0.0, step, -step])
    plain = Wcs(start.crval, start.crpix, start.cd)  # the distortion is in pixels and stays
    plane = np.stack(sphere.project(*plain.pixel_to_sky(x, y), *boresight))
    goal = matrix @ plane + np.asarray(shift_deg)[:, None]
    ra, dec = sphere.deproject(goal[0], goal[1], *boresight)
    crval = (float(ra[0]), float(dec[0]))
    xi, eta = sphere.project(ra, dec, *crval)
    cd = np.array([[xi[1] - xi[2], xi[3] - xi[4]], [eta[1] - eta[2], eta[3] - eta[4]]]) / (2.0 * step)
    return Wcs(crval, start.crpix, cd, start.a, start.b)


def carry_over(pairs: list[tuple[Wcs, Wcs]], size: tuple[int, int], boresight: tuple[float, float]) -> Guess | None:
    """What turns the geometry's WCS of CCDs into the one found for them, in the plane at the boresight [deg].

    pairs : (by geometry, found) of the CCDs of the visit that are solved. None if they do not agree to a few pixels.
    """
    if not pairs:
        return None
    x, y = (edge.ravel() for edge in np.meshgrid((0.0, size[0] - 1.0), (0.0, size[1] - 1.0)))
    before = np.hstack([np.stack(sphere.project(*old.pixel_to_sky(x, y), *boresight)) for old, _ in pairs])
    after = np.hstack([np.stack(sphere.project(*new.pixel_to_sky(x, y), *boresight)) for _, new in pairs])
    if not np.isfinite(after).all():
        return None
    middle = before.mean(axis=1, keepdims=True), after.mean(axis=1, keepdims=True)
    found = []
    for mirror in (1.0, -1.0):
        p, q = (before - middle[0]) * np.array([[1.0], [mirror]]), after - middle[1]
        weight = float((p * p).sum())
        a, b = float((p * q).sum()) / weight, float((p[0] * q[1] - p[1] * q[0]).sum()) / weight
        matrix = np.array([[a, -b], [b, a]]) @ np.diag([1.0, mirror])
        off = float(np.sqrt(np.mean((matrix @ (before - middle[0]) - q) ** 2)))
        found.append((off, mirror, matrix))
    off, _, matrix = min(found, key=lambda one: one[0])
    scale = float(np.sqrt(pairs[0][0].plane_area(*pairs[0][0].crpix)))
    shift = (middle[1] - matrix @ middle[0])[:, 0]
    return Guess(matrix, shift, len(pairs), -np.inf) if off < 10.0 * scale else None
