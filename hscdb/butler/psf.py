"""A frame's PSF under the names that hscPipe's scripts call."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from hscdb.butler.geom import Point2D, Quadrupole
from hscdb.butler.image import Image

if TYPE_CHECKING:  # numba, which it is compiled by, is imported when a PSF is looked at
    from hscdb.image.psf import Psf as Model


class Psf:
    """The PSF anywhere on a frame; read when it is first asked for. `ours` is the hscdb.image.psf.Psf underneath."""

    def __init__(self, ours: Model | Callable[[], Model]) -> None:
        self._given = ours

    @cached_property
    def ours(self) -> Model:
        """The model."""
        return self._given() if callable(self._given) else self._given

    def __repr__(self) -> str:
        return f"Psf of a frame of {self.ours.shape[1]} x {self.ours.shape[0]} pixels, {self.ours.size} pixels wide"

    def getAveragePosition(self) -> Point2D:
        """The middle of the frame: where a PSF is taken when no place is named."""
        ny, nx = self.ours.shape
        return Point2D((nx - 1) / 2, (ny - 1) / 2)

    def _place(self, point: Any) -> tuple[float, float]:
        x, y = self.getAveragePosition() if point is None else point
        return float(x), float(y)

    def computeImage(self, point: Any = None) -> Image:
        """A star of flux 1 at a place, on the frame's own pixels (getXY0 tells which)."""
        stamp, x0, y0 = self.ours.image(*self._place(point))
        return Image(np.asarray(stamp), xy0=(x0, y0))

    def computeKernelImage(self, point: Any = None) -> Image:
        """The same with the star on the centre of the middle pixel, which is pixel (0, 0)."""
        stamp, half = self.ours.at(*self._place(point)), self.ours.size // 2
        return Image(np.asarray(stamp), xy0=(-half, -half))

    def computeShape(self, point: Any = None) -> Quadrupole:
        """Adaptive moments [pix^2]."""
        x, y = self._place(point)
        ixx, iyy, ixy = self.ours.moments(np.array([x]), np.array([y]))[0]
        return Quadrupole(ixx, iyy, ixy)

    def computePeak(self, point: Any = None) -> float:
        """The highest pixel of computeKernelImage."""
        return float(self.ours.at(*self._place(point)).max())

    def computeApertureFlux(self, radius: float, point: Any = None) -> float:
        """Part of the flux within a radius [pix], pixels divided 10 x 10 at the rim."""
        stamp, half = self.ours.at(*self._place(point)), self.ours.size // 2
        offset = (np.arange(10) + 0.5) / 10 - 0.5
        at = (np.arange(-half, half + 1)[:, None] + offset).ravel()
        inside = (at[:, None] ** 2 + at**2 <= radius**2).reshape(len(stamp), 10, len(stamp), 10).mean(axis=(1, 3))
        return float((stamp * inside).sum())

    def getKernel(self, point: Any = None) -> np.ndarray:
        """Pixels of computeKernelImage."""
        return self.computeKernelImage(point).getArray()

    getLocalKernel = getKernel
