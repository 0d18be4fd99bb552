"""Cosmic rays: pixels sharper than the PSF allows (the local conditions of SDSS and hscPipe)."""

import numba
import numpy as np
import numpy.typing as npt

from hscdb.image import mask as planes

SPOILT = int(planes.word("BAD", "SAT", "INTRP", "NO_DATA", "UNMASKEDNAN"))


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _is_sharp(data, variance, j, i, n_sigma, c1, ratio_x, ratio_y, ratio_d):
    """Conditions 2 and 3 at a pixel: higher than the mean of two opposite neighbours, and sharper than the PSF."""
    v = data[j, i]
    sigma = np.sqrt(variance[j, i])
    high = False
    sharp = False
    for d in range(4):
        if d == 0:
            a = data[j, i - 1] + data[j, i + 1]
            va = variance[j, i - 1] + variance[j, i + 1]
            ratio = ratio_x
        elif d == 1:
            a = data[j - 1, i] + data[j + 1, i]
            va = variance[j - 1, i] + variance[j + 1, i]
            ratio = ratio_y
        elif d == 2:
            a = data[j - 1, i - 1] + data[j + 1, i + 1]
            va = variance[j - 1, i - 1] + variance[j + 1, i + 1]
            ratio = ratio_d
        else:
            a = data[j - 1, i + 1] + data[j + 1, i - 1]
            va = variance[j - 1, i + 1] + variance[j + 1, i - 1]
            ratio = ratio_d
        mean = 0.5 * a
        if v > mean + n_sigma * sigma:
            high = True
        if ratio * (v - c1 * sigma) > mean + c1 * 0.5 * np.sqrt(va):
            sharp = True
    return high and sharp


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _replace(data, state, j, i):
    """Mean of the neighbours of a pixel that are not hit themselves; of the wider ring if all are."""
    ny, nx = data.shape
    for reach in range(1, 4):
        total = 0.0
        n = 0
        for dj in range(-reach, reach + 1):
            for di in range(-reach, reach + 1):
                if not (0 <= j + dj < ny and 0 <= i + di < nx):
                    continue
                if (dj != 0 or di != 0) and state[j + dj, i + di] == 0:
                    total += data[j + dj, i + di]
                    n += 1
        if n >= 2:
            return total / n
    return 0.0


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _seek(data, variance, mask, spoilt, n_sigma, c1, ratios, state, index, value):
    """First pass over the frame: list the sharp pixels with their values, and replace each at once."""
    ny, nx = data.shape
    n = 0
    gate = 0.25 * n_sigma * n_sigma  # below half n_sigma no pixel can stand n_sigma above two neighbours' mean
    for j in range(1, ny - 1):
        for i in range(1, nx - 1):
            v = data[j, i]
            if not (v > 0.0 and v * v > gate * variance[j, i]):
                continue
            if mask[j, i] & spoilt or (mask[j, i - 1] | mask[j, i + 1] | mask[j - 1, i] | mask[j + 1, i]) & spoilt:
                continue
            if _is_sharp(data, variance, j, i, n_sigma, c1, ratios[0], ratios[1], ratios[2]):
                if n == len(index):
                    return n
                index[n] = j * nx + i
                value[n] = v
                state[j, i] = 1
                data[j, i] = _replace(data, state, j, i)
                n += 1
    return n


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _spread(data, variance, mask, spoilt, n_sigma, ratios, n_pass, state, index, value, n):
    """Grow the hits: their neighbours need half the height and no margin.

    Before each pass all hits are filled again: what was known of a hit's neighbours when it was found had the rest of
    its track in it, beside which the fainter rim of the track does not stand out.
    """
    ny, nx = data.shape
    first = 0
    for _ in range(n_pass):
        last = n
        for k in range(last):
            data[index[k] // nx, index[k] % nx] = _replace(data, state, index[k] // nx, index[k] % nx)
        for k in range(first, last):
            j = index[k] // nx
            i = index[k] % nx
            for dj in range(-1, 2):
                for di in range(-1, 2):
                    jj = j + dj
                    ii = i + di
                    if not (1 <= jj < ny - 1 and 1 <= ii < nx - 1) or state[jj, ii] != 0 or mask[jj, ii] & spoilt:
                        continue
                    if _is_sharp(data, variance, jj, ii, 0.5 * n_sigma, 0.0, ratios[0], ratios[1], ratios[2]):
                        if n == len(index):
                            return n
                        index[n] = jj * nx + ii
                        value[n] = data[jj, ii]
                        state[jj, ii] = 1
                        data[jj, ii] = _replace(data, state, jj, ii)
                        n += 1
        first = last
        if n == last:
            break
    return n


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _group(data, mask, state, index, order, value, n, sum_min, set_bits):
    """Join hits that touch; drop (and restore) those of too little charge; mask and fill the others.

    order : of index[:n], ascending.
    Returns the number of cosmic rays.
    """
    ny, nx = data.shape
    for k in range(n):  # the final values: from neighbours that are all known now
        data[index[k] // nx, index[k] % nx] = _replace(data, state, index[k] // nx, index[k] % nx)
    where = np.empty(n, np.int64)
    stack = np.empty(n, np.int64)
    n_ray = 0
    for start in range(n):
        j0 = index[start] // nx
        i0 = index[start] % nx
        if state[j0, i0] != 1:
            continue
        top = 0
        stack[0] = start
        state[j0, i0] = 2
        n_member = 0
        total = 0.0
        while top >= 0:
            k = stack[top]
            top -= 1
            where[n_member] = k
            n_member += 1
            j = index[k] // nx
            i = index[k] % nx
            total += value[k] - data[j, i]
            for dj in range(-1, 2):
                for di in range(-1, 2):
                    jj = j + dj
                    ii = i + di
                    if 0 <= jj < ny and 0 <= ii < nx and state[jj, ii] == 1:
                        state[jj, ii] = 2
                        top += 1
                        low = 0
                        high = n
                        while high - low > 1:
                            middle = (low + high) // 2
                            if index[order[middle]] <= jj * nx + ii:
                                low = middle
                            else:
                                high = middle
                        stack[top] = order[low]
        if total >= sum_min:
            n_ray += 1
            for t in range(n_member):
                mask[index[where[t]] // nx, index[where[t]] % nx] |= set_bits
        else:
            for t in range(n_member):
                k = where[t]
                data[index[k] // nx, index[k] % nx] = value[k]
    return n_ray


def remove(
    data: npt.NDArray[np.float32],
    variance: npt.NDArray[np.float32],
    mask: npt.NDArray[np.int32],
    stamp: npt.NDArray[np.float64],
    n_sigma: float = 6.0,
    sum_min: float = 150.0,
    c1: float = 2.5,
    c2: float = 0.7,
    n_grow: int = 12,
    n_pixel_max: int = 1_000_000,
) -> int:
    """Find cosmic rays, fill them from their surroundings and set CR and INTRP; returns their number.

    data, variance, mask : background-subtracted frame, changed in place.
    stamp   : PSF (n, n); a pixel is a hit where it is sharper than c2 times the PSF.
    n_sigma : height above the mean of two opposite neighbours (minSigma). sum_min : least charge [e]; hscPipe's min_DN,
              450 e, leaves single pixels of up to 17 sigma on 30 s frames, 20 false sources on each.
    c1, c2  : hscPipe's cond3_fac and cond3_fac2. Its framework's c2 = 0.6 finds 92 % of the pixels above 5 sigma among
              stars at 0.4 arcsec seeing, 0.7 finds 96 %; with the frame's own PSF no star is hit by either.
    n_grow  : passes of growth; the faint end of a track is longer than hscPipe's 3. n_pixel_max : most pixels found.
    """
    half = stamp.shape[0] // 2
    core = stamp[half, half]
    along_x = stamp[half, half - 1] + stamp[half, half + 1]
    along_y = stamp[half - 1, half] + stamp[half + 1, half]
    corners = stamp[half - 1 : half + 2 : 2, half - 1 : half + 2 : 2].sum()
    ratios = c2 / core * np.array([along_x / 2, along_y / 2, corners / 4])
    state = np.zeros(data.shape, np.uint8)
    room = min(n_pixel_max, max(data.size // 8, 1000))
    index, value = np.empty(room, np.int64), np.empty(room, np.float32)
    n = _seek(data, variance, mask, SPOILT, n_sigma, c1, ratios, state, index, value)
    n = _spread(data, variance, mask, SPOILT, n_sigma, ratios, n_grow, state, index, value, n)
    order = np.argsort(index[:n])
    return int(_group(data, mask, state, index, order, value, n, sum_min, int(planes.word("CR", "INTRP"))))
