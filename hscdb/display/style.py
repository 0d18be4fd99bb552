"""Colors of mask planes, and how opaque they are: hscPipe's, as its manual has them."""

from __future__ import annotations

from difflib import get_close_matches

from hscdb.errors import ConfigError
from hscdb.image.mask import BIT

WHITE, BLACK, RED, GREEN, BLUE, CYAN, MAGENTA, YELLOW, ORANGE = (
    "white", "black", "red", "green", "blue", "cyan", "magenta", "yellow", "orange",
)  # fmt: skip
IGNORE = "ignore"
TRANSPARENCY = 60.0  # [per cent], as in the manual's example
# From the least to the most serious: what comes later is drawn over what came before.
DEFAULT: dict[str, str] = {
    "DETECTED": BLUE, "DETECTED_NEGATIVE": CYAN, "EDGE": YELLOW, "SUSPECT": YELLOW, "INTRP": GREEN, "SAT": GREEN,
    "CR": MAGENTA, "STREAK": ORANGE, "BAD": RED, "NO_DATA": ORANGE,
}  # fmt: skip
_SAME = {"INTERPOLATED": "INTRP", "SATURATED": "SAT"}
_RGB = {
    WHITE: (255, 255, 255), BLACK: (0, 0, 0), RED: (255, 0, 0), GREEN: (0, 255, 0), BLUE: (0, 0, 255),
    CYAN: (0, 255, 255), MAGENTA: (255, 0, 255), YELLOW: (255, 255, 0), ORANGE: (255, 165, 0),
}  # fmt: skip


def plane(name: str) -> str:
    """Our name of a mask plane; INTERPOLATED and SATURATED are taken too. ConfigError `unknown_plane`."""
    ours = _SAME.get(name.upper(), name.upper())
    if ours in BIT:
        return ours
    near = get_close_matches(ours, [*BIT, *_SAME], 1)
    guess = f"; did you mean {near[0]}?" if near else "."
    raise ConfigError(f"no mask plane {name}{guess} Planes: {', '.join(BIT)}.", code="unknown_plane")


def rgb(color: str) -> tuple[int, int, int]:
    """Red, green, blue (0..255) of a color's name or of #rrggbb. ConfigError `unknown_color`."""
    if color in _RGB:
        return _RGB[color]
    if len(color) == 7 and color[0] == "#":
        try:
            return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
        except ValueError:
            pass
    raise ConfigError(f"no color {color}. Colors: {', '.join(_RGB)}, #rrggbb; {IGNORE} hides.", code="unknown_color")


class Style:
    """How mask planes are shown: colors by plane, in the order of drawing, and their transparency [per cent]."""

    def __init__(self) -> None:
        self.colors = dict(DEFAULT)
        self.transparency = TRANSPARENCY

    def set_color(self, name: str, color: str | None) -> None:
        """The color of a plane; None gives back its default (planes without one are not shown)."""
        ours = plane(name)
        if color is None:
            color = DEFAULT.get(ours, IGNORE)
        if color != IGNORE:
            rgb(color)
        self.colors[ours] = color

    def set_transparency(self, percent: float) -> None:
        """0: only the mask is seen; 100: only the image. ConfigError `bad_transparency`."""
        if not 0 <= percent <= 100:
            raise ConfigError(f"transparency {percent}: give 0 (opaque) to 100 (not seen).", code="bad_transparency")
        self.transparency = float(percent)

    def shown(self) -> list[tuple[str, int, str]]:
        """Name, bit value and color of the planes that are shown, in the order of drawing."""
        return [(name, 1 << BIT[name], color) for name, color in self.colors.items() if color != IGNORE]
