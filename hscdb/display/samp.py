"""Any program that speaks SAMP (TOPCAT, Aladin, DS9): images and tables as files, by a hub that runs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hscdb.display import ds9, style, symbols
from hscdb.display.content import Content
from hscdb.display.hub import Hub
from hscdb.errors import ConfigError
from hscdb.fits.stream import image_bytes
from hscdb.image.mask import BIT


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

    def _takers(self, mtype: str) -> list[str]:
        """Ids of the clients that are meant and understand a kind of message."""
        names = self._hub.names()
        return [
            each
            for each in self._hub.takers(mtype)
            if each in names and (self.only is None or self.only.lower() in names[each].lower())
        ]

    def _send(self, mtype: str, params: Mapping[str, str]) -> None:
        """Send to all who understand."""
        able = self._takers(mtype)
        if not able:
            there = ", ".join(sorted(name for name in self._hub.names().values() if name not in ("Hub", "hscdb")))
            raise ConfigError(
                f"display: no SAMP client{' ' + self.only if self.only else ''} takes {mtype}. There are: "
                f"{there or 'none'}.",
                code="no_client",
            )
        for each in able:
            self._hub.send(each, mtype, params)

    def show(self, one: Content, frame: int | None, settings: Mapping[str, Any], how: style.Style) -> None:
        """Send an image with its WCS, and its mask: to DS9 as a layer per plane, to others as a second image.

        Frame and settings are DS9's; other clients show images as they like.
        """
        has_ds9 = bool(self._takers("ds9.set"))
        if has_ds9 and frame is not None:
            self.command(f"frame {frame}")
        if has_ds9:
            self.command("mask clear")
        self._image(one.pixels, one.title, {"OBJECT": one.title} | one.wcs, self._takers("image.load.fits"))
        if one.mask is not None and how.shown():
            others = sorted(set(self._takers("image.load.fits")) - set(self._takers("ds9.set")))
            if others:
                words = {"OBJECT": f"{one.title} mask"} | one.wcs | {f"MP_{name}": bit for name, bit in BIT.items()}
                self._image(one.mask, f"{one.title} mask", words, others)
            if has_ds9:
                self._layers(one.mask, how)
        if has_ds9:
            for said in ds9.commands(settings, how):
                self.command(" ".join(said))

    def _image(self, pixels: Any, title: str, cards: Mapping[str, Any], to: list[str]) -> None:
        """Send pixels as a file. ConfigError `no_client` if nobody takes images."""
        path = self._file(".fits")
        path.write_bytes(image_bytes(pixels, cards))
        params = {"url": path.as_uri(), "name": title or path.name, "image-id": str(path)}
        if not to:
            self._send("image.load.fits", params)  # tells who is there
        for each in to:
            self._hub.send(each, "image.load.fits", params)

    def _layers(self, mask: Any, how: style.Style) -> None:
        """Each plane of a mask that has pixels, in its color, to DS9."""
        there = int(np.bitwise_or.reduce(mask, axis=None))
        self.command("mask mark nonzero")
        for _, bit, color in how.shown():
            if there & bit:
                path = self._file(".fits")
                path.write_bytes(image_bytes(((mask & bit) != 0).astype(np.uint8)))
                self.command(f"mask color {color}")
                self.command(f"fits mask {path}")

    def _file(self, suffix: str) -> Path:
        self._n_file += 1
        return self._folder / f"{self._n_file}{suffix}"

    def table(self, path: Path, name: str) -> None:
        """Send a catalog's file."""
        self._send("table.load.fits", {"url": path.resolve().as_uri(), "name": name, "table-id": str(path)})

    def draw(self, shapes: Iterable[symbols.Shape], frame: int | None) -> None:
        """Draw in those clients that are DS9."""
        if frame is not None:
            self.command(f"frame {frame}")
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
