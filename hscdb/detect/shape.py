"""The shape of a source, and what follows from it: Gaussian flux, blendedness."""

import numba
import numpy as np

from hscdb.detect.shape_error import fourth_sums, moment_errors
from hscdb.image import flags as bits
from hscdb.image.moments import RHO2_MAX, adapt, under, weighted_sums

SHAPE_BAD = bits.word("shape_bad")
GAUSS_FLUX_BAD = bits.word("gauss_flux_bad")


@numba.njit(cache=True, nogil=True, error_model="numpy")
def fill_shape(image, clean, variance, x, y, weight, shift_max, reach, moments, sums, row):
    """Fill moments, and shape with its errors, Gaussian flux and its error, blendedness in a row of measure.COLUMNS.

    Adaptive moments; if they do not converge those about (x, y); if neither do, those under the PSF's own weight (3,),
    which have no errors. sums : (2, 9), workspace. Returns flags.
    """
    flag = 0
    found = adapt(clean, x, y, weight, reach, shift_max, moments)
    if not found and not adapt(clean, x, y, weight, reach, 0.0, moments):
        flag |= SHAPE_BAD
        under(clean, x, y, weight, reach, moments)
    cx, cy, xx, yy, xy = moments[0], moments[1], moments[2], moments[3], moments[4]
    row[5], row[6], row[7] = xx, yy, xy
    light, noise = sums[0], sums[1]
    # w^2 has half the covariance, and its tail with the fourth powers is seen as far as the light's
    fourth_sums(variance, cx, cy, 0.5 * xx, 0.5 * yy, 0.5 * xy, 2.0 * RHO2_MAX, reach, noise)
    if not noise[0] > 0.0:
        return flag | GAUSS_FLUX_BAD
    fourth_sums(clean, cx, cy, xx, yy, xy, RHO2_MAX, reach, light)
    child = light[0]
    row[10] = 2.0 * child
    row[11] = 2.0 * np.sqrt(noise[0])  # of a shape that is given
    if flag == 0 and moment_errors(light, noise, xx, yy, xy, weight[0] + weight[1], moments[5:]):
        row[21], row[22], row[23] = moments[5], moments[6], moments[7]
        row[11] = 2.0 * moments[8]
    weighted_sums(image, cx, cy, xx, yy, xy, reach, noise)
    if noise[0] > 0.0:
        row[15] = 1.0 - child / noise[0]
    return flag
