"""What is measured on a frame: parents of blends, single sources, children."""

import numpy as np
import numpy.typing as npt

from hscdb.detect import deblend, footprint, measure, noise
from hscdb.image.psf import Psf


def choose(
    data: npt.NDArray[np.float32],
    variance: npt.NDArray[np.float32],
    found: footprint.Footprints,
    psf: Psf,
    grid: noise.SkyNoise,
    area_max: int = 0,
    n_peak_max: int = 0,
) -> tuple[measure.Targets, deblend.Children, npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """The list of what is measured: parents first, then single sources and children. With parent index and n_child.

    Blends of more than area_max pixels or n_peak_max peaks (0: any) are not taken apart: each of their peaks is
    measured on the pixels of its own basin. The last array says which of the targets belong to such a blend.
    """
    x, y = found.x.astype(np.float64), found.y.astype(np.float64)
    _, blend, count = np.unique(found.blend, return_inverse=True, return_counts=True)
    is_whole = too_large(found, blend, count, area_max, n_peak_max)
    is_member = (count[blend] > 1) & ~is_whole[blend]
    member = np.flatnonzero(is_member)
    sigma = float(psf.sigma(data.shape[1] / 2, data.shape[0] / 2)[0])
    children = deblend.divide(
        data, variance, found.basin, found.blend, x, y, found.box, member, psf.at_many(x[member], y[member]), sigma
    )
    parents = np.flatnonzero(count > 1)
    leader = np.array([np.flatnonzero(blend == p)[np.argmax(found.snr[blend == p])] for p in parents], np.int64)
    kind = np.where(is_member, measure.CHILD, measure.OWN)
    key = np.arange(len(x))
    key[member] = np.arange(len(member))
    box = found.box.copy()
    box[member] = children.box
    parent_box = np.empty((len(parents), 4), np.int64)
    for row, p in enumerate(parents):
        inside = found.box[blend == p]
        parent_box[row] = [*inside[:, :2].min(axis=0), *inside[:, 2:].max(axis=0)]
    place = np.full(len(count), -1, np.int64)
    place[parents] = np.arange(len(parents))
    all_x, all_y = np.concatenate([x[leader], x]), np.concatenate([y[leader], y])
    targets = measure.Targets(
        np.concatenate([np.full(len(parents), measure.PARENT), kind]).astype(np.int64),
        np.concatenate([found.blend[leader], key]).astype(np.int64),
        all_x, all_y, np.concatenate([parent_box, box]), grid.at(all_x, all_y), psf.moments(all_x, all_y),
    )  # fmt: skip
    parent = np.concatenate([np.full(len(parents), -1, np.int64), place[blend]])
    n_child = np.concatenate([count[parents], np.zeros(len(x), np.int64)]).astype(np.int64)
    return targets, children, parent, n_child, np.concatenate([is_whole[parents], is_whole[blend]])


def too_large(
    found: footprint.Footprints,
    blend: npt.NDArray[np.int64],
    count: npt.NDArray[np.int64],
    area_max: int,
    n_peak_max: int,
) -> npt.NDArray[np.bool_]:
    """Which blends (n_blend,) are not to be taken apart. blend: number of each peak's, 0..n_blend-1; count: peaks."""
    area = np.bincount(blend, found.n_pixel, len(count))
    is_large = ((area > area_max) & (area_max > 0)) | ((count > n_peak_max) & (n_peak_max > 0))
    return np.asarray(is_large & (count > 1))
