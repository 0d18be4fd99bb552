"""What lies below the sky by as much as a detection is above it: over-subtracted halos, ghosts of the masters."""

from typing import Any

import numpy as np
import numpy.typing as npt

from hscdb.detect import deblend, footprint, measure, noise
from hscdb.image import flags as bits
from hscdb.image.psf import Psf

SIGNED = ("psf_flux", "gauss_flux", "kron_flux", "aper", "peak", "local_background")  # turned back after measuring


def find(
    snr: npt.NDArray[np.float32], variance: npt.NDArray[np.float32], threshold: float, n_grow: int
) -> footprint.Footprints | None:
    """Footprints below -threshold in a map of S/N (ny, nx); None if there are none. One peak each."""
    if not (snr < -threshold).any():
        return None
    flat = np.ones((1, 1)), np.zeros(1), np.zeros(1)
    found = footprint.find(-snr, flat, variance, threshold, n_grow)
    highest = np.zeros(len(found.x), np.bool_)
    order = np.argsort(-found.snr, kind="stable")
    highest[order[np.unique(found.blend[order], return_index=True)[1]]] = True
    return footprint.keep(found, highest)


def append(
    columns: dict[str, npt.NDArray[Any]],
    data: npt.NDArray[np.float32],
    variance: npt.NDArray[np.float32],
    mask: npt.NDArray[np.int32],
    found: footprint.Footprints,
    psf: Psf,
    grid: noise.SkyNoise,
) -> None:
    """Measure the negative footprints on the image turned upside down and append them to the columns, in place."""
    n = len(found.x)
    x, y = found.x.astype(np.float64), found.y.astype(np.float64)
    targets = measure.Targets(
        np.full(n, measure.OWN, np.int64), np.arange(n), x, y, found.box, grid.at(x, y), psf.moments(x, y)
    )
    nobody = deblend.Children(
        np.zeros(0, np.int64), np.zeros(1, np.int64), np.zeros((0, 4), np.int64), np.zeros(0, np.float32),
        np.zeros(0, np.bool_),
    )  # fmt: skip
    seen = measure.measure(-data, variance, mask, found.basin, found.blend, targets, nobody, psf, grid.photon)
    for name in SIGNED:
        seen[name] = -seen[name]
    seen["flags"] |= bits.word("negative")
    seen["parent"], seen["n_child"] = np.full(n, -1, np.int64), np.zeros(n, np.int64)
    for name, values in seen.items():
        columns[name] = np.concatenate([columns[name], values])
