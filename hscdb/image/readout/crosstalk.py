"""Crosstalk between the amplifiers of a CCD: what one reads, the others see a little of, at the same moment.

target -= c[target, source] * (source - background of the CCD), pixels paired by their distance from the readout corner
(obs_subaru config/isr.py; coefficients of R. H. Lupton, 2013). HSC's are negative: ghosts are dark.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

from hscdb.image.mask import CROSSTALK

_CROSSTALK = int(CROSSTALK)


@njit(cache=True, nogil=True)
def undo_row(
    row: npt.NDArray[np.float32],
    bits: npt.NDArray[np.int32],
    x0: npt.NDArray[np.int64],
    is_mirrored: npt.NDArray[np.bool_],
    matrix: npt.NDArray[np.float64],
    background: float,
    threshold: float,
    held: npt.NDArray[np.float32],
) -> None:
    """Take the crosstalk out of one row of the trimmed image, in place.

    row, bits   : (nx,) adu above bias, and its mask.
    x0          : (n_amp,) first columns; is_mirrored: (n_amp,) read out from the right.
    matrix      : (n_amp, n_amp) [struck, source]; background [adu] of the CCD.
    threshold   : pixels this far above the background mark their targets CROSSTALK.
    held        : (n_amp, width of an amplifier) room for the sources in order of readout.
    """
    n_amp, width = held.shape
    n_bright = 0
    for a in range(n_amp):
        for x in range(width):
            one = row[x0[a] + (width - 1 - x if is_mirrored[a] else x)] - background
            held[a, x] = one if one == one else 0.0  # what is no number gives no ghost
            n_bright += one > threshold
    for a in range(n_amp):
        for b in range(n_amp):
            c = np.float32(matrix[a, b])
            if c == 0.0:
                continue
            if is_mirrored[a]:
                for x in range(width):
                    row[x0[a] + x] -= c * held[b, width - 1 - x]
            else:
                for x in range(width):
                    row[x0[a] + x] -= c * held[b, x]
            if n_bright:
                for x in range(width):
                    if held[b, x] > threshold:
                        bits[x0[a] + (width - 1 - x if is_mirrored[a] else x)] |= _CROSSTALK
