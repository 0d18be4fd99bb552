"""Brighter-fatter: charge that lies in a pixel pushes later charge out of it; where stars are, that is undone.

Of the charge T that would have been collected, O = T - div(T grad(K * T)) / 2 is found (Coulton et al. 2018, AJ 155,
258); hscPipe iterates T' = O + div(T grad(K * T)) / 2. Here the flow is counted through the pixels' edges, so that no
charge is made or lost, it is that of the charge collected (before dark and flat), and only what lies around something
bright is touched: 2000 electrons above the sky the correction is a hundredth of the photon noise. Work goes by tiles;
in each a box holds what is to be done, and shrinks from round to round.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from hscdb.image.mask import EDGE

_EDGE = int(EDGE)
TILE = 64
_LEAST_E = 4.0  # a tile whose pixels change by less in a round is done: each round changes a tenth of the one before
_LITTLE_E = 0.5  # ... and pixels that change by less are left alone in the next one: 1 of 600 is not, after the first
_LANES = 16  # widths are multiples of it, which is what fills the processors' vectors

Plane = npt.NDArray[np.float32]
Box = npt.NDArray[np.int64]  # (4,) first and end row, first and end column of the frame; first >= end: empty
Boxes = npt.NDArray[np.int64]  # (n, n, 4) of all tiles


@dataclass(frozen=True)
class Found:
    """n_tile: tiles corrected; n_round: rounds taken by the slowest; moved_e: sum of |charge moved| [electron]."""

    n_tile: int
    n_round: int
    moved_e: float


def factors(kernel: npt.NDArray[np.float64], part: float = 3e-3) -> tuple[Plane, Plane]:
    """The kernel as a sum of products: u, v (n_term, half + 1), kernel[y, x] = sum v[k, |y - half|] u[k, |x - half|].

    kernel : (n, n), n odd, symmetric under both mirrors [1/electron].
    part   : singular values below this part of the largest are left out (HSC's 17 x 17: 4 terms of 9 are kept).
    ValueError if it is not such a kernel.
    """
    n = kernel.shape[0]
    if kernel.shape != (n, n) or n % 2 == 0:
        raise ValueError(f"a kernel of {kernel.shape[1]} x {kernel.shape[0]} pixels is not square with an odd side")
    if np.abs(kernel - kernel[::-1]).max() + np.abs(kernel - kernel[:, ::-1]).max() > 1e-6 * np.abs(kernel).max():
        raise ValueError("the kernel is not its own mirror image")
    left, size, right = np.linalg.svd(kernel)
    kept = size > part * size[0]
    v, u = (left * size).T[kept, n // 2 :], right[kept, n // 2 :]
    return u.astype(np.float32), v.astype(np.float32)


@njit(cache=True, nogil=True)
def _bright(image: Plane, level: float, reach: int, boxes: Boxes) -> int:
    """Set the box of each tile (first and end row, first and end column) that holds what lies within reach of a pixel
    above a level; returns how many tiles have one, the others' boxes are left as they are."""
    ny, nx = image.shape
    n_tile = 0
    for y in range(ny):
        row = image[y]
        for x in range(nx):
            if row[x] > level:
                below, above = max(y - reach, 0), min(y + reach, ny - 1)
                left, right = max(x - reach, 0), min(x + reach, nx - 1)
                for b in range(below // TILE, above // TILE + 1):
                    for a in range(left // TILE, right // TILE + 1):
                        box = boxes[b, a]
                        n_tile += box[0] >= box[1]
                        box[0], box[1] = min(box[0], max(below, b * TILE)), max(box[1], min(above + 1, (b + 1) * TILE))
                        box[2], box[3] = min(box[2], max(left, a * TILE)), max(box[3], min(right + 1, (a + 1) * TILE))
    return n_tile


@njit(cache=True, nogil=True)
def _gather(
    image: Plane, flat: Plane, has_flat: bool, dark: Plane, dark_s: float, moved: Plane, y0: int, x0: int, level: float,
    out: Plane,
) -> None:  # fmt: skip
    """The charge in a window with its first pixel at (y0, x0), repeated beyond the edges of the frame."""
    ny, nx = image.shape
    first, end = max(x0, 0), min(x0 + out.shape[1], nx)
    empty = np.float32(level)
    seconds = np.float32(dark_s)
    for j in range(out.shape[0]):
        y = min(max(y0 + j, 0), ny - 1)
        row, charge, change = out[j, first - x0 : end - x0], image[y, first:end], moved[y, first:end]
        for i in range(row.size):  # short loops over slices: each is vectorized
            row[i] = charge[i]
        if has_flat:
            response = flat[y, first:end]
            for i in range(row.size):
                row[i] *= response[i] if response[i] == response[i] else np.float32(1.0)
        if dark_s != 0.0:
            current = dark[y, first:end]
            for i in range(row.size):
                row[i] += current[i] * seconds
        for i in range(row.size):
            one = row[i] + change[i]
            row[i] = one if one == one else empty
        out[j, : first - x0] = row[0]
        out[j, end - x0 :] = row[row.size - 1]


@njit(cache=True, nogil=True)
def _convolve(charge: Plane, u: Plane, v: Plane, along: Plane, pull: Plane) -> None:
    """pull = K * charge where the kernel lies inside; along is room of (rows of charge, columns of pull)."""
    half = u.shape[1] - 1
    pull[:] = np.float32(0.0)
    n_row, n_column = along.shape
    for k in range(u.shape[0]):
        for j in range(n_row):  # loops over slices from 0 are vectorized, those with offsets in the index are not
            out, middle = along[j], charge[j, half : half + n_column]
            c = u[k, 0]
            for i in range(n_column):
                out[i] = c * middle[i]
            for d in range(1, half + 1, 2):  # two at a time: half the reading and writing of out
                e = min(d + 1, half)
                c, f = u[k, d], u[k, e] if e > d else np.float32(0.0)
                left, right = charge[j, half - d : half - d + n_column], charge[j, half + d : half + d + n_column]
                west, east = charge[j, half - e : half - e + n_column], charge[j, half + e : half + e + n_column]
                for i in range(n_column):
                    out[i] += c * (left[i] + right[i]) + f * (west[i] + east[i])
        for j in range(pull.shape[0]):
            out, middle = pull[j], along[j + half]
            c = v[k, 0]
            for i in range(n_column):
                out[i] += c * middle[i]
            for d in range(1, half + 1, 2):
                e = min(d + 1, half)
                c, f = v[k, d], v[k, e] if e > d else np.float32(0.0)
                left, right = along[j + half - d], along[j + half + d]
                west, east = along[j + half - e], along[j + half + e]
                for i in range(n_column):
                    out[i] += c * (left[i] + right[i]) + f * (west[i] + east[i])


@njit(cache=True, nogil=True, fastmath={"reassoc", "nsz", "contract"})
def _flow(charge: Plane, pull: Plane, margin: int, box: Box, border: int, moved: Plane) -> float:
    """Write div(T grad(K * T)) / 2 of a box to `moved`, and what of it is not done yet to `box`. The largest change."""
    ny, nx = moved.shape
    most = np.float32(0.0)
    quarter, little = np.float32(0.25), np.float32(_LITTLE_E)
    y0, y1, x0, x1 = box[0], box[1], box[2], box[3]
    first, end = max(x0, border), min(x1, nx - border)
    n, i = max(end - first, 0), first - x0 + 1
    change = np.empty(n, np.float32)
    box[:] = y1, y0, x1, x0
    for y in range(max(y0, border), min(y1, ny - border)):
        j = y - y0 + 1
        k = i + margin
        t, west, east = charge[j + margin, k : k + n], charge[j + margin, k - 1 :], charge[j + margin, k + 1 :]
        south, north = charge[j + margin - 1, k : k + n], charge[j + margin + 1, k : k + n]
        p, p_west, p_east = pull[j, i : i + n], pull[j, i - 1 :], pull[j, i + 1 :]
        p_south, p_north = pull[j - 1, i : i + n], pull[j + 1, i : i + n]
        out = moved[y, first : first + n]
        here = np.float32(0.0)
        for x in range(n):
            flow = (t[x] + east[x]) * (p_east[x] - p[x]) - (t[x] + west[x]) * (p[x] - p_west[x])
            flow += (t[x] + north[x]) * (p_north[x] - p[x]) - (t[x] + south[x]) * (p[x] - p_south[x])
            change[x] = abs(quarter * flow - out[x])
            here = max(here, change[x])
            out[x] = quarter * flow
        most = max(most, here)
        if here > little:
            box[0], box[1] = min(box[0], y), y + 1
            x = 0
            while change[x] <= little:
                x += 1
            box[2] = min(box[2], first + x)
            x = n - 1
            while change[x] <= little:
                x -= 1
            box[3] = max(box[3], first + x + 1)
    box[0], box[1], box[2], box[3] = max(box[0] - 2, y0), min(box[1] + 2, y1), max(box[2] - 2, x0), min(box[3] + 2, x1)
    return float(most)


@njit(cache=True, nogil=True)
def _correct(
    image: Plane, flat: Plane, has_flat: bool, dark: Plane, dark_s: float, level: float, u: Plane, v: Plane,
    boxes: Boxes, n_round_max: int, border: int, moved: Plane,
) -> tuple[int, float]:  # fmt: skip
    """Rounds over the boxes that are open, until none is; then what was moved is added. Rounds, sum of |moved|."""
    half = u.shape[1] - 1
    side = -(-(TILE + 2) // _LANES) * _LANES
    room_charge = np.empty((side + 2 * half) ** 2, np.float32)
    room_along = np.empty((side + 2 * half) * side, np.float32)
    room_pull = np.empty(side * side, np.float32)
    is_open, left = boxes[:, :, 0] < boxes[:, :, 1], boxes.copy()
    n_round = 0
    while n_round < n_round_max and is_open.any():
        n_round += 1
        for b in range(boxes.shape[0]):
            for a in range(boxes.shape[1]):
                if is_open[b, a]:
                    box = left[b, a]
                    n_row, n_column = box[1] - box[0] + 2, -(-(box[3] - box[2] + 2) // _LANES) * _LANES
                    wide = n_column + 2 * half
                    charge = room_charge[: (n_row + 2 * half) * wide].reshape((n_row + 2 * half, wide))
                    along = room_along[: (n_row + 2 * half) * n_column].reshape((n_row + 2 * half, n_column))
                    pull = room_pull[: n_row * n_column].reshape((n_row, n_column))
                    window_y, window_x = box[0] - 1 - half, box[2] - 1 - half
                    _gather(image, flat, has_flat, dark, dark_s, moved, window_y, window_x, level, charge)
                    _convolve(charge, u, v, along, pull)
                    is_open[b, a] = _flow(charge, pull, half, box, border, moved) >= _LEAST_E
    total = 0.0
    for b in range(boxes.shape[0]):
        for a in range(boxes.shape[1]):
            box = boxes[b, a]
            for y in range(box[0], box[1]):
                for x in range(box[2], box[3]):
                    one = moved[y, x]
                    total += abs(one)
                    if not has_flat:
                        image[y, x] += one
                    elif flat[y, x] > 0.0:
                        image[y, x] += one / flat[y, x]
    return n_round, total


def correct(
    image: Plane,
    mask: npt.NDArray[np.int32],
    kernel: npt.NDArray[np.float64],
    sky_e: float,
    *,
    flat: Plane | None = None,
    dark: Plane | None = None,
    dark_s: float = 0.0,
    least_e: float = 2000.0,
    n_round_max: int = 10,
    border_pix: int = 8,
) -> Found:
    """Undo the brighter-fatter effect in place.

    image      : (ny, nx) electrons, dark subtracted, flat divided, holes filled.
    mask       : EDGE is set in a border of border_pix, where the charge beyond is not known and nothing is corrected.
    kernel     : (n, n) [1/electron], negative, as `camera.brighter_fatter`.
    sky_e      : level of the sky; tiles are corrected that have a pixel least_e above it.
    flat, dark : what was applied (dark [e/s] dark_s times): the charge collected is image * flat + dark * dark_s.
    """
    u, v = factors(kernel)
    ny, nx = image.shape
    boxes = np.zeros((-(-ny // TILE), -(-nx // TILE), 4), np.int64)
    boxes[:, :, ::2] = max(ny, nx)
    n_tile = _bright(image, sky_e + least_e, kernel.shape[0] // 2 + 2, boxes)
    if border_pix:
        for edge in (np.s_[:border_pix], np.s_[-border_pix:], np.s_[:, :border_pix], np.s_[:, -border_pix:]):
            mask[edge] |= _EDGE
    if n_tile == 0:
        return Found(0, 0, 0.0)
    none = np.zeros((1, 1), np.float32)
    moved = np.zeros((ny, nx), np.float32)  # pages of tiles that are left alone are never touched
    n_round, moved_e = _correct(
        image, none if flat is None else flat, flat is not None, none if dark is None else dark,
        0.0 if dark is None else dark_s, sky_e, u, v, boxes, n_round_max, border_pix, moved,
    )  # fmt: skip
    return Found(n_tile, n_round, float(moved_e))
