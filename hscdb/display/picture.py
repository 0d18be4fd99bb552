"""Pictures in files: an image with its mask in color, axes, symbols, and what the colors mean. No display is needed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hscdb.display import render, style, symbols
from hscdb.display.focalplane import Mosaic
from hscdb.errors import ConfigError

_DPI = 100
_MARGIN = (0.75, 0.55, 0.25, 0.55)  # left, bottom, right, top [inch]
_TYPES = (".png", ".pdf", ".svg", ".jpg")
_SIDE_MIN = 400  # [pix] of the picture: small images are enlarged
_SIDE = 1000  # [pix] that an image is binned to if nothing else is said


@dataclass
class Picture:
    """What is drawn: colors (ny, nx, 3) from the bottom up.

    extent : left, right, bottom, top of the axes in the units of `axes` (names of both); shapes and labels have them.
    legend : names of mask planes with their colors.
    """

    colors: npt.NDArray[np.uint8]
    title: str
    extent: tuple[float, float, float, float]
    axes: tuple[str, str]
    legend: Sequence[tuple[str, str]] = ()
    shapes: list[symbols.Shape] = field(default_factory=list)
    labels: Sequence[tuple[str, float, float]] = ()


def of_image(
    pixels: npt.NDArray[Any], mask: npt.NDArray[np.int32] | None, how: style.Style, *, title: str = "",
    xy0: tuple[int, int] = (0, 0), n_bin: int | None = None, scale: str = "zscale", stretch: str = "asinh",
) -> Picture:  # fmt: skip
    """The picture of one CCD (or any image), y up; axes in pixels. n_bin None: as fits a screen."""
    n = n_bin or max(-(-max(pixels.shape) // _SIDE), 1)
    small = render.binned(pixels, n)
    few = None if mask is None else render.binned_mask(mask, n)
    x0, y0 = xy0[0] - 0.5, xy0[1] - 0.5
    extent = (x0, x0 + small.shape[1] * n, y0, y0 + small.shape[0] * n)
    shown = render.colors(small, few, how, scale=scale, stretch=stretch)
    return Picture(shown, title, extent, ("x [pix]", "y [pix]"), _legend(few, how))


def of_mosaic(
    one: Mosaic, how: style.Style, *, title: str = "", scale: str = "zscale", stretch: str = "asinh",
    is_labeled: bool = True,
) -> Picture:  # fmt: skip
    """The picture of a focal plane, north up, east left; axes in arcmin from the boresight, positive to the east."""
    ny, nx = one.pixels.shape
    side = one.step_arcsec / 60
    left, bottom = one.west / 60 - side / 2, one.north / 60 - side / 2
    extent = (-left, -(left + nx * side), bottom, bottom + ny * side)
    shown = render.colors(one.pixels, one.mask, how, scale=scale, stretch=stretch)
    labels = [
        (str(ccd), -(one.west + column * one.step_arcsec) / 60, (one.north + row * one.step_arcsec) / 60)
        for ccd, column, row in one.labels
    ]
    axes = ("east of the boresight [arcmin]", "north [arcmin]")
    return Picture(shown, title, extent, axes, _legend(one.mask, how), labels=labels if is_labeled else ())


def _legend(mask: npt.NDArray[np.int32] | None, how: style.Style) -> list[tuple[str, str]]:
    """Name and color of the planes that are there."""
    if mask is None or how.transparency >= 100:
        return []
    there = int(np.bitwise_or.reduce(mask, axis=None))
    return [(name, color) for name, bit, color in how.shown() if there & bit]


def check(path: Path) -> None:
    """Refuse what cannot be written: ConfigError `no_folder`, `bad_suffix`."""
    if path.suffix.lower() not in _TYPES:
        raise ConfigError(f"{path}: not a kind of picture that is written. Give {', '.join(_TYPES)}.", "bad_suffix")
    if not path.absolute().parent.is_dir():
        raise ConfigError(f"{path}: no folder {path.absolute().parent}. Make it first.", code="no_folder")


def save(one: Picture, path: Path) -> None:
    """Write a picture. ConfigError as `check`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patheffects import Normal, Stroke

    check(path)
    ny, nx = one.colors.shape[:2]
    enlarged = max(-(-_SIDE_MIN // max(ny, nx)), 1)
    width, height = enlarged * nx / _DPI, enlarged * ny / _DPI
    left, bottom, right, top = _MARGIN
    room = 1.6 if one.legend else 0.0
    whole = width + left + right + room, height + bottom + top
    figure = Figure(figsize=whole, dpi=_DPI)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((left / whole[0], bottom / whole[1], width / whole[0], height / whole[1]))
    axes.imshow(one.colors, origin="lower", extent=one.extent, interpolation="nearest", aspect="auto")
    axes.set_xlabel(one.axes[0])
    axes.set_ylabel(one.axes[1])
    axes.set_title(one.title, fontsize=10)
    _draw(axes, one.shapes)
    axes.set_xlim(one.extent[0], one.extent[1])
    axes.set_ylim(one.extent[2], one.extent[3])
    for text, x, y in one.labels:
        drawn = axes.text(x, y, text, color="white", fontsize=9, ha="center", va="center", clip_on=True)
        drawn.set_path_effects([Stroke(linewidth=2, foreground="black"), Normal()])
    if one.legend:
        _explain(axes, one.legend)
    figure.savefig(path, dpi=_DPI)


def _paint(color: str) -> tuple[float, ...]:
    return tuple(each / 255 for each in style.rgb(color))


def _draw(axes: Any, shapes: Iterable[symbols.Shape]) -> None:
    """Ellipses and lines as two collections: a frame has thousands of sources."""
    from matplotlib.collections import LineCollection, PatchCollection
    from matplotlib.patches import Ellipse

    found = list(shapes)
    ellipses = [each for each in found if isinstance(each, symbols.Ellipse)]
    if ellipses:
        patches = [Ellipse((e.x, e.y), 2 * e.a, 2 * e.b, angle=e.angle_deg) for e in ellipses]
        edges = [_paint(e.color) for e in ellipses]
        axes.add_collection(PatchCollection(patches, facecolor="none", edgecolor=edges, linewidth=0.8), autolim=False)
    lines = [each for each in found if isinstance(each, symbols.Line)]
    if lines:
        drawn = LineCollection([e.points for e in lines], colors=[_paint(e.color) for e in lines], linewidth=0.8)
        axes.add_collection(drawn, autolim=False)
    for each in found:
        if isinstance(each, symbols.Words):
            axes.text(
                each.x, each.y, each.text, color=_paint(each.color), fontsize=8, ha="center", va="center", clip_on=True
            )


def _explain(axes: Any, legend: Sequence[tuple[str, str]]) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(color=_paint(color), label=name) for name, color in legend]
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1.0), fontsize=8, title="mask", frameon=False)
