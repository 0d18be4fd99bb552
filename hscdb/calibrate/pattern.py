"""Find how a field of sources lies on a field of reference stars, without knowing which is which.

Both lists lie in one plane (the tangent plane of the first WCS, in pixels). Unknown is a similarity: shift, rotation
and scale, each within the pointing error of the telescope. That space is small: at each rotation and scale of a grid,
every (source, reference) pair votes for the shift that makes it one; true pairs vote for the same shift, false ones are
spread evenly. This is the last step of LAST's blind solution (Ofek et al. 2023, PASP 135, 124502), and what hscPipe's
MatchPessimisticB is asked for (maxOffsetPix 250, maxRotationDeg 1.15), at the cost of counting instead of searching.

The best peaks are refined by mutual nearest neighbors, and believed only if so many pairs cannot be an accident: the
Poisson probability of as many chance pairs, times the number of places looked at, must stay below `MAX_LOG_CHANCE`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

# 10^-5 of a false solution per frame: one in a thousand visits of 100 CCDs, where the stars of the visit tell it.
MAX_LOG_CHANCE = -5.0
_CELL_PIX = 4.0  # half the side of the box in which votes are counted
_N_PEAK = 6
# Brightest sources and references that vote, tried in turn: lists of other depth or saturation overlap less at the top.
_LADDER = ((200, 300), (500, 750), (1500, 2200))


def tree_of(points: Floats) -> Any:
    """A k-d tree of places (n, k)."""
    from scipy.spatial import cKDTree  # a quarter of a second to import, and every command loads every stage

    return cKDTree(points)


@dataclass(frozen=True)
class Pattern:
    """How the sources lie on the references: ref = matrix @ source + shift, in the common plane.

    matrix, shift : (2, 2), (2,) [pix].
    source, ref   : (n_pair,) indices of the pairs, one to one.
    log_chance    : log10 of the expected number of accidental solutions as good as this one.
    """

    matrix: Floats
    shift: Floats
    source: Indices
    ref: Indices
    log_chance: float

    def apply(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Places in the plane of the references."""
        m, s = self.matrix, self.shift
        return m[0, 0] * x + m[0, 1] * y + s[0], m[1, 0] * x + m[1, 1] * y + s[1]


def find(
    source: Floats,
    source_flux: Floats,
    ref: Floats,
    ref_flux: Floats,
    *,
    max_shift_pix: float = 250.0,
    max_rotation_deg: float = 1.15,
    max_scale: float = 0.01,
    tolerance_pix: float = 3.0,
    n_pair_min: int = 5,
) -> Pattern | None:
    """The similarity that lays sources on references, or None if none is credible.

    source, ref           : (n, 2) places in one plane [pix].
    source_flux, ref_flux : (n,) brightness, any unit; NaN counts as faintest.
    max_shift_pix         : largest shift of the middle of the sources.
    max_scale             : largest relative error of the scale.
    tolerance_pix         : how far a source may lie from its reference once shift, rotation and scale are right.
    n_pair_min            : fewest pairs of a solution.
    """
    source_order, ref_order = brightest_first(source_flux), brightest_first(ref_flux)
    before = (0, 0)
    for n_source, n_ref in _LADDER:
        size = (min(n_source, len(source)), min(n_ref, len(ref)))
        if size == before:
            return None
        before = size
        some, others = source_order[: size[0]], ref_order[: size[1]]
        found = _solve(
            source[some], ref[others], max_shift_pix, np.radians(max_rotation_deg), max_scale, tolerance_pix, n_pair_min
        )
        if found is not None:
            matrix, shift, chance = found
            i, j = mutual_nearest(source @ matrix.T + shift, ref, tolerance_pix)
            return Pattern(matrix, shift, i, j, chance)
    return None


def brightest_first(flux: Floats) -> Indices:
    """Order of falling brightness; equals and NaN keep their order, so that the result does not depend on the sort."""
    return np.argsort(np.where(np.isfinite(flux), -flux, np.inf), kind="stable")


def _solve(
    source: Floats, ref: Floats, max_shift: float, max_rotation: float, max_scale: float, tolerance: float, n_min: int
) -> tuple[Floats, Floats, float] | None:
    """The most credible of the refined peaks: matrix, shift, log10 of the expected accidents."""
    if len(source) < n_min or len(ref) < n_min:
        return None
    middle = (source.min(axis=0) + source.max(axis=0)) / 2.0
    reach = max(float(np.hypot(*(source - middle).T).max()), 1.0)
    # At half a step of rotation or scale the outermost source is half a cell off.
    turns = _steps(max_rotation, _CELL_PIX / reach)
    scales = 1.0 + _steps(max_scale, _CELL_PIX / reach)
    smear = reach * (max_rotation + max_scale)
    pairs = _near_pairs(source - middle, ref - middle, max_shift + smear)
    if len(pairs) < n_min:
        return None
    votes, cells = _vote(pairs, np.cos(turns), np.sin(turns), scales, max_shift, _CELL_PIX)
    tree = tree_of(ref)
    n_cell = (2.0 * max_shift / _CELL_PIX) ** 2
    best = None
    for turn, scale in _peaks(votes):
        matrix = scales[scale] * _rotation(turns[turn])
        at = (cells[turn, scale] + 1.0) * _CELL_PIX - max_shift
        found = refine(source, ref, tree, matrix, middle + at - matrix @ middle, tolerance, n_min)
        if found is None:
            continue
        chance = log_chance(source, ref, found, tolerance) + np.log10(votes.size * n_cell)
        if best is None or chance < best[2]:
            best = (found[0], found[1], float(chance))
    return best if best is not None and best[2] < MAX_LOG_CHANCE else None


def _steps(largest: float, step: float) -> Floats:
    """Offsets from -largest to largest, at most a step apart, with 0 among them."""
    n = int(np.ceil(largest / step))
    return np.linspace(-largest, largest, 2 * n + 1) if n else np.zeros(1)


def _rotation(angle: float) -> Floats:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _near_pairs(source: Floats, ref: Floats, reach: float) -> Floats:
    """(n_pair, 4): x, y of the source and of the reference, of all pairs within a square of half side `reach`."""
    near = tree_of(ref).query_ball_point(source, reach, p=np.inf, return_sorted=True)
    count = np.array([len(each) for each in near], dtype=np.intp)
    j = np.concatenate([np.asarray(each, dtype=np.intp) for each in near])
    return np.hstack([np.repeat(source, count, axis=0), ref[j]])


@njit(cache=True, nogil=True)
def _vote(
    pairs: Floats, cosines: Floats, sines: Floats, scales: Floats, max_shift: float, cell: float
) -> tuple[NDArray[np.int32], Floats]:
    """Most votes for one shift at each rotation and scale, and where: (n_turn, n_scale), (n_turn, n_scale, 2).

    Each vote counts in the four overlapping boxes of 2 x 2 cells it lies in, so that no edge can split a peak.
    """
    n_turn, n_scale, n_pair = cosines.size, scales.size, pairs.shape[0]
    n_side = int(np.ceil(2.0 * max_shift / cell)) + 1
    count = np.zeros((n_side, n_side), np.int32)
    votes = np.zeros((n_turn, n_scale), np.int32)
    cells = np.zeros((n_turn, n_scale, 2), np.float64)
    for turn in range(n_turn):
        for scale in range(n_scale):
            c, s = scales[scale] * cosines[turn], scales[scale] * sines[turn]
            most = 0
            count[:] = 0
            for k in range(n_pair):
                x, y = pairs[k, 0], pairs[k, 1]
                i = int(np.floor((pairs[k, 2] - c * x + s * y + max_shift) / cell))
                j = int(np.floor((pairs[k, 3] - s * x - c * y + max_shift) / cell))
                if i < 0 or j < 0 or i >= n_side or j >= n_side:
                    continue
                for a in range(max(i - 1, 0), i + 1):
                    for b in range(max(j - 1, 0), j + 1):
                        count[a, b] += 1
                        if count[a, b] > most:
                            most = count[a, b]
                            cells[turn, scale, 0] = a
                            cells[turn, scale, 1] = b
            votes[turn, scale] = most
    return votes, cells


def _peaks(votes: NDArray[np.int32]) -> list[tuple[int, int]]:
    """(turn, scale) of the nodes with most votes; of neighboring nodes only the best."""
    order = np.argsort(-votes.ravel(), kind="stable")
    chosen: list[tuple[int, int]] = []
    for turn, scale in zip(*np.unravel_index(order[: 20 * _N_PEAK], votes.shape), strict=True):
        if all(max(abs(turn - t), abs(scale - s)) > 1 for t, s in chosen):
            chosen.append((int(turn), int(scale)))
        if len(chosen) == _N_PEAK:
            break
    return chosen


def refine(
    source: Floats, ref: Floats, tree: Any, matrix: Floats, shift: Floats, tolerance: float, n_min: int
) -> tuple[Floats, Floats, Indices, Indices] | None:
    """Match mutually nearest neighbors and fit a similarity in turn, from the box of the vote down to the tolerance."""
    start = 2.0 * _CELL_PIX + tolerance
    i = j = np.zeros(0, np.intp)
    for radius in (start, start, (start + tolerance) / 2.0, tolerance, tolerance, tolerance):
        i, j = mutual_nearest(source @ matrix.T + shift, ref, radius, tree)
        if len(i) < n_min:
            return None
        matrix, shift = _similarity(source[i], ref[j])
    i, j = mutual_nearest(source @ matrix.T + shift, ref, tolerance, tree)
    return (matrix, shift, i, j) if len(i) >= n_min else None


def mutual_nearest(a: Floats, b: Floats, radius: float, tree: Any = None) -> tuple[Indices, Indices]:
    """Indices of pairs within a radius of which each is the other's nearest: one to one, whatever the order of rows.

    a, b : (n, k) places.    tree : of b, if there is one already.
    """
    if not len(a) or not len(b):
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    tree = tree_of(b) if tree is None else tree
    distance, j = tree.query(a, distance_upper_bound=radius)
    (i,) = np.nonzero(np.isfinite(distance))
    _, back = tree_of(a).query(b[j[i]])
    mutual = back == i
    return i[mutual], j[i[mutual]].astype(np.intp)


def _similarity(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Least squares of b = matrix @ a + shift with a rotation and scale; robust by two rounds of halving the weights
    of pairs beyond twice the median distance."""
    weight = np.ones(len(a))
    for _ in range(3):
        mean_a, mean_b = np.average(a, axis=0, weights=weight), np.average(b, axis=0, weights=weight)
        p, q = a - mean_a, b - mean_b
        norm = float(np.sum(weight * (p * p).sum(axis=1)))
        along = float(np.sum(weight * (p * q).sum(axis=1))) / norm
        across = float(np.sum(weight * (p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]))) / norm
        matrix = np.array([[along, -across], [across, along]])
        shift = mean_b - matrix @ mean_a
        off = np.hypot(*(a @ matrix.T + shift - b).T)
        weight = 1.0 / np.maximum(1.0, off / max(2.0 * float(np.median(off)), 1e-9)) ** 2
    return matrix, shift


def log_chance(source: Floats, ref: Floats, found: tuple[Floats, Floats, Indices, Indices], tolerance: float) -> float:
    """log10 of the probability that as many pairs agree by accident, two being spent on the similarity itself."""
    matrix, shift, i, _ = found
    low, high = ref.min(axis=0), ref.max(axis=0)
    area = float(np.prod(np.maximum(high - low, 2.0 * tolerance)))
    at = source @ matrix.T + shift
    inside = int(((at >= low) & (at <= high)).all(axis=1).sum())
    expected = inside * min(len(ref) * np.pi * tolerance**2 / area, 1.0)
    with np.errstate(divide="ignore"):  # beyond the smallest number: certainly no accident
        from scipy.special import pdtrc

        return float(np.log10(pdtrc(len(i) - 3, expected))) if len(i) >= 3 else 0.0
