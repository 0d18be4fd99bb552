"""What `dot` draws: symbols as ellipses, lines and words in pixels, and these in the language of DS9."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from hscdb.butler.geom import Axes, Quadrupole
from hscdb.errors import ConfigError

SYMBOLS = "'o', '+', 'x', '*', '@:Ixx,Ixy,Iyy', or words"


@dataclass(frozen=True)
class Ellipse:
    """Center (x, y) [pix, from 0], half axes [pix], angle of `a` from x toward y [deg]; a circle has a = b."""

    x: float
    y: float
    a: float
    b: float
    angle_deg: float
    color: str


@dataclass(frozen=True)
class Line:
    """Points (x, y) [pix, from 0] joined by straight lines."""

    points: tuple[tuple[float, float], ...]
    color: str


@dataclass(frozen=True)
class Words:
    """Text centered on (x, y) [pix, from 0]."""

    x: float
    y: float
    text: str
    color: str


Shape = Ellipse | Line | Words


def shapes(symbol: str, x: float, y: float, size: float, color: str) -> list[Shape]:
    """The shapes of a symbol at (x, y), of half width `size`; an ellipse has the size of its moments.

    Nothing where the place or the moments are not numbers, as of sources that could not be measured.
    ConfigError `bad_symbol` on an ellipse that cannot be read.
    """
    if not (math.isfinite(x) and math.isfinite(y)):
        return []
    if symbol.startswith("@:"):
        try:
            ixx, ixy, iyy = (float(word) for word in symbol[2:].split(","))
        except ValueError:
            raise ConfigError(f"symbol {symbol}: not @:Ixx,Ixy,Iyy. Symbols: {SYMBOLS}.", code="bad_symbol") from None
        axes = Axes(Quadrupole(ixx, iyy, ixy))
        if not (math.isfinite(axes.a) and math.isfinite(axes.b) and axes.a > 0):
            return []
        return [Ellipse(x, y, axes.a, axes.b, math.degrees(axes.theta), color)]
    if symbol == "o":
        return [Ellipse(x, y, size, size, 0.0, color)]
    upright: list[Shape] = [Line(((x - size, y), (x + size, y)), color), Line(((x, y - size), (x, y + size)), color)]
    d = size / math.sqrt(2.0)
    diagonal: list[Shape] = [
        Line(((x - d, y - d), (x + d, y + d)), color), Line(((x - d, y + d), (x + d, y - d)), color),
    ]  # fmt: skip
    found = {"+": upright, "x": diagonal, "*": upright + diagonal}.get(symbol)
    return found if found is not None else [Words(x, y, symbol, color)]


def moved(shape: Shape, dx: float, dy: float) -> Shape:
    """The shape elsewhere."""
    if isinstance(shape, Line):
        return replace(shape, points=tuple((x + dx, y + dy) for x, y in shape.points))
    return replace(shape, x=shape.x + dx, y=shape.y + dy)


def regions(drawn: Iterable[Shape]) -> str:
    """The shapes as a DS9 region file in image coordinates, which count from 1."""
    lines = ["# Region file format: DS9", "image"]
    for shape in drawn:
        if isinstance(shape, Ellipse):
            place = f"{shape.x + 1:.3f},{shape.y + 1:.3f}"
            if shape.a == shape.b:
                text = f"circle({place},{shape.a:.3f})"
            else:
                text = f"ellipse({place},{shape.a:.3f},{shape.b:.3f},{shape.angle_deg:.3f})"
            lines.append(f"{text} # color={shape.color}")
        elif isinstance(shape, Line):
            for (x0, y0), (x1, y1) in zip(shape.points, shape.points[1:], strict=False):
                ends = f"{x0 + 1:.3f},{y0 + 1:.3f},{x1 + 1:.3f},{y1 + 1:.3f}"
                lines.append(f"line({ends}) # line=0 0 color={shape.color}")
        else:
            said = shape.text.replace("{", "(").replace("}", ")")
            lines.append(f"text({shape.x + 1:.3f},{shape.y + 1:.3f}) # color={shape.color} text={{{said}}}")
    return "\n".join(lines) + "\n"
