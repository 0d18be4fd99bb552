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
) -> tuple[measure.Targets, deblend.Children, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The list of what is measured: parents first, then single sources and children. With parent index and n_child."""
    x, y = found.x.astype(np.float64), found.y.astype(np.float64)
    _, blend, count = np.unique(found.blend, return_inverse=True, return_counts=True)
    member = np.flatnonzero(count[blend] > 1)
    sigma = float(psf.sigma(data.shape[1] / 2, data.shape[0] / 2)[0])
    children = deblend.divide(
        data, variance, found.basin, found.blend, x, y, found.box, member, psf.at_many(x[member], y[member]), sigma
    )
    parents = np.flatnonzero(count > 1)
    leader = np.array([np.flatnonzero(blend == p)[np.argmax(found.snr[blend == p])] for p in parents], np.int64)
    kind = np.where(count[blend] > 1, measure.CHILD, measure.OWN)
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
    return targets, children, parent, n_child
