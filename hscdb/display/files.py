"""Pictures in files in the place of a display: scripts that call mtv and dot leave PNGs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hscdb.display import picture, style, symbols
from hscdb.display.content import Content
from hscdb.errors import ConfigError


class Files:
    """Each frame becomes a file; `{frame}` in its name stands for the number."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser()
        self._pictures: dict[int, picture.Picture] = {}

    def show(self, one: Content, frame: int | None, settings: Mapping[str, Any], how: style.Style) -> None:
        """Write the picture of an image; of the settings, `scale` is looked at (zscale, minmax, linear, log, asinh)."""
        scale = str(settings.get("scale", "zscale")).removeprefix("mode ")
        stretch = "linear"
        if scale in ("linear", "log", "asinh"):
            scale, stretch = "zscale", scale
        self._pictures[frame or 1] = picture.of_image(
            one.pixels, one.mask, how, title=one.title, xy0=one.xy0, scale=scale, stretch=stretch
        )
        self._write(frame)

    def draw(self, shapes: Iterable[symbols.Shape], frame: int | None) -> None:
        """Draw over a frame and write it again. ConfigError `no_image` if nothing was shown there."""
        one = self._pictures.get(frame or 1)
        if one is None:
            raise ConfigError(
                f"display: nothing is shown in frame {frame or 1} to draw on. Call mtv first.", code="no_image"
            )
        x0, y0 = one.extent[0] + 0.5, one.extent[2] + 0.5  # the axes count as the frame does, shapes from the image
        one.shapes.extend(symbols.moved(each, x0, y0) for each in shapes)
        self._write(frame)

    def erase(self, frame: int | None) -> None:
        """Remove what was drawn over a frame."""
        if (frame or 1) in self._pictures:
            self._pictures[frame or 1].shapes.clear()
            self._write(frame)

    def _write(self, frame: int | None) -> None:
        name = str(self.path).replace("{frame}", str(frame or 1))
        picture.save(self._pictures[frame or 1], Path(name))

    def command(self, text: str) -> None:
        """Nothing: a file has no zoom."""

    def close(self) -> None:
        """Nothing: every change was written."""
