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
    held        : (2, n_amp, width of an amplifier) room for the sources in order of readout and against it.
    """
    _, n_amp, width = held.shape
    n_bright = 0
    middle = np.float32(background)
    for a in range(n_amp):  # short loops over slices: each is vectorized, which indices that count down are not
        part, ahead, back = row[x0[a] : x0[a] + width], held[0, a], held[1, a]
        for x in range(width):
            one = part[x] - middle
            ahead[x] = one if one == one else np.float32(0.0)  # what is no number gives no ghost
            n_bright += ahead[x] > threshold
        back[:] = ahead[::-1]
        if is_mirrored[a]:
            for x in range(width):
                ahead[x], back[x] = back[x], ahead[x]
    for a in range(n_amp):
        part, word = row[x0[a] : x0[a] + width], bits[x0[a] : x0[a] + width]
        for b in range(n_amp):
            c = np.float32(matrix[a, b])
            if c == 0.0:
                continue
            source = held[1, b] if is_mirrored[a] else held[0, b]
            for x in range(width):
                part[x] -= c * source[x]
            if n_bright:
                for x in range(width):
                    word[x] |= _CROSSTALK if source[x] > threshold else 0
