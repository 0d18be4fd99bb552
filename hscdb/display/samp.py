"""Any program that speaks SAMP (TOPCAT, Aladin, DS9): images and tables as files, by a hub that runs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hscdb.display import style, symbols
from hscdb.display.content import Content
from hscdb.display.hub import Hub
from hscdb.errors import ConfigError
from hscdb.fits.stream import image_bytes
from hscdb.run.log import logger


class Samp:
    """The clients of the running hub; all of them, or those in whose names a word is ("ds9": SAOImageDS9).

    Files that are sent stay in a temporary folder, for clients read them when they like.
    ConfigError `no_hub` if there is no hub, `no_client` if no such client is there or understands what is sent.
    """

    def __init__(self, client: str | None = None) -> None:
        self.only = client
        self._hub = Hub("hscdb", "images and catalogs of an hscdb repository")
        self._folder = Path(tempfile.mkdtemp(prefix="hscdb-samp-"))
        self._n_file = 0
        self._is_told = False

    def _send(self, mtype: str, params: Mapping[str, str]) -> None:
        """Send to all who understand."""
        names = self._hub.names()
        able = [each for each in self._hub.takers(mtype) if each in names]
        if self.only is not None:
            able = [each for each in able if self.only.lower() in names[each].lower()]
        if not able:
            there = ", ".join(sorted(name for name in names.values() if name not in ("Hub", "hscdb")))
            raise ConfigError(
                f"display: no SAMP client{' ' + self.only if self.only else ''} takes {mtype}. There are: "
                f"{there or 'none'}.",
                code="no_client",
            )
        for each in able:
            self._hub.send(each, mtype, params)

    def show(self, one: Content, frame: int | None, settings: Mapping[str, Any], how: style.Style) -> None:
        """Send an image with its WCS. Masks and settings stay behind: SAMP has no words for them."""
        if one.mask is not None and how.shown() and not self._is_told:
            logger.info("display: SAMP shows no masks; DS9 over XPA and pictures do")
            self._is_told = True
        path = self._file(".fits")
        path.write_bytes(image_bytes(one.pixels, {"OBJECT": one.title} | one.wcs))
        self._send("image.load.fits", {"url": path.as_uri(), "name": one.title or path.name, "image-id": str(path)})

    def _file(self, suffix: str) -> Path:
        self._n_file += 1
        return self._folder / f"{self._n_file}{suffix}"

    def table(self, path: Path, name: str) -> None:
        """Send a catalog's file."""
        self._send("table.load.fits", {"url": path.resolve().as_uri(), "name": name, "table-id": str(path)})

    def draw(self, shapes: Iterable[symbols.Shape], frame: int | None) -> None:
        """Draw in those clients that are DS9."""
        path = self._file(".reg")
        path.write_text(symbols.regions(shapes))
        self._send("ds9.set", {"cmd": f"regions load {path}"})

    def erase(self, frame: int | None) -> None:
        """Remove what was drawn, in DS9."""
        self._send("ds9.set", {"cmd": "regions delete all"})

    def command(self, text: str) -> None:
        """A command for DS9."""
        self._send("ds9.set", {"cmd": text})

    def close(self) -> None:
        """Leave the hub."""
        self._hub.close()
