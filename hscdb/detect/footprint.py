"""Footprints: the pixels above a threshold, the peaks in them, and which pixels belong to which peak.

One flood from the brightest pixel down: a pixel joins the basin of its highest neighbour; where two basins meet, the
lower one is a peak of its own only if it stands clear of the saddle between them. Peaks that hardly do are weak: the
filter has filled the valley, and deblend.weak_peaks asks a fit of the PSF whether they are real.
"""

from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

# A peak stands this many sigma (with its photon noise) above the saddle to a brighter one, and this part of the
# saddle's height (ripples in the wings of bright stars do not). Weak peaks, then certain ones.
SADDLE_SIGMA = np.array([1.0, 3.0])
SADDLE_PART = np.array([0.02, 0.05])


@dataclass(frozen=True)
class Footprints:
    """Peaks and their pixels.

    basin  : (ny, nx) int32, number of the peak that owns a pixel, -1 where there is none.
    x, y   : (n_peak,) int, the peak pixels; snr: height of the peak in the filtered map.
    blend  : (n_peak,) int, number of the footprint (connected above the threshold) a peak lies in.
    box    : (n_peak, 4) int, x0, y0, x1, y1 (inclusive) of the basin.
    n_pixel: (n_peak,) int, pixels of the basin.
    into   : (n_peak,) int, for a weak peak the brighter one it would merge into, else -1.
    """

    basin: npt.NDArray[np.int32]
    x: npt.NDArray[np.int64]
    y: npt.NDArray[np.int64]
    snr: npt.NDArray[np.float64]
    blend: npt.NDArray[np.int64]
    box: npt.NDArray[np.int64]
    n_pixel: npt.NDArray[np.int64]
    into: npt.NDArray[np.int64]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def bilinear_row(grid, grid_x, grid_y, y, out):
    """Fill out (nx,) with the bilinear interpolation of grid at row y; held constant beyond the grid's centres."""
    q = 0
    while q < len(grid_y) - 2 and y > grid_y[q + 1]:
        q += 1
    fy = 0.0
    if len(grid_y) > 1:
        fy = min(max((y - grid_y[q]) / (grid_y[q + 1] - grid_y[q]), 0.0), 1.0)
    p = 0
    for i in range(len(out)):
        while p < len(grid_x) - 2 and i > grid_x[p + 1]:
            p += 1
        if len(grid_x) > 1:
            fx = min(max((i - grid_x[p]) / (grid_x[p + 1] - grid_x[p]), 0.0), 1.0)
            low = grid[q, p] * (1 - fx) + grid[q, p + 1] * fx
            high = low
            if len(grid_y) > 1:
                high = grid[q + 1, p] * (1 - fx) + grid[q + 1, p + 1] * fx
        else:
            low = grid[q, p]
            high = grid[q + 1, p] if len(grid_y) > 1 else low
        out[i] = low * (1 - fy) + high * fy


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _normalise(filtered, grid, grid_x, grid_y, threshold, index, height):
    """Divide the filtered frame by the sky noise in place; list the pixels above the threshold, return how many."""
    ny, nx = filtered.shape
    noise = np.empty(nx)
    n = 0
    for j in range(ny):
        bilinear_row(grid, grid_x, grid_y, float(j), noise)
        for i in range(nx):
            value = filtered[j, i] / np.float32(noise[i])
            filtered[j, i] = value
            if value > threshold:
                if n < len(index):
                    index[n] = j * nx + i
                    height[n] = value
                n += 1
    return n


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _root(parent, k):
    while parent[k] != k:
        parent[k] = parent[parent[k]]
        k = parent[k]
    return k


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _flood(index, height, variance, sky_variance, saddle_sigma, saddle_part, basin, peak, top, alive, joined, into):
    """Assign the pixels, highest first, to basins. Returns the number of basins made (dead ones included)."""
    ny, nx = basin.shape
    n_peak = 0
    near = np.empty(8, np.int64)
    for k in range(len(index)):
        j = index[k] // nx
        i = index[k] % nx
        n_near = 0
        for dj in range(-1, 2):
            for di in range(-1, 2):
                if (dj == 0 and di == 0) or not (0 <= j + dj < ny and 0 <= i + di < nx):
                    continue
                b = basin[j + dj, i + di]
                if b < 0:
                    continue
                b = _root(alive, b)
                known = False
                for t in range(n_near):
                    known = known or near[t] == b
                if not known:
                    near[n_near] = b
                    n_near += 1
        if n_near == 0:
            basin[j, i] = n_peak
            peak[n_peak] = index[k]
            top[n_peak] = height[k]
            alive[n_peak] = n_peak
            joined[n_peak] = n_peak
            into[n_peak] = -1
            n_peak += 1
            continue
        best = near[0]
        for t in range(1, n_near):
            if top[near[t]] > top[best]:
                best = near[t]
        basin[j, i] = best
        for t in range(n_near):
            b = near[t]
            if b == best:
                continue
            a = _root(joined, best)
            c = _root(joined, b)
            if a != c:
                joined[c] = a
            local = np.sqrt(max(variance[peak[b] // nx, peak[b] % nx] / sky_variance, 1.0))
            clear = top[b] - height[k]
            if clear < max(saddle_sigma[0] * local, saddle_part[0] * height[k]):
                alive[b] = best
            elif clear < max(saddle_sigma[1] * local, saddle_part[1] * height[k]) and into[b] < 0:
                into[b] = best
    return n_peak


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _grow(basin, alive, index, n_step):
    """Let the basins grow n_step pixels outwards (octagonal) into free pixels; they stop where they meet."""
    ny, nx = basin.shape
    front = index.copy()
    n_front = len(front)
    for k in range(n_front):
        j = front[k] // nx
        i = front[k] % nx
        basin[j, i] = _root(alive, basin[j, i])
    for step in range(n_step):
        fresh = np.empty(8 * n_front + 8, np.int64)
        n = 0
        for k in range(n_front):
            j = front[k] // nx
            i = front[k] % nx
            for dj in range(-1, 2):
                for di in range(-1, 2):
                    if step % 2 == 0 and dj != 0 and di != 0:
                        continue
                    jj = j + dj
                    ii = i + di
                    if 0 <= jj < ny and 0 <= ii < nx and basin[jj, ii] < 0:
                        basin[jj, ii] = basin[j, i]
                        fresh[n] = jj * nx + ii
                        n += 1
        front = fresh[:n].copy()
        n_front = n


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _boxes(basin, number, box, n_pixel):
    """Renumber the basins by `number` (-1 = none) and find their boxes and areas."""
    ny, nx = basin.shape
    for j in range(ny):
        for i in range(nx):
            b = basin[j, i]
            if b < 0:
                continue
            b = number[b]
            basin[j, i] = b
            if b < 0:
                continue
            n_pixel[b] += 1
            if i < box[b, 0]:
                box[b, 0] = i
            if j < box[b, 1]:
                box[b, 1] = j
            if i > box[b, 2]:
                box[b, 2] = i
            if j > box[b, 3]:
                box[b, 3] = j


def find(
    filtered: npt.NDArray[np.float32],
    noise: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]],
    variance: npt.NDArray[np.float32],
    threshold: float,
    n_grow: int = 0,
) -> Footprints:
    """Peaks and footprints above `threshold` sigma.

    filtered : (ny, nx), matched-filtered frame, kernel of square sum 1. Divided by the noise in place: a map of S/N.
    noise    : (grid, x, y): noise of a sky pixel on a grid of places.
    variance : (ny, nx), for the photon noise at a peak.
    n_grow   : pixels by which the footprints grow beyond the threshold's contour.
    """
    shape = filtered.shape
    grid, grid_x, grid_y = noise
    room = max(filtered.size // 16, 1024)
    index, height = np.empty(room, np.int64), np.empty(room, np.float32)
    n = _normalise(filtered, grid, grid_x, grid_y, threshold, index, height)
    if n > room:  # a crowded field: list them all
        index = np.flatnonzero(filtered > threshold)
        height = filtered.ravel()[index]
    else:
        index, height = index[:n], height[:n]
    order = np.argsort(-height, kind="stable")
    index, height = index[order], height[order]
    basin = np.full(shape, -1, np.int32)
    peak, top = np.empty(n, np.int64), np.empty(n, np.float64)
    alive, joined, into = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64)
    sky_variance = float(np.median(grid) ** 2)
    made = _flood(
        index, height, variance, sky_variance, SADDLE_SIGMA, SADDLE_PART, basin, peak, top, alive, joined, into
    )
    _grow(basin, alive[:made], index, n_grow)
    live = np.flatnonzero(alive[:made] == np.arange(made))
    number = np.full(made, -1, np.int64)
    number[live] = np.arange(len(live))
    blend = np.array([_root(joined, k) for k in live], np.int64)
    target = np.array([number[_root(alive, into[k])] if into[k] >= 0 else -1 for k in live], np.int64)
    box, n_pixel = _extent(basin, number, len(live))
    return Footprints(
        basin, peak[live] % shape[1], peak[live] // shape[1], top[live], blend, box, n_pixel, target
    )


def _extent(
    basin: npt.NDArray[np.int32], number: npt.NDArray[np.int64], n: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Renumber the basins in place; boxes (n, 4) and areas (n,)."""
    box = np.empty((n, 4), np.int64)
    box[:, :2], box[:, 2:] = max(basin.shape), -1
    n_pixel = np.zeros(n, np.int64)
    if len(number):
        _boxes(basin, number, box, n_pixel)
    return box, n_pixel


def keep(footprints: Footprints, chosen: npt.NDArray[np.bool_], do_merge: bool = False) -> Footprints:
    """The footprints of the chosen peaks only; the pixels of the others become free.

    do_merge : the pixels of a weak peak go to the brighter one it stands on instead, if that is chosen.
    """
    number = np.where(chosen, np.cumsum(chosen) - 1, -1).astype(np.int64)
    if do_merge:
        for k in np.flatnonzero(~chosen)[np.argsort(-footprints.snr[~chosen], kind="stable")]:  # brighter ones first
            if footprints.into[k] >= 0:
                number[k] = number[footprints.into[k]]
    into = footprints.into[chosen]
    into = np.where(into >= 0, number[np.maximum(into, 0)], -1) if len(into) else into
    box, n_pixel = _extent(footprints.basin, number, int(chosen.sum()))
    return Footprints(
        footprints.basin, footprints.x[chosen], footprints.y[chosen], footprints.snr[chosen],
        footprints.blend[chosen], box, n_pixel, into,
    )  # fmt: skip
