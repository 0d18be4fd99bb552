"""SAOImage DS9 over XPA: images, masks and regions go to a DS9 that runs, or to one that is started here.

XPA's own programs (xpaset, xpaget, xpaaccess; Debian's xpa-tools) do the talking. HSCDB_DS9 names the DS9 [ds9].
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from hscdb.display import style, symbols
from hscdb.display.content import Content
from hscdb.errors import ConfigError, DataError
from hscdb.fits.stream import image_bytes

_WAIT_S = 60.0  # for a DS9 that is started; it takes 2 s on an idle machine
_POLL_S = 0.2
# what mtv does if it is not told otherwise
SETTINGS = {"scale": "mode zscale", "zoom": "to fit"}
_MODES = ("zscale", "zmax", "minmax", "user")


def commands(settings: Mapping[str, Any], how: style.Style) -> list[list[str]]:
    """What is said to DS9 when an image is loaded: mtv's settings over the usual ones, in its words."""
    found = []
    for key, words in {**SETTINGS, "mask": f"transparency {how.transparency:g}", **settings}.items():
        said = str(words).split()
        found.append([key, *(["mode", *said] if key == "scale" and said[0] in _MODES else said)])
    return [*found, ["mask", "close"]]  # its window opens by itself


class Ds9:
    """A DS9 by its XPA name (`ds9 -title NAME`); started at the first use if there is none and a screen is there."""

    def __init__(self, name: str | None = None) -> None:
        self.name = name or os.environ.get("HSCDB_DS9") or "ds9"
        self._is_known = False
        self._process: subprocess.Popen[bytes] | None = None

    def is_running(self) -> bool:
        """Whether a DS9 of this name answers. ConfigError `no_xpa` if XPA's programs are missing."""
        done = _call("xpaaccess", self.name)
        return done.stdout.strip() == b"yes"

    def start(self) -> None:
        """Start DS9 unless it runs. ConfigError `no_ds9` if it is not installed, has no screen or does not answer."""
        if self._is_known or self.is_running():
            self._is_known = True
            return
        program = shutil.which("ds9")
        lacks = "it is not installed (Debian: saods9)" if program is None else ""
        if program is not None and not (os.environ.get("DISPLAY") or os.uname().sysname == "Darwin"):
            lacks = "there is no screen (DISPLAY is not set)"
        if program is None or lacks:
            raise ConfigError(
                f"display: no DS9 named '{self.name}' answers, and none can be started: {lacks}. Start one, or write "
                "a picture: hscdb display ... --png FILE, in Python hscdb.display.use('FILE.png').",
                code="no_ds9",
            )
        nowhere = subprocess.DEVNULL
        self._process = subprocess.Popen(
            [program, "-title", self.name], start_new_session=True, stdin=nowhere, stdout=nowhere, stderr=nowhere
        )
        until = time.monotonic() + _WAIT_S
        while time.monotonic() < until and self._process.poll() is None:
            if self.is_running():
                self._is_known = True
                return
            time.sleep(_POLL_S)
        raise ConfigError(
            f"display: {program} was started but does not answer over XPA. Start it by hand: ds9 -title {self.name}",
            code="no_ds9",
        )

    def quit(self) -> None:
        """Close DS9."""
        self._is_known = False
        _call("xpaset", "-p", self.name, "exit")
        if self._process is not None:
            self._process.wait(timeout=_WAIT_S)
            self._process = None

    def set(self, *words: str, content: bytes | None = None) -> None:
        """Send a command, with data if there are any. DataError `ds9_refused` with what DS9 says."""
        self.start()
        plain = ["-p"] if content is None else []
        done = _call("xpaset", *plain, self.name, *words, content=content)
        if done.returncode:
            raise self._refusal(words, done)

    def get(self, *words: str) -> str:
        """Ask for something. DataError `ds9_refused`."""
        self.start()
        done = _call("xpaget", self.name, *words)
        if done.returncode:
            raise self._refusal(words, done)
        return done.stdout.decode(errors="replace").strip()

    def _refusal(self, words: Iterable[str], done: subprocess.CompletedProcess[bytes]) -> DataError:
        self._is_known = False  # it may have been closed: look again next time
        said = done.stderr.decode(errors="replace").strip().removeprefix("XPA$ERROR ").partition("\n")[0]
        return DataError(f"display: DS9 '{self.name}' refused `{' '.join(words)}`: {said}", code="ds9_refused")

    def show(self, one: Content, frame: int | None, settings: Mapping[str, Any], how: style.Style) -> None:
        """Load an image, and each plane of its mask that has pixels, into a frame (None: the current one)."""
        self._go_to(frame)
        self.set("mask", "clear")
        self.set("fits", content=image_bytes(one.pixels, {"OBJECT": one.title} | one.wcs))
        if one.mask is not None:
            self._mask(one.mask, how)
        for words in commands(settings, how):
            self.set(*words)

    def _go_to(self, frame: int | None) -> None:
        if frame is not None:
            self.set("frame", str(frame))

    def _mask(self, mask: Any, how: style.Style) -> None:
        there = int(np.bitwise_or.reduce(mask, axis=None))
        self.set("mask", "mark", "nonzero")
        for _, bit, color in how.shown():
            if there & bit:
                self.set("mask", "color", color)
                self.set("fits", "mask", content=image_bytes(((mask & bit) != 0).astype(np.uint8)))

    def draw(self, shapes: Iterable[symbols.Shape], frame: int | None) -> None:
        """Draw over a frame."""
        self._go_to(frame)
        self.set("regions", content=symbols.regions(shapes).encode())

    def erase(self, frame: int | None) -> None:
        """Remove what was drawn over a frame."""
        self._go_to(frame)
        self.set("regions", "delete", "all")

    def command(self, text: str) -> None:
        """Any command of DS9."""
        self.set(*text.split())

    def close(self) -> None:
        """Nothing: DS9 goes on."""


def _call(program: str, *words: str, content: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    path = shutil.which(program)
    if path is None:
        raise ConfigError(
            f"display: {program} is not installed (Debian: xpa-tools). Install it, use SAMP, or write a picture "
            "(--png FILE).",
            code="no_xpa",
        )
    # without data, stdin is at its end at once: nothing must wait for a terminal
    return subprocess.run([path, *words], input=content or b"", capture_output=True, check=False)
