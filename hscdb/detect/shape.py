"""The shape of a source, and what follows from it: Gaussian flux, blendedness."""

import numba
import numpy as np

from hscdb.image import flags as bits
from hscdb.image.moments import adapt, under, weighted_sums

SHAPE_BAD = bits.word("shape_bad")
GAUSS_FLUX_BAD = bits.word("gauss_flux_bad")


@numba.njit(cache=True, nogil=True, error_model="numpy")
def fill_shape(image, clean, variance, x, y, weight, shift_max, reach, moments, sums, row):
    """Fill moments, and ixx, iyy, ixy, Gaussian flux and its error, blendedness in a row of measure.COLUMNS.

    Adaptive moments; if they do not converge those about (x, y); if neither do, those under the PSF's own weight (3,).
    Returns flags.
    """
    flag = 0
    found = adapt(clean, x, y, weight, reach, shift_max, moments)
    if not found and not adapt(clean, x, y, weight, reach, 0.0, moments):
        flag |= SHAPE_BAD
        under(clean, x, y, weight, reach, moments)
    cx, cy, xx, yy, xy = moments[0], moments[1], moments[2], moments[3], moments[4]
    row[5], row[6], row[7] = xx, yy, xy
    weighted_sums(variance, cx, cy, 0.5 * xx, 0.5 * yy, 0.5 * xy, reach, sums)  # w^2 has half the covariance
    if not sums[0] > 0.0:
        return flag | GAUSS_FLUX_BAD
    row[11] = 2.0 * np.sqrt(sums[0])
    weighted_sums(clean, cx, cy, xx, yy, xy, reach, sums)
    child = sums[0]
    row[10] = 2.0 * child
    weighted_sums(image, cx, cy, xx, yy, xy, reach, sums)
    if sums[0] > 0.0:
        row[15] = 1.0 - child / sums[0]
    return flag
