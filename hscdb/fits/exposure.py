"""calexp and src of a frame: all that goes into the two files, which may be known before they are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hscdb.fits import product
from hscdb.image.mask import BIT

if TYPE_CHECKING:
    from hscdb.fits.hdu import Table
    from hscdb.image.plane import Image

Cards = list[tuple[Any, ...]]


@dataclass(frozen=True)
class Exposure:
    """What is written of a measured frame.

    task_id : the task whose products they are.   cards : of HDU 0 of both files.   image_cards : of IMAGE (the WCS).
    tables  : behind the planes of calexp.        src   : the table of src.
    last    : the stage that completes and writes them.
    """

    task_id: int
    image: Image
    cards: Cards
    image_cards: Cards
    tables: list[Table]
    src: Table
    last: str = ""

    def write(self, files: Any, **ids: Any) -> None:
        """Write both under `files` (see run/stage.py)."""
        with files.writing("calexp", **ids) as target:
            self.write_calexp(target)
        with files.writing("src", **ids) as target:
            self.write_src(target)

    def write_calexp(
        self, path: Path, cards: Cards | None = None, image_cards: Cards | None = None,
        planes: Mapping[str, npt.NDArray[np.bool_]] | None = None,
    ) -> None:  # fmt: skip
        """Write calexp, with further cards, which replace those of the same name, and planes of the mask (ny, nx)."""
        for name, pixels in (planes or {}).items():
            rows = np.flatnonzero(pixels.any(axis=1))
            self.image.mask[rows] |= np.where(pixels[rows], np.int32(1 << BIT[name]), np.int32(0))
        product.write_image(
            path, self.image, [*self.cards, *(cards or [])], self.tables, [*self.image_cards, *(image_cards or [])]
        )

    def write_src(
        self, path: Path, cards: Cards | None = None, columns: Mapping[str, npt.NDArray[Any]] | None = None,
        flags: Mapping[int, npt.NDArray[np.bool_]] | None = None,
    ) -> None:  # fmt: skip
        """Write src, with further cards, other values (n_row,) of columns, and of flags by their bits."""
        rows = self.src.rows.copy() if columns or flags else self.src.rows  # detect's, should calibrate fail after this
        for name, values in (columns or {}).items():
            rows[name] = values
        for number, values in (flags or {}).items():
            rows["flags"][:, number] = values
        product.write_header(path, [*self.cards, *(cards or [])], [replace(self.src, rows=rows)])
