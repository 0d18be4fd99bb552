"""The loops over all pixels: photons to electrons, bleeding, electrons to numbers. Compiled.

Random numbers come from splitmix64, each kernel call with its own seed; a normal deviate is the sum of two draws from a
table of 65536 quantiles, exactly normal in the middle and reaching to 6 sigma, at about 3 ns.
"""

import numba
import numpy as np
from scipy.special import ndtri

NORMAL = (ndtri((np.arange(65536) + 0.5) / 65536.0) / np.sqrt(2.0)).astype(np.float32)
_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX1, _MIX2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S16, _S27, _S30, _S31, _S32, _S48 = (np.uint64(n) for n in (16, 27, 30, 31, 32, 48))
_LOW16 = np.uint64(0xFFFF)
_UNIFORM = 2.0**-64
_GAUSSIAN_FROM = 30.0  # electrons from which a normal deviate stands for a Poisson one


@numba.njit(inline="always")
def _mix(z):
    z = (z ^ (z >> _S30)) * _MIX1
    z = (z ^ (z >> _S27)) * _MIX2
    return z ^ (z >> _S31)


@numba.njit(cache=True, nogil=True)
def expose(image, ccd_seed, frame_seed, response, dark_e, hot_fraction, hot_e, table):
    """Electrons collected, in place: `image` (ny, nx) comes in as the expected number from light.

    response : scatter of the pixels' response, the same for every frame of a ccd_seed, as are the hot pixels.
    dark_e   : dark charge of every pixel; hot pixels get up to hot_e (evenly in the logarithm over three decades).
    """
    ny, nx = image.shape
    state = frame_seed
    for y in range(ny):
        for x in range(nx):
            fixed = _mix(ccd_seed + np.uint64(y * nx + x) * _GAMMA)
            light = image[y, x] * (
                np.float32(1.0) + response * (table[fixed & _LOW16] + table[(fixed >> _S16) & _LOW16])
            )
            expected = light + dark_e
            if (fixed >> _S32) * 2.0**-32 < hot_fraction:
                expected += hot_e * 10.0 ** (-3.0 * (_mix(fixed) * _UNIFORM))
            state += _GAMMA
            z = _mix(state)
            if expected >= _GAUSSIAN_FROM:
                deviate = table[z & _LOW16] + table[(z >> _S16) & _LOW16]
                image[y, x] = expected + np.sqrt(expected) * deviate
            elif expected > 0.0:
                p = np.exp(-expected)
                u, n = z * _UNIFORM, 0
                while u > p and n < 200:
                    u -= p
                    n += 1
                    p *= expected / n
                image[y, x] = n
            else:
                image[y, x] = 0.0


@numba.njit(cache=True, nogil=True)
def bleed(image, full_well, column_amp):
    """Charge above the full well [electron, per amplifier] runs up and down its column, in place.

    column_amp : (nx,) amplifier index of each column. Returns the number of columns that bled.
    """
    ny, nx = image.shape
    over = np.zeros(nx, np.bool_)
    for y in range(ny):
        for x in range(nx):
            if image[y, x] > full_well[column_amp[x]]:
                over[x] = True
    n_column = 0
    for x in range(nx):
        if not over[x]:
            continue
        n_column += 1
        well = full_well[column_amp[x]]
        # Upward with half of the excess found on the way, then downward with the other half.
        for direction in (1, -1):
            carried = 0.0
            for step in range(ny):
                y = step if direction == 1 else ny - 1 - step
                excess = image[y, x] - well
                if excess > 0.0:
                    carried += excess * (0.5 if direction == 1 else 1.0)
                    image[y, x] -= excess * (0.5 if direction == 1 else 1.0)
                elif carried > 0.0:
                    taken = min(carried, -excess)
                    image[y, x] += taken
                    carried -= taken
        # What the first pass left above the well in the last rows has nowhere to go but out.
        for y in range(ny):
            image[y, x] = min(image[y, x], well)
    return n_column


@numba.njit(cache=True, nogil=True)
def to_adu(image, x0, width, mirrored, gain, crosstalk, level, linearity):
    """Electrons to ADU before the bias, in place: gain, crosstalk, then the inverse of I' = I (1 + c0 I).

    x0, width, mirrored, gain, linearity : per amplifier (n_amp,); the amplifiers lie side by side and are of one width.
    crosstalk : (n_amp, n_amp), [struck, source]; level : ADU that does not count (the median of the CCD).
    """
    ny = image.shape[0]
    n_amp = len(x0)
    row = np.empty((n_amp, width), np.float32)
    for y in range(ny):
        for a in range(n_amp):
            for p in range(width):
                x = x0[a] + (width - 1 - p if mirrored[a] else p)
                row[a, p] = image[y, x] / gain[a]
        for a in range(n_amp):
            for p in range(width):
                x = x0[a] + (width - 1 - p if mirrored[a] else p)
                true = row[a, p]
                for b in range(n_amp):
                    true += crosstalk[a, b] * (row[b, p] - level)
                # Two steps of Newton's kind are exact to 1e-9 at c0 I = 0.01.
                c = linearity[a]
                seen = true / (np.float32(1.0) + c * true)
                seen = true / (np.float32(1.0) + c * seen)
                image[y, x] = true / (np.float32(1.0) + c * seen)


@numba.njit(cache=True, nogil=True)
def digitize(raw, image, image_x, image_y, level, drift, column_amp, noise, seed, table):
    """Fill the raw frame (ny, nx) uint16: bias, read noise and signal, rounded and cut at 0 and 65535.

    image_x, image_y : column and row of the trimmed image of each raw column and row, -1 outside of it.
    level : (nx,) bias of each raw column; drift : (n_amp, ny) change along the rows; noise : (n_amp,) [ADU].
    """
    ny, nx = raw.shape
    state = seed
    for y in range(ny):
        for x in range(nx):
            state += _GAMMA
            z = _mix(state)
            amp = column_amp[x]
            number = level[x] + drift[amp, y] + noise[amp] * (table[z & _LOW16] + table[(z >> _S16) & _LOW16])
            if image_x[x] >= 0 and image_y[y] >= 0:
                number += image[image_y[y], image_x[x]]
            raw[y, x] = min(max(int(number + np.float32(0.5)), 0), 65535)
