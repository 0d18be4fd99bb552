"""MaskedImage: three planes of one size."""

from __future__ import annotations

from typing import Any

import numpy as np

from hscdb.butler.geom import Box2I, Extent2I, Point2I, reader
from hscdb.butler.image import PARENT, Image, ImageF, Mask


class MaskedImage:
    """An image, its mask and its variance, of one size."""

    def __init__(self, image: Any, mask: Any = None, variance: Any = None, *more: Any) -> None:
        if isinstance(image, MaskedImage):
            part = image if mask is None else image[mask]
            image, mask, variance = part.image, part.mask, part.variance
        elif not isinstance(image, Image):
            image = ImageF(image) if mask is None else ImageF(image, mask)
            mask = None
        self.image: Image = image
        box = image.getBBox()
        self.mask: Mask = Mask(box) if mask is None else mask
        self.variance: Image = ImageF(box) if variance is None else variance

    getImage = reader("image", "The pixels.")
    getMask = reader("mask", "The mask.")
    getVariance = reader("variance", "The variance.")

    def getArrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Arrays of image, mask and variance."""
        return self.image.array, self.mask.array, self.variance.array

    def getBBox(self, origin: str = PARENT) -> Box2I:
        """The box of all pixels."""
        return self.image.getBBox(origin)

    def getWidth(self) -> int:
        """Columns."""
        return self.image.getWidth()

    def getHeight(self) -> int:
        """Rows."""
        return self.image.getHeight()

    def getDimensions(self) -> Extent2I:
        """Columns and rows."""
        return self.image.getDimensions()

    def getXY0(self) -> Point2I:
        """The first pixel."""
        return self.image.getXY0()

    def getX0(self) -> int:
        """Its column."""
        return self.image.getX0()

    def getY0(self) -> int:
        """Its row."""
        return self.image.getY0()

    def subset(self, box: Box2I, origin: str = PARENT) -> MaskedImage:
        """A part that shares the pixels."""
        return MaskedImage(*(each.subset(box, origin) for each in (self.image, self.mask, self.variance)))

    def __getitem__(self, box: Box2I) -> MaskedImage:
        return self.subset(box)

    def clone(self) -> MaskedImage:
        """A copy."""
        return MaskedImage(self.image.clone(), self.mask.clone(), self.variance.clone())

    def Factory(self, source: Any, box: Box2I | None = None, origin: str = PARENT, deep: bool = False) -> MaskedImage:
        """Another one, or a part of one."""
        made = MaskedImage(source) if box is None else source.subset(box, origin)
        return made.clone() if deep else made

    def __imul__(self, other: Any) -> MaskedImage:
        factor = other.array if isinstance(other, Image) else other
        self.image.array[:] *= factor
        self.variance.array[:] *= np.square(factor)
        return self

    def __itruediv__(self, other: Any) -> MaskedImage:
        factor = other.array if isinstance(other, Image) else other
        self.image.array[:] /= factor
        self.variance.array[:] /= np.square(factor)
        return self

    def __iadd__(self, other: Any) -> MaskedImage:
        return self._plus(other, 1.0)

    def __isub__(self, other: Any) -> MaskedImage:
        return self._plus(other, -1.0)

    def _plus(self, other: Any, sign: float) -> MaskedImage:
        if isinstance(other, MaskedImage):
            self.variance.array[:] += other.variance.array
            self.mask.array[:] |= other.mask.array
            other = other.image
        self.image.array[:] += sign * (other.array if isinstance(other, Image) else other)
        return self

    def scaledMinus(self, factor: float, other: MaskedImage) -> None:
        """Subtract factor times another; variances add, masks join."""
        self.variance.array[:] += factor**2 * other.variance.array
        self.mask.array[:] |= other.mask.array
        self.image.scaledMinus(factor, other.image)

    def writeFits(self, path: Any) -> None:
        """Write a file in the layout of calexp, without WCS and PSF."""
        from hscdb.butler.exposure import Exposure

        Exposure(self).writeFits(path)

    def __repr__(self) -> str:
        return f"MaskedImage {self.getWidth()} x {self.getHeight()} at {self.getXY0()}"
