"""Images, masks and trios of them under the names that hscPipe's scripts call; numpy arrays underneath.

Pixels of a file are read when they are first touched. A part ([box]) shares its pixels with the whole.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from hscdb.butler.geom import Box2I, Extent2I, Point2I
from hscdb.errors import ConfigError
from hscdb.image.mask import BIT

PARENT, LOCAL = "PARENT", "LOCAL"
_SAME = {"SATURATED": "SAT", "INTERPOLATED": "INTRP"}
_PLANES: dict[str, int] = dict(BIT)  # grows by Mask.addMaskPlane


class Image:
    """One plane of pixels: `array`, (ny, nx), of which [0, 0] is pixel `xy0`.

    Made of an array, of another Image (a part of it, if a box is given), of (width, height), or of a box.
    """

    dtype: Any = None

    def __init__(
        self, source: Any, other: Any = None, origin: str = PARENT, deep: bool = False, *,
        xy0: tuple[int, int] = (0, 0), shape: tuple[int, int] | None = None,
    ) -> None:  # fmt: skip
        self._load: Callable[[], np.ndarray] | None = None
        self._array: np.ndarray | None = None
        if callable(source):
            if shape is None:
                raise ConfigError("Image: a source of pixels without their shape.", code="bad_image")
            self._load, self._shape, self.xy0 = source, shape, xy0
            return
        if isinstance(source, Image):
            part = source if other is None else source._part(other, origin)
            array, xy0 = part.array.copy() if deep else part.array, part.xy0
        elif isinstance(source, np.ndarray):
            array = source
        elif isinstance(source, Box2I):
            array, xy0 = np.zeros((source.height, source.width), self.dtype or np.float32), (source.x0, source.y0)
        else:
            width, height = source if other is None else (source, other)
            array = np.zeros((int(height), int(width)), self.dtype or np.float32)
        if self.dtype is not None:
            array = array.astype(self.dtype, copy=False)
        self._array, self._shape, self.xy0 = array, (array.shape[0], array.shape[1]), (int(xy0[0]), int(xy0[1]))

    @property
    def array(self) -> np.ndarray:
        """The pixels (ny, nx)."""
        if self._array is None:
            if self._load is None:
                raise ConfigError("Image: without pixels.", code="bad_image")
            self._array, self._load = self._load(), None
        return self._array

    @array.setter
    def array(self, pixels: Any) -> None:
        self.array[:] = pixels

    def getArray(self) -> np.ndarray:
        """The pixels (ny, nx); writing to them writes to the image."""
        return self.array

    def set(self, pixels: Any) -> None:
        """Set all pixels."""
        self.array[:] = pixels

    def getWidth(self) -> int:
        """Columns."""
        return self._shape[1]

    def getHeight(self) -> int:
        """Rows."""
        return self._shape[0]

    def getDimensions(self) -> Extent2I:
        """Columns and rows."""
        return Extent2I(self._shape[1], self._shape[0])

    def getXY0(self) -> Point2I:
        """The pixel that array[0, 0] is."""
        return Point2I(*self.xy0)

    def getX0(self) -> int:
        """Its column."""
        return self.xy0[0]

    def getY0(self) -> int:
        """Its row."""
        return self.xy0[1]

    def setXY0(self, *xy0: Any) -> None:
        """Let array[0, 0] be another pixel."""
        x0, y0 = xy0 if len(xy0) == 2 else xy0[0]
        self.xy0 = (int(x0), int(y0))

    def getBBox(self, origin: str = PARENT) -> Box2I:
        """The box of all pixels; with LOCAL it begins at (0, 0)."""
        return Box2I(self.xy0 if origin == PARENT else (0, 0), Extent2I(self._shape[1], self._shape[0]))

    def _part(self, box: Box2I, origin: str = PARENT) -> Any:
        x0, y0 = (box.x0 - self.xy0[0], box.y0 - self.xy0[1]) if origin == PARENT else (box.x0, box.y0)
        if x0 < 0 or y0 < 0 or x0 + box.width > self._shape[1] or y0 + box.height > self._shape[0]:
            raise ConfigError(
                f"{box} ({origin}) does not lie in {self.getBBox(origin)}. Clip it first (box.clip).", code="bad_box"
            )
        return type(self)(
            self.array[y0 : y0 + box.height, x0 : x0 + box.width], xy0=(x0 + self.xy0[0], y0 + self.xy0[1])
        )

    def subset(self, box: Box2I, origin: str = PARENT) -> Any:
        """A part that shares the pixels."""
        return self._part(box, origin)

    def Factory(self, *args: Any, **more: Any) -> Any:
        """Make one of the same kind."""
        return type(self)(*args, **more)

    def clone(self, deep: bool = True) -> Any:
        """A copy."""
        return type(self)(self.array.copy() if deep else self.array, xy0=self.xy0)

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, Box2I):
            return self._part(at)
        if isinstance(at, tuple) and len(at) == 2 and all(isinstance(each, int | np.integer) for each in at):
            return self.array[at[1] - self.xy0[1], at[0] - self.xy0[0]]
        raise ConfigError("image[...]: takes a Box2I, or x, y. Use getArray() for numpy's ways.", code="bad_index")

    def __setitem__(self, at: Any, pixels: Any) -> None:
        if isinstance(at, Box2I):
            self._part(at).array[:] = _pixels(pixels)
        else:
            self.array[at[1] - self.xy0[1], at[0] - self.xy0[0]] = pixels

    def get(self, x: int, y: int) -> Any:
        """One pixel, counted from array[0, 0]."""
        return self.array[y, x]

    def __iadd__(self, other: Any) -> Any:
        self.array[:] += _pixels(other)
        return self

    def __isub__(self, other: Any) -> Any:
        self.array[:] -= _pixels(other)
        return self

    def __imul__(self, other: Any) -> Any:
        self.array[:] *= _pixels(other)
        return self

    def __itruediv__(self, other: Any) -> Any:
        self.array[:] /= _pixels(other)
        return self

    def scaledMinus(self, factor: float, other: Any) -> None:
        """Subtract factor times another image."""
        self.array[:] -= factor * _pixels(other)

    def writeFits(self, path: str | Path) -> None:
        """Write the pixels to a file of one HDU, a mask with the numbers of its planes."""
        from hscdb.fits.stream import image_bytes

        planes = {f"MP_{name}": bit for name, bit in _PLANES.items()} if isinstance(self, Mask) else {}
        where = {"LTV1": -float(self.xy0[0]), "LTV2": -float(self.xy0[1])}
        Path(path).expanduser().write_bytes(image_bytes(self.array, planes | where))

    def __repr__(self) -> str:
        return f"{type(self).__name__} {self._shape[1]} x {self._shape[0]} at {self.xy0}"


def _pixels(other: Any) -> Any:
    return other.array if isinstance(other, Image) else other


def _typed(name: str, dtype: Any, base: type[Image] = Image) -> type[Image]:
    return type(name, (base,), {"dtype": dtype, "__doc__": f"{base.__name__} of {np.dtype(dtype).name}."})


ImageF, ImageD = _typed("ImageF", np.float32), _typed("ImageD", np.float64)
ImageI, ImageU = _typed("ImageI", np.int32), _typed("ImageU", np.uint16)


class Mask(Image):
    """A plane of bits: int32, planes of hscdb.image.mask whatever the numbers in the file are."""

    dtype = np.int32

    @staticmethod
    def getMaskPlane(name: str) -> int:
        """The bit number of a plane. ConfigError `unknown_plane`."""
        known = _SAME.get(name, name)
        if known not in _PLANES:
            raise ConfigError(f"mask: no plane '{name}'. Planes: {', '.join(_PLANES)}.", code="unknown_plane")
        return _PLANES[known]

    @staticmethod
    def getPlaneBitMask(names: Any) -> int:
        """The word with the bits of one plane or of several."""
        word = 0
        for name in [names] if isinstance(names, str) else names:
            word |= 1 << Mask.getMaskPlane(name)
        return word

    @staticmethod
    def getMaskPlaneDict() -> dict[str, int]:
        """{plane: bit number}."""
        return dict(_PLANES)

    @staticmethod
    def addMaskPlane(name: str) -> int:
        """The bit number of a plane, which is new if there was none of the name."""
        if name not in _PLANES:
            free = sorted(set(range(31)) - set(_PLANES.values()))
            if not free:
                raise ConfigError(f"mask: no bit is left for plane '{name}'.", code="unknown_plane")
            _PLANES[name] = free[0]
        return _PLANES[name]

    def clearMaskPlane(self, name: Any) -> None:
        """Clear a plane (name or bit number) in all pixels."""
        self.array[:] &= ~np.int32(1 << (name if isinstance(name, int) else self.getMaskPlane(name)))

    def removeAndClearMaskPlane(self, name: str, removeFromDefault: bool = False) -> None:
        """Clear a plane and forget one that addMaskPlane has made."""
        self.clearMaskPlane(name)
        if name not in BIT:
            _PLANES.pop(name, None)

    @staticmethod
    def getAsString(word: int) -> str:
        """The planes of a word, as "CR,INTRP"."""
        return ",".join(name for name, bit in sorted(_PLANES.items(), key=lambda each: each[1]) if word >> bit & 1)

    interpret = getAsString

    def __iand__(self, other: Any) -> Any:
        self.array[:] &= np.int32(_pixels(other))
        return self

    def __ior__(self, other: Any) -> Any:
        self.array[:] |= np.int32(_pixels(other))
        return self

    def __ixor__(self, other: Any) -> Any:
        self.array[:] ^= np.int32(_pixels(other))
        return self


MaskU = MaskX = Mask
