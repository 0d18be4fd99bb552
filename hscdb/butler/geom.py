"""Points, boxes and ellipses in pixels under the names that hscPipe's scripts call."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np


def reader(name: str, documentation: str) -> Callable[[Any], Any]:
    """A method getX() that gives attribute x."""

    def get(self: Any) -> Any:
        return getattr(self, name)

    get.__doc__ = documentation
    return get


class _Pair:
    """Two numbers called x and y."""

    kind: type = float

    def __init__(self, x: Any = 0, y: Any = None) -> None:
        if y is None:
            x, y = (x, x) if isinstance(x, int | float | np.number) else x
        self.x, self.y = self.kind(x), self.kind(y)

    getX = reader("x", "x.")
    getY = reader("y", "y.")

    def __iter__(self) -> Iterator[Any]:
        return iter((self.x, self.y))

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Any:
        return (self.x, self.y)[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Pair) and (self.x, self.y) == (other.x, other.y)

    def __hash__(self) -> int:
        return hash((self.x, self.y))

    def __add__(self, other: _Pair) -> Any:
        return type(self)(self.x + other.x, self.y + other.y)

    def __sub__(self, other: _Pair) -> Any:
        return type(self)(self.x - other.x, self.y - other.y)

    def __repr__(self) -> str:
        return f"({self.x}, {self.y})"


class Point2D(_Pair):
    """A place in pixels, from 0, pixel centres at whole numbers."""


class Point2I(_Pair):
    """A pixel."""

    kind = int


class Extent2D(_Pair):
    """A width and a height."""


class Extent2I(_Pair):
    """A width and a height in pixels."""

    kind = int


class Box2I:
    """A rectangle of pixels: its first pixel and its extent, or its first and last pixel if both are points."""

    def __init__(self, first: Any = (0, 0), other: Any = (0, 0)) -> None:
        self.x0, self.y0 = (int(each) for each in first)
        a, b = (int(each) for each in other)
        is_last = isinstance(other, Point2I | Point2D)
        self.width, self.height = (a - self.x0 + 1, b - self.y0 + 1) if is_last else (a, b)

    @property
    def x1(self) -> int:
        """Last column."""
        return self.x0 + self.width - 1

    @property
    def y1(self) -> int:
        """Last row."""
        return self.y0 + self.height - 1

    getMinX = getBeginX = reader("x0", "First column.")
    getMinY = getBeginY = reader("y0", "First row.")
    getMaxX = reader("x1", "Last column.")
    getMaxY = reader("y1", "Last row.")
    getWidth = reader("width", "Columns.")
    getHeight = reader("height", "Rows.")

    def getEndX(self) -> int:
        """The column after the last."""
        return self.x0 + self.width

    def getEndY(self) -> int:
        """The row after the last."""
        return self.y0 + self.height

    def getMin(self) -> Point2I:
        """First pixel."""
        return Point2I(self.x0, self.y0)

    def getMax(self) -> Point2I:
        """Last pixel."""
        return Point2I(self.x1, self.y1)

    getBegin = getMin

    def getDimensions(self) -> Extent2I:
        """Columns and rows."""
        return Extent2I(self.width, self.height)

    def getArea(self) -> int:
        """Number of pixels."""
        return self.width * self.height

    def getCenter(self) -> Point2D:
        """The middle."""
        return Point2D(self.x0 + (self.width - 1) / 2, self.y0 + (self.height - 1) / 2)

    def getCorners(self) -> list[Point2I]:
        """The four corner pixels, counter-clockwise from the first."""
        x0, y0, x1, y1 = self.x0, self.y0, self.x1, self.y1
        return [Point2I(x0, y0), Point2I(x1, y0), Point2I(x1, y1), Point2I(x0, y1)]

    def contains(self, other: Any) -> bool:
        """Whether a point, or a whole box, lies inside."""
        if isinstance(other, Box2I):
            return self.contains(other.getMin()) and self.contains(other.getMax())
        x, y = other
        return self.x0 - 0.5 <= x < self.x1 + 0.5 and self.y0 - 0.5 <= y < self.y1 + 0.5

    def overlaps(self, other: Box2I) -> bool:
        """Whether both have a pixel in common."""
        return min(self.x1, other.x1) >= max(self.x0, other.x0) and min(self.y1, other.y1) >= max(self.y0, other.y0)

    def grow(self, by: int) -> None:
        """Move every side outward."""
        self.x0, self.y0 = self.x0 - by, self.y0 - by
        self.width, self.height = self.width + 2 * by, self.height + 2 * by

    def clip(self, other: Box2I) -> None:
        """Keep what lies in the other box too."""
        x1, y1 = min(self.x1, other.x1), min(self.y1, other.y1)
        self.x0, self.y0 = max(self.x0, other.x0), max(self.y0, other.y0)
        self.width, self.height = max(x1 - self.x0 + 1, 0), max(y1 - self.y0 + 1, 0)

    def shift(self, by: Any) -> None:
        """Move the box."""
        self.x0, self.y0 = self.x0 + int(by[0]), self.y0 + int(by[1])

    def isEmpty(self) -> bool:
        """Whether there is no pixel in it."""
        return self.width <= 0 or self.height <= 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Box2I) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        return f"Box2I(({self.x0}, {self.y0}), Extent2I({self.width}, {self.height}))"


class Quadrupole:
    """Second moments [pix^2]."""

    def __init__(self, ixx: float, iyy: float, ixy: float = 0.0) -> None:
        self.ixx, self.iyy, self.ixy = float(ixx), float(iyy), float(ixy)

    getIxx = reader("ixx", "Moment xx.")
    getIyy = reader("iyy", "Moment yy.")
    getIxy = reader("ixy", "Moment xy.")

    def getDeterminant(self) -> float:
        """ixx iyy - ixy^2."""
        return self.ixx * self.iyy - self.ixy**2

    def getDeterminantRadius(self) -> float:
        """(ixx iyy - ixy^2)^(1/4)."""
        determinant = self.getDeterminant()
        return determinant**0.25 if determinant >= 0 else math.nan

    def getTraceRadius(self) -> float:
        """((ixx + iyy) / 2)^(1/2)."""
        return math.sqrt((self.ixx + self.iyy) / 2)

    def getArea(self) -> float:
        """Area of the one-sigma ellipse."""
        return math.pi * self.getDeterminantRadius() ** 2

    def getMatrix(self) -> np.ndarray:
        """[[ixx, ixy], [ixy, iyy]]."""
        return np.array([[self.ixx, self.ixy], [self.ixy, self.iyy]])

    def transform(self, linear: Any) -> Quadrupole:
        """The moments after x -> linear x, a 2 x 2 matrix (or what has getMatrix)."""
        matrix = np.asarray(linear.getMatrix() if hasattr(linear, "getMatrix") else linear)
        moved = matrix @ self.getMatrix() @ matrix.T
        return Quadrupole(moved[0, 0], moved[1, 1], moved[0, 1])

    def __repr__(self) -> str:
        return f"(ixx={self.ixx}, iyy={self.iyy}, ixy={self.ixy})"


class Axes:
    """An ellipse: half axes a >= b, and the angle of a from x toward y [rad]; made of them or of a Quadrupole."""

    def __init__(self, a: Any, b: float = 1.0, theta: float = 0.0) -> None:
        if isinstance(a, Quadrupole):
            half, spread = (a.ixx + a.iyy) / 2, math.hypot((a.ixx - a.iyy) / 2, a.ixy)
            self.a = math.sqrt(half + spread) if half + spread >= 0 else math.nan
            self.b = math.sqrt(half - spread) if half - spread >= 0 else math.nan
            self.theta = 0.5 * math.atan2(2 * a.ixy, a.ixx - a.iyy)
        else:
            self.a, self.b, self.theta = float(a), float(b), float(theta)

    getA = reader("a", "The larger half axis.")
    getB = reader("b", "The smaller half axis.")
    getTheta = reader("theta", "Angle of the larger half axis from x toward y [rad].")

    def getQuadrupole(self) -> Quadrupole:
        """Its moments."""
        c, s = math.cos(self.theta), math.sin(self.theta)
        a2, b2 = self.a**2, self.b**2
        return Quadrupole(a2 * c * c + b2 * s * s, a2 * s * s + b2 * c * c, (a2 - b2) * c * s)

    def __repr__(self) -> str:
        return f"(a={self.a}, b={self.b}, theta={self.theta})"
