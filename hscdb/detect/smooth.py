"""The matched filter: a frame correlated with its PSF, written as a sum of few separable kernels."""

import numba
import numpy as np
import numpy.typing as npt


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _correlate(data, along_y, along_x, out):
    """out += data correlated with along_y[:, None] * along_x[None, :]; beyond the frame is zero.

    Rows are filtered once, kept in a ring of as many rows as the kernel is high, and summed: the frame is read once.
    """
    ny, nx = data.shape
    n = len(along_x)
    m = len(along_y)
    half_x = n // 2
    half_y = m // 2
    ring = np.zeros((m, nx), np.float32)
    for j in range(ny + half_y):
        row = ring[j % m]
        row[:] = np.float32(0.0)
        if j < ny:
            for t in range(n):
                weight = along_x[t]
                first = t - half_x
                i0 = max(0, -first)
                i1 = min(nx, nx - first)
                source = data[j, i0 + first : i1 + first]
                target = row[i0:i1]
                for i in range(i1 - i0):
                    target[i] += weight * source[i]
        k = j - half_y
        if k >= 0:
            target = out[k]
            for t in range(m):
                above = k + t - half_y
                if above < 0 or above >= ny:
                    continue
                weight = along_y[t]
                source = ring[above % m]
                for i in range(nx):
                    target[i] += weight * source[i]


def matched_filter(
    data: npt.NDArray[np.float32], stamp: npt.NDArray[np.float64], loss_max: float = 0.005, rank_max: int = 3
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """Correlate a frame with a PSF stamp.

    The stamp is replaced by the leading terms of its singular value decomposition, as many as keep its square to
    1 - loss_max (2 to 3 for real PSFs, 1 for a Gaussian): each costs two passes of one dimension.
    Returns the correlation (ny, nx) float32, with sum(kernel^2) = 1, so that it is a signal-to-noise ratio where the
    noise of a pixel is 1; and the kernel used (n, n).
    """
    left, value, right = np.linalg.svd(stamp)
    power = np.cumsum(value**2) / np.sum(value**2)
    rank = min(rank_max, int(np.searchsorted(power, 1.0 - loss_max)) + 1)
    kernel = (left[:, :rank] * value[:rank]) @ right[:rank]
    norm = np.sqrt(np.sum(kernel**2))
    out = np.zeros(data.shape, np.float32)
    for k in range(rank):
        scale = value[k] / norm
        _correlate(data, (left[:, k] * scale).astype(np.float32), right[k].astype(np.float32), out)
    return out, kernel / norm
