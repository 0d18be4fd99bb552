"""Images, masks and sources on DS9, on programs that speak SAMP, or in files: hscPipe's mtv and dot."""

from hscdb.display.screen import (
    Buffering,
    dot,
    ds9Cmd,
    erase,
    flush,
    getDefaultFrame,
    getDisplay,
    getMaskPlaneColor,
    getMaskTransparency,
    line,
    mtv,
    pan,
    scale,
    setDefaultFrame,
    setMaskPlaneColor,
    setMaskTransparency,
    use,
    zoom,
)  # fmt: skip
from hscdb.display.style import BLACK, BLUE, CYAN, GREEN, IGNORE, MAGENTA, ORANGE, RED, WHITE, YELLOW

__all__ = [
    "BLACK", "BLUE", "CYAN", "GREEN", "IGNORE", "MAGENTA", "ORANGE", "RED", "WHITE", "YELLOW", "Buffering", "dot",
    "ds9Cmd", "erase", "flush", "getDefaultFrame", "getDisplay", "getMaskPlaneColor", "getMaskTransparency", "line",
    "mtv", "pan", "scale", "setDefaultFrame", "setMaskPlaneColor", "setMaskTransparency", "use", "zoom",
]  # fmt: skip
