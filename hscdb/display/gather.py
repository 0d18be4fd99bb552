"""Many frames on one grid of the sky: the mean of the pixels that no mask condemns. For pictures, not for measuring.

A pixel of the grid takes from each frame the bilinear mean of the good ones among the four pixels around its place.
Where no frame has a good one it takes what there is, and their mask with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from numba import njit

from hscdb.image import mask as planes
from hscdb.sky.wcs import Wcs

STEP = 32  # [pix] between the nodes of the map from the grid to a frame: off by 0.003 pix at HSC's rim
# what is left out where another frame has better; the rest (DETECTED, SUSPECT, EDGE, ...) is light of the sky
CONDEMNED = int(planes.word("BAD", "SAT", "INTRP", "CR", "NO_DATA", "UNMASKEDNAN", "STREAK"))
_GOOD_MIN = 1e-3  # weight of the good among four pixels from which on they stand for them
_FAINT = 1e-12  # weight of condemned pixels: any good one outweighs them, alone they are all there is


@njit(cache=True, nogil=True)
def _add(
    total: np.ndarray, weight: np.ndarray, words: np.ndarray, nodes: np.ndarray, step: int, pixels: np.ndarray,
    mask: np.ndarray, condemned: int, lost: int,
) -> None:  # fmt: skip
    """Add a frame to a part of the grid. nodes: (3, ., .) x, y and factor at every step-th pixel of that part."""
    n_row, n_column = total.shape
    height, width = pixels.shape
    for j in range(n_row):
        m, t = j // step, (j % step) / step
        for i in range(n_column):
            k, s = i // step, (i % step) / step
            a, b, c, d = (1 - s) * (1 - t), s * (1 - t), (1 - s) * t, s * t
            x = a * nodes[0, m, k] + b * nodes[0, m, k + 1] + c * nodes[0, m + 1, k] + d * nodes[0, m + 1, k + 1]
            y = a * nodes[1, m, k] + b * nodes[1, m, k + 1] + c * nodes[1, m + 1, k] + d * nodes[1, m + 1, k + 1]
            if not (x > -0.5 and y > -0.5 and x < width - 0.5 and y < height - 0.5):
                continue  # off the frame, or not a number
            i0, j0 = min(max(int(np.floor(x)), 0), width - 2), min(max(int(np.floor(y)), 0), height - 2)
            u, v = min(max(x - i0, 0.0), 1.0), min(max(y - j0, 0.0), 1.0)
            good, bad, good_sum, bad_sum, good_word, bad_word = 0.0, 0.0, 0.0, 0.0, 0, 0
            for q in range(2):
                for p in range(2):
                    share = (u if p else 1 - u) * (v if q else 1 - v)
                    value, word = pixels[j0 + q, i0 + p], mask[j0 + q, i0 + p]
                    if share == 0.0 or not np.isfinite(value) or word & lost:
                        continue
                    if word & condemned:
                        bad, bad_sum, bad_word = bad + share, bad_sum + share * value, bad_word | word
                    else:
                        good, good_sum, good_word = good + share, good_sum + share * value, good_word | word
            has_good = weight[j, i] >= _GOOD_MIN
            if good >= _GOOD_MIN:
                factor = (
                    a * nodes[2, m, k] + b * nodes[2, m, k + 1] + c * nodes[2, m + 1, k] + d * nodes[2, m + 1, k + 1]
                )
                total[j, i] += factor * good_sum
                weight[j, i] += good
                words[j, i] = words[j, i] | good_word if has_good else good_word
            elif bad > 0.0:
                factor = nodes[2, m, k]
                total[j, i] += _FAINT * factor * bad_sum
                weight[j, i] += _FAINT * bad
                if not has_good:
                    words[j, i] |= bad_word


@dataclass
class Grid:
    """A box of a tract that frames are added to; it needs 12 bytes per pixel, however many frames there are.

    wcs : of the tract.    x0, y0, width, height : the box [pix of the tract].
    """

    wcs: Wcs
    x0: int
    y0: int
    width: int
    height: int
    total: npt.NDArray[np.float32] = field(init=False)
    weight: npt.NDArray[np.float32] = field(init=False)
    words: npt.NDArray[np.int32] = field(init=False)

    def __post_init__(self) -> None:
        shape = self.height, self.width
        self.total, self.weight = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        self.words = np.zeros(shape, np.int32)

    def add(self, pixels: npt.NDArray[np.float32], mask: npt.NDArray[np.int32], wcs: Wcs, factor: float) -> int:
        """Add a frame (ny, nx) of this WCS; how many pixels of the box it may reach.

        factor : flux of one of its counts. The box gets flux per pixel of the tract: a star's pixels add up to its
        flux.
        """
        part = self._reached(pixels.shape, wcs)
        if part is None:
            return 0
        rows, columns = part
        nodes = self._nodes(rows, columns, wcs, factor)
        _add(
            self.total[rows, columns], self.weight[rows, columns], self.words[rows, columns], nodes, STEP, pixels, mask,
            CONDEMNED, int(planes.NO_DATA),
        )  # fmt: skip
        return (rows.stop - rows.start) * (columns.stop - columns.start)

    def _reached(self, shape: tuple[int, ...], wcs: Wcs) -> tuple[slice, slice] | None:
        """The rows and columns of the box that a frame may lie on."""
        along = np.linspace(0.0, 1.0, 9)
        x, y = along * shape[1] - 0.5, along * shape[0] - 0.5
        left, right, bottom, top = (np.full(9, edge) for edge in (-0.5, x[-1], -0.5, y[-1]))
        ra, dec = wcs.pixel_to_sky(np.concatenate([x, x, left, right]), np.concatenate([bottom, top, y, y]))
        at_x, at_y = self.wcs.sky_to_pixel(ra, dec)
        columns = slice(max(int(at_x.min() - self.x0) - 1, 0), min(int(at_x.max() - self.x0) + 2, self.width))
        rows = slice(max(int(at_y.min() - self.y0) - 1, 0), min(int(at_y.max() - self.y0) + 2, self.height))
        return (rows, columns) if rows.stop > rows.start and columns.stop > columns.start else None

    def _nodes(self, rows: slice, columns: slice, wcs: Wcs, factor: float) -> npt.NDArray[np.float64]:
        """(3, ., .): pixel x, y of the frame, and flux per count times the ratio of pixel areas."""
        i = np.arange(columns.start, columns.stop + STEP, STEP) + self.x0
        j = np.arange(rows.start, rows.stop + STEP, STEP) + self.y0
        grid_x, grid_y = np.meshgrid(i.astype(np.float64), j.astype(np.float64))
        x, y = wcs.sky_to_pixel(*self.wcs.pixel_to_sky(grid_x, grid_y))
        ratio = self.wcs.pixel_area(grid_x, grid_y) / wcs.pixel_area(x, y)
        return np.stack([x, y, factor * ratio])

    def mean(self) -> npt.NDArray[np.float32]:
        """(height, width): flux per pixel of the tract; NaN where no frame lies."""
        empty = np.full_like(self.total, np.nan)
        return np.divide(self.total, self.weight, out=empty, where=self.weight > 0)
