"""The two passes over the pixels: raw -> adu above bias, and adu -> electrons, each pixel touched once per pass.

The steps are the small functions of their own modules; here they are only strung together, row by row, because the
time of these steps is the time of moving pixels through memory (tests/bench/bench_isr.py).
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from hscdb.image.mask import BAD, NO_DATA, SAT, UNMASKEDNAN
from hscdb.image.readout.crosstalk import undo_row
from hscdb.image.readout.linearity import correct
from hscdb.image.readout.saturation import bits

_BAD, _SAT, _NO_DATA, _UNMASKEDNAN = int(BAD), int(SAT), int(NO_DATA), int(UNMASKEDNAN)

Plane = npt.NDArray[np.float32]
Bits = npt.NDArray[np.int32]


@njit(cache=True, nogil=True)
def to_adu(
    raw: npt.NDArray[Any],
    level: Plane,
    saturation: float,
    suspect: float,
    bias: Plane,
    has_bias: bool,
    c0: float,
    adu: Plane,
    mask: Bits,
) -> int:
    """Raw pixels of one amplifier to adu above bias, linear; SAT and SUSPECT on raw adu.

    raw, adu, mask, bias : (ny, nx) views of the amplifier's box; adu and mask are filled.
    level : (ny,) overscan level. Returns the number of saturated pixels.
    """
    ny, nx = raw.shape
    n_saturated = 0
    for y in range(ny):
        base = level[y]
        for x in range(nx):
            one = np.float32(raw[y, x])
            word = bits(one, saturation, suspect)
            n_saturated += word & _SAT != 0
            mask[y, x] |= word
            above = one - base
            if has_bias:
                above -= bias[y, x]
            adu[y, x] = correct(above, c0)
    return n_saturated


@njit(cache=True, nogil=True)
def to_electrons(
    image: Plane,
    variance: Plane,
    mask: Bits,
    boxes: npt.NDArray[np.int64],
    is_mirrored: npt.NDArray[np.bool_],
    crosstalk: npt.NDArray[np.float64],
    has_crosstalk: bool,
    background: float,
    threshold: float,
    gain: npt.NDArray[np.float64],
    read_noise_e: npt.NDArray[np.float64],
    dark: Plane,
    dark_s: float,
    flat: Plane,
    has_flat: bool,
    flat_min: float,
) -> None:
    """adu -> electrons in place: crosstalk, gain, variance = max(e, 0) + read noise^2, dark, flat.

    image, variance, mask : (ny, nx). boxes: (n_amp, 4) x0, x1, y0, y1. dark [e/s] is subtracted dark_s times (0: not).
    A flat that is no number marks NO_DATA, one below flat_min marks BAD; other pixels that are no number UNMASKEDNAN.
    """
    ny = image.shape[0]
    n_amp = boxes.shape[0]
    width = boxes[0, 1] - boxes[0, 0]
    held = np.empty((2, n_amp, width), np.float32)
    explained = _BAD | _SAT | _NO_DATA
    seconds = np.float32(dark_s)
    for y in range(ny):
        if has_crosstalk:
            undo_row(image[y], mask[y], boxes[:, 0], is_mirrored, crosstalk, background, threshold, held)
        for a in range(n_amp):
            if y < boxes[a, 2] or y >= boxes[a, 3]:
                continue
            first, end = boxes[a, 0], boxes[a, 1]
            row, spread, word = image[y, first:end], variance[y, first:end], mask[y, first:end]
            factor, noise = np.float32(gain[a]), np.float32(read_noise_e[a] ** 2)
            for x in range(row.size):  # short loops over a row in the cache: each is vectorized
                row[x] *= factor
                spread[x] = max(row[x], np.float32(0.0)) + noise
            if dark_s != 0.0:
                current = dark[y, first:end]
                for x in range(row.size):
                    row[x] -= current[x] * seconds
            if has_flat:
                response = flat[y, first:end]
                for x in range(row.size):
                    inverse = np.float32(1.0) / response[x]
                    row[x] *= inverse
                    spread[x] *= inverse * inverse
                    is_number = response[x] == response[x]
                    word[x] |= (_BAD if response[x] < flat_min else 0) | (0 if is_number else _NO_DATA)
            for x in range(row.size):
                unknown = not (abs(row[x]) < np.float32(np.inf)) and word[x] & explained == 0
                word[x] |= _UNMASKEDNAN if unknown else 0
