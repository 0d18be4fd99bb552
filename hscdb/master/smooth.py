"""Fringe and sky frames without the noise of the pixels they were stacked from."""

import numpy as np
import numpy.typing as npt

from hscdb.image import background

Plane = npt.NDArray[np.float32]


def fringe(pixels: Plane, sigma_pix: float) -> Plane:
    """A Gaussian mean of the known pixels around each; 0 where there is none. pixels: (ny, nx), NaN where not known."""
    from scipy.ndimage import gaussian_filter

    if not sigma_pix > 0.0:
        return np.nan_to_num(pixels)
    known = np.isfinite(pixels)
    total = gaussian_filter(np.where(known, pixels, np.float32(0.0)), sigma_pix, truncate=3.0)
    weight = gaussian_filter(known.astype(np.float32), sigma_pix, truncate=3.0)
    return np.where(weight > 0.1, total / np.maximum(weight, np.float32(0.1)), np.float32(0.0)).astype(np.float32)


def sky(pixels: Plane, mesh_pix: int) -> Plane:
    """A cubic spline through clipped means in a mesh; unknown bins are filled from the nearest.

    pixels : (ny, nx), NaN where not known. DataError `no_pixels` if nothing is known.
    """
    from scipy.interpolate import RectBivariateSpline
    from scipy.ndimage import distance_transform_edt

    mask = (~np.isfinite(pixels)).astype(np.int32)
    bins = background.mesh(np.nan_to_num(pixels), mask, 1, mesh_pix)
    background.fit(bins, (pixels.shape[0], pixels.shape[1]), 0)  # DataError without a good bin
    nearest = distance_transform_edt(~bins.is_good, return_distances=False, return_indices=True)
    means = bins.mean[tuple(nearest)]
    # One more bin on each side, straight on, so that the frame's borders lie inside.
    y, x = (np.r_[2 * at[0] - at[1], at, 2 * at[-1] - at[-2]] for at in (bins.y, bins.x))
    for axis in (0, 1):
        means = np.moveaxis(means, axis, 0)
        means = np.moveaxis(np.vstack([2 * means[:1] - means[1:2], means, 2 * means[-1:] - means[-2:-1]]), 0, axis)
    spline = RectBivariateSpline(y, x, means, kx=3, ky=3)
    return np.asarray(spline(*(np.arange(n) for n in pixels.shape)), np.float32)
