"""The sky under a frame: clipped means in a mesh, and a smooth surface through them.

As hscPipe's SubtractBackground with useApprox: 128-pix bins, Chebyshev polynomials of total order 6, weighted by the
inverse variance of the bin means, the order lowered where bins are missing.
"""

from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt
from numpy.polynomial import chebyshev

from hscdb.errors import DataError

FILLED_MIN = 0.1  # part of a bin that must be usable
TERMS_MAX = 0.75  # terms per good bin


@dataclass(frozen=True)
class Background:
    """A Chebyshev surface over a frame.

    coefficient : (order_y + 1, order_x + 1) [image unit], of T_j(y) T_i(x), x and y scaled to -1..1 over the frame.
    shape       : (ny, nx) of the frame.
    level       : mean of the bins [image unit]; sigma: noise of one pixel of empty sky [image unit].
    """

    coefficient: npt.NDArray[np.float64]
    shape: tuple[int, int]
    level: float
    sigma: float

    def render(self) -> npt.NDArray[np.float32]:
        """The surface at every pixel, (ny, nx) float32."""
        ny, nx = self.shape
        ty = chebyshev.chebvander(_scale(np.arange(ny), ny), self.coefficient.shape[0] - 1)
        tx = chebyshev.chebvander(_scale(np.arange(nx), nx), self.coefficient.shape[1] - 1)
        return (ty @ self.coefficient).astype(np.float32) @ tx.T.astype(np.float32)

    def at(self, x: npt.ArrayLike, y: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """The surface at pixels (x, y)."""
        ny, nx = self.shape
        return np.asarray(chebyshev.chebval2d(_scale(np.asarray(y), ny), _scale(np.asarray(x), nx), self.coefficient))

    def plus(self, other: "Background") -> "Background":
        """The sum of two surfaces of one frame; sigma is that of the other, later one."""
        size = np.maximum(self.coefficient.shape, other.coefficient.shape)
        total = np.zeros(size)
        for part in (self.coefficient, other.coefficient):
            total[: part.shape[0], : part.shape[1]] += part
        return Background(total, self.shape, self.level + other.level, other.sigma)

    def to_table(self) -> npt.NDArray[np.void]:
        """One row per term: order_x, order_y, coefficient."""
        rows = np.zeros(self.coefficient.size, [("order_x", "i2"), ("order_y", "i2"), ("coefficient", "f8")])
        rows["order_y"], rows["order_x"] = (index.ravel() for index in np.indices(self.coefficient.shape))
        rows["coefficient"] = self.coefficient.ravel()
        return rows

    @classmethod
    def from_table(
        cls, rows: npt.NDArray[np.void], shape: tuple[int, int], level: float = np.nan, sigma: float = np.nan
    ) -> "Background":
        """The surface that `to_table` wrote."""
        coefficient = np.zeros((int(rows["order_y"].max()) + 1, int(rows["order_x"].max()) + 1))
        coefficient[rows["order_y"], rows["order_x"]] = rows["coefficient"]
        return cls(coefficient, shape, level, sigma)


@dataclass(frozen=True)
class Mesh:
    """Clipped statistics of bins; arrays (n_bin_y, n_bin_x). `x`, `y` are bin centres [pix], (n_bin_x,), (n_bin_y,)."""

    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    mean: npt.NDArray[np.float64]
    sigma: npt.NDArray[np.float64]
    n_pixel: npt.NDArray[np.int64]
    is_good: npt.NDArray[np.bool_]


def _scale(x: npt.ArrayLike, n: int) -> npt.NDArray[np.float64]:
    """Pixels 0 .. n-1 to -1 .. 1."""
    return (2.0 * np.asarray(x, dtype=np.float64) - (n - 1)) / max(n - 1, 1)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _middle(some):
    """Median of an array, which is reordered: Hoare's selection (numba's np.median takes seconds to compile)."""
    n = len(some)
    k = n // 2
    left = 0
    right = n - 1
    while left < right:
        pivot = some[k]
        i = left
        j = right
        while i <= j:
            while some[i] < pivot:
                i += 1
            while some[j] > pivot:
                j -= 1
            if i <= j:
                some[i], some[j] = some[j], some[i]
                i += 1
                j -= 1
        if j < k:
            left = i
        if i > k:
            right = j
    upper = np.float64(some[k])
    if n % 2 == 1:
        return upper
    lower = some[0]
    for i in range(1, k):
        lower = max(lower, some[i])
    return 0.5 * (np.float64(lower) + upper)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _bins(data, mask, bad, edge_y, edge_x, clip, n_iteration, mean, sigma, n_pixel):
    longest = (edge_y[1:] - edge_y[:-1]).max() * (edge_x[1:] - edge_x[:-1]).max()
    values = np.empty(longest, np.float32)
    for q in range(len(edge_y) - 1):
        for p in range(len(edge_x) - 1):
            n = 0
            for j in range(edge_y[q], edge_y[q + 1]):
                for i in range(edge_x[p], edge_x[p + 1]):
                    if mask[j, i] & bad == 0 and np.isfinite(data[j, i]):
                        values[n] = data[j, i]
                        n += 1
            n_pixel[q, p] = n
            if n < 10:
                mean[q, p] = np.nan
                sigma[q, p] = np.nan
                continue
            some = values[: n : max(1, n // 2000)].copy()  # enough to start the clipping from
            center = _middle(some)
            for k in range(len(some)):
                some[k] = abs(some[k] - np.float32(center))
            spread = 1.4826 * _middle(some)
            for _ in range(n_iteration):
                low = center - clip * spread
                high = center + clip * spread
                total = 0.0
                total2 = 0.0
                kept = 0
                for k in range(n):
                    d = values[k]
                    if low <= d <= high:
                        d -= center
                        total += d
                        total2 += d * d
                        kept += 1
                if kept < 2:
                    break
                shift = total / kept
                spread = np.sqrt(max(total2 / kept - shift * shift, 0.0))
                center += shift
            mean[q, p] = center
            sigma[q, p] = spread


def mesh(
    data: npt.NDArray[np.float32],
    mask: npt.NDArray[np.int32],
    bad: int,
    size: int = 128,
    clip: float = 3.0,
    n_iteration: int = 3,
) -> Mesh:
    """Clipped mean and scatter in bins of about `size` pixels, without pixels whose mask has a bit of `bad`.

    Bins divide the frame evenly, so that none is a sliver; a frame smaller than two bins is halved in that direction.
    """
    ny, nx = data.shape
    edge_y = np.linspace(0, ny, max(2, round(ny / size)) + 1).astype(np.int64)
    edge_x = np.linspace(0, nx, max(2, round(nx / size)) + 1).astype(np.int64)
    shape = (len(edge_y) - 1, len(edge_x) - 1)
    mean, sigma, n_pixel = np.empty(shape), np.empty(shape), np.empty(shape, np.int64)
    _bins(data, mask, bad, edge_y, edge_x, clip, n_iteration, mean, sigma, n_pixel)
    area = np.diff(edge_y)[:, None] * np.diff(edge_x)[None, :]
    is_good = np.isfinite(mean) & (n_pixel >= FILLED_MIN * area)
    middle = [(edge[1:] + edge[:-1] - 1) / 2 for edge in (edge_x, edge_y)]
    return Mesh(middle[0], middle[1], mean, sigma, n_pixel, is_good)


def fit(bins: Mesh, shape: tuple[int, int], order: int = 6) -> Background:
    """Chebyshev surface of total order `order` through the good bins, weighted by n_pixel / sigma^2.

    The order along an axis stays below the number of good bins along it, the number of terms below three quarters of
    the number of good bins: the surface must not follow the noise of each.
    DataError `no_pixels` if there is no good bin.
    """
    good = bins.is_good
    if not good.any():
        raise DataError(
            "background: no bin of the mesh has usable pixels. Look at the mask of the frame.", code="no_pixels"
        )
    most_x = min(order, int(good.any(axis=0).sum()) - 1)
    most_y = min(order, int(good.any(axis=1).sum()) - 1)
    y, x = np.meshgrid(_scale(bins.y, shape[0]), _scale(bins.x, shape[1]), indexing="ij")
    total = order
    while True:
        terms = [(j, i) for j in range(most_y + 1) for i in range(most_x + 1) if i + j <= total]
        if len(terms) <= max(1, TERMS_MAX * good.sum()):
            break
        total -= 1
    sigma = np.where(bins.sigma[good] > 0, bins.sigma[good], np.nan)
    floor = np.nanmedian(sigma) if np.isfinite(sigma).any() else 1.0
    weight = np.sqrt(bins.n_pixel[good]) / np.where(np.isfinite(sigma), np.maximum(sigma, 0.1 * floor), floor)
    basis = chebyshev.chebvander2d(y[good], x[good], [most_y, most_x]).reshape(-1, most_y + 1, most_x + 1)
    design = np.stack([basis[:, j, i] for j, i in terms], axis=1)
    solution = np.linalg.lstsq(design * weight[:, None], bins.mean[good] * weight, rcond=1e-10)[0]
    coefficient = np.zeros((most_y + 1, most_x + 1))
    for (j, i), value in zip(terms, solution, strict=True):
        coefficient[j, i] = value
    return Background(coefficient, shape, float(bins.mean[good].mean()), float(np.median(bins.sigma[good])))


def estimate(
    data: npt.NDArray[np.float32], mask: npt.NDArray[np.int32], bad: int, size: int = 128, order: int = 6
) -> Background:
    """The background of a frame: `mesh`, then `fit`. Pixels whose mask has a bit of `bad` are left out."""
    return fit(mesh(data, mask, bad, size), (data.shape[0], data.shape[1]), order)
