"""What is shown: an image with its mask, WCS and name, made of anything that has pixels."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hscdb.butler.exposure import Exposure
from hscdb.butler.image import Image, Mask
from hscdb.butler.masked import MaskedImage
from hscdb.butler.wcs import SkyWcs
from hscdb.errors import ConfigError
from hscdb.image.plane import Image as Trio


@dataclass(frozen=True)
class Content:
    """pixels (ny, nx); mask of the same shape with our bits, or None; wcs: its FITS cards; xy0: the first pixel."""

    pixels: npt.NDArray[Any]
    mask: npt.NDArray[np.int32] | None = None
    title: str = ""
    xy0: tuple[int, int] = (0, 0)
    wcs: dict[str, Any] = field(default_factory=dict)


def of(data: Any, title: str = "", wcs: SkyWcs | None = None) -> Content:
    """Content of an Exposure, MaskedImage, Image, Mask, array, trio or path. ConfigError `not_an_image`."""
    if isinstance(data, str | Path):
        title, data = title or Path(data).name, Exposure(data)
    if isinstance(data, Trio):
        return Content(data.data, data.mask, title, (0, 0), _cards(wcs, (0, 0)))
    if isinstance(data, np.ndarray) and data.ndim == 2:
        return Content(_numbers(data), None, title, (0, 0), _cards(wcs, (0, 0)))
    if isinstance(data, Exposure):
        wcs = wcs if wcs is not None else data.getWcs()
        data = data.getMaskedImage()
    mask = None
    if isinstance(data, MaskedImage):
        mask, data = data.mask.array, data.image
    if not isinstance(data, Image):
        raise ConfigError(
            f"display: a {type(data).__name__} is no image. Give an Exposure, MaskedImage, Image, Mask, a numpy array "
            "of two axes, or the path of a product.",
            code="not_an_image",
        )
    xy0 = (int(data.xy0[0]), int(data.xy0[1]))
    if isinstance(data, Mask):  # by itself: its bits as numbers, its planes in color
        return Content(_numbers(data.array), data.array, title, xy0, _cards(wcs, xy0))
    return Content(_numbers(data.array), mask, title, xy0, _cards(wcs, xy0))


def _numbers(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return pixels.astype(np.float32) if pixels.dtype.kind in "bui" else pixels


def _cards(wcs: SkyWcs | None, xy0: tuple[int, int]) -> dict[str, Any]:
    """FITS cards of the WCS of pixels that count from xy0, and LTV, by which DS9 knows where they come from."""
    if wcs is None:
        return {}
    moved = wcs.copyAtShiftedPixelOrigin((-xy0[0], -xy0[1]))
    return moved.getFitsMetadata().toDict() | {"LTV1": -float(xy0[0]), "LTV2": -float(xy0[1])}
