"""mtv, dot and their like, as hscPipe's scripts call them, on the display that is in use."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from hscdb.display import content, style, symbols
from hscdb.display.ds9 import Ds9
from hscdb.display.files import Files
from hscdb.errors import ConfigError

PARENT, LOCAL = "PARENT", "LOCAL"


@dataclass
class _State:
    """What is remembered from call to call: target, default frame, blocks of Buffering, what these hold back, the first
    pixel of what each frame shows."""

    target: Any = None
    frame: int | None = None
    depth: int = 0
    waiting: dict[int | None, list[symbols.Shape]] = field(default_factory=dict)
    xy0: dict[int | None, tuple[int, int]] = field(default_factory=dict)


_state, _looks = _State(), style.Style()


def use(target: Any = None) -> Any:
    """Show on another display from now on; it is returned.

    target : "ds9" (or "ds9:NAME"), "samp" (or "samp:CLIENT"), the path of a picture ("{frame}" in it stands for the
             frame's number), or an object of hscdb.display. None: what HSCDB_DISPLAY says, else DS9.
    """
    word = target if target is not None else os.environ.get("HSCDB_DISPLAY") or "ds9"
    if isinstance(word, str | Path):
        kind, _, name = str(word).partition(":")
        if kind == "ds9":
            word = Ds9(name or None)
        elif kind == "samp":
            from hscdb.display.samp import Samp

            word = Samp(name or None)
        elif Path(word).suffix:
            word = Files(word)
        else:
            raise ConfigError(f"display: {word}: give ds9, ds9:NAME, samp, samp:CLIENT, or FILE.png.", "bad_display")
    if _state.target is not None:
        flush()
        _state.target.close()
    _state.target = word
    _state.xy0.clear()
    return word


def getDisplay(frame: int | None = None) -> Any:
    """The display in use."""
    if frame is not None:
        _state.frame = frame
    return _state.target if _state.target is not None else use()


def setDefaultFrame(frame: int | None = None) -> None:
    """The frame of calls that name none; None: the display's current one."""
    _state.frame = frame


def getDefaultFrame() -> int | None:
    """The frame of calls that name none."""
    return _state.frame


def _frame(frame: int | None) -> int | None:
    return frame if frame is not None else _state.frame


def _xy0(frame: int | None, origin: str) -> tuple[int, int]:
    return _state.xy0.get(frame, (0, 0)) if origin == PARENT else (0, 0)


def mtv(
    data: Any, frame: int | None = None, title: str = "", wcs: Any = None, settings: Mapping[str, Any] | None = None,
    **others: Any,
) -> None:  # fmt: skip
    """Show an Exposure, MaskedImage, Image, Mask, numpy array, or the file of a product.

    settings : DS9's words, e.g. {"scale": "zscale", "zoom": "to fit", "mask": "transparency 60"}.
    """
    at = _frame(frame)
    one = content.of(data, title, wcs)
    words = str((settings or {}).get("mask", "")).split()
    if len(words) == 2 and words[0] == "transparency":
        _looks.set_transparency(float(words[1]))
    getDisplay().show(one, at, settings or {}, _looks)
    _state.waiting.pop(at, None)
    _state.xy0[at] = one.xy0


def dot(
    symb: Any, c: float, r: float, frame: int | None = None, size: float = 2, ctype: str | None = None,
    origin: str = PARENT, silent: bool = True, **others: Any,
) -> None:  # fmt: skip
    """Draw a symbol at column c, row r [pix, from 0] of the frame that the image was cut from (origin=LOCAL: of it).

    symb  : 'o', '+', 'x', '*' (of half width size [pix]), '@:Ixx,Ixy,Iyy' (an ellipse of these moments), or words.
    ctype : color [green].
    """
    at = _frame(frame)
    color = ctype or style.GREEN
    style.rgb(color)
    x0, y0 = _xy0(at, origin)
    _add(at, symbols.shapes(str(symb), float(c) - x0, float(r) - y0, float(size), color))


def line(points: Any, frame: int | None = None, origin: str = PARENT, ctype: str | None = None, **others: Any) -> None:
    """Join points (column, row) by lines."""
    at = _frame(frame)
    color = ctype or style.GREEN
    style.rgb(color)
    x0, y0 = _xy0(at, origin)
    _add(at, [symbols.Line(tuple((float(x) - x0, float(y) - y0) for x, y in points), color)])


def _add(frame: int | None, found: Iterable[symbols.Shape]) -> None:
    _state.waiting.setdefault(frame, []).extend(found)
    if not _state.depth:
        flush()


def flush(silent: bool = True) -> None:
    """Send what Buffering holds back."""
    for frame in list(_state.waiting):
        found = _state.waiting.pop(frame)
        if found:
            getDisplay().draw(found, frame)


class Buffering:
    """`with Buffering():` sends all symbols of the block at once, which is much faster."""

    def __enter__(self) -> Buffering:
        """Begin to hold back."""
        _state.depth += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Send, unless an outer block still holds back."""
        _state.depth -= 1
        if not _state.depth:
            flush()


def erase(frame: int | None = None) -> None:
    """Remove what was drawn."""
    at = _frame(frame)
    _state.waiting.pop(at, None)
    getDisplay().erase(at)


def setMaskTransparency(transparency: float | None = None, frame: int | None = None) -> None:
    """Transparency [per cent] of masks that are shown from now on."""
    if transparency is not None:
        _looks.set_transparency(transparency)


def getMaskTransparency(frame: int | None = None) -> float:
    """[per cent]."""
    return _looks.transparency


def setMaskPlaneColor(name: str | Mapping[str, str], color: str | None = None, frame: int | None = None) -> None:
    """The color of a mask plane ("ignore" hides it), or of several: {name: color}. None gives the default back."""
    for each, its in name.items() if isinstance(name, Mapping) else [(name, color)]:
        _looks.set_color(each, its)


def getMaskPlaneColor(name: str, frame: int | None = None) -> str:
    """The color of a mask plane."""
    return _looks.colors.get(style.plane(name), style.IGNORE)


def ds9Cmd(cmd: str | None = None, trap: bool = True, silent: bool = True, **others: Any) -> None:
    """Any command of DS9."""
    if cmd:
        getDisplay().command(cmd)


def scale(algorithm: str, min: Any = None, max: Any = None, frame: int | None = None, **others: Any) -> None:
    """The stretch (linear, log, asinh, ...) and its limits: "zscale", or two numbers."""
    getDisplay().command(f"scale {algorithm}")
    if min is not None:
        getDisplay().command(f"scale mode {min}" if max is None else f"scale limits {min} {max}")


def zoom(factor: float | None = None, colc: Any = None, rowc: Any = None, frame: int | None = None) -> None:
    """Zoom, and pan to a column and row if they are given."""
    if factor is not None:
        getDisplay().command(f"zoom to {factor}")
    if colc is not None and rowc is not None:
        pan(colc, rowc, frame)


def pan(colc: float, rowc: float, frame: int | None = None, origin: str = PARENT) -> None:
    """Bring a column and row [pix, from 0] to the middle."""
    x0, y0 = _xy0(_frame(frame), origin)
    getDisplay().command(f"pan to {colc - x0 + 1} {rowc - y0 + 1} image")
