"""Rows of any number as columns, a chunk at a time: put aside on the disk until their widths and lengths are known."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.lib import format as npy

CHUNK_ROWS = 2000  # a chunk of texts is as wide as its longest one
MEMORY = 1 << 25  # bytes that are kept in memory before the disk is used
TIMES = ("date", "time")


@dataclass(frozen=True)
class Field:
    """A column. dtype: numpy's code of its numbers ("i4", "f8", "?", ...), "U" for text, "date" or "time"; the rest as
    written."""

    name: str
    dtype: str
    unit: str = ""
    ucd: str = ""
    meaning: str = ""

    @property
    def is_text(self) -> bool:
        """Whether its cells are no numbers (a list of numbers may still become a vector)."""
        return self.dtype in ("U", *TIMES)


def text(entry: Any) -> str:
    """A cell as text: dates in ISO form, times UTC and without a zone (as FITS wants them), lists and documents as
    JSON, bytes as PostgreSQL writes them, nothing for what is missing."""
    if entry is None:
        return ""
    if isinstance(entry, datetime) and entry.tzinfo is not None:
        entry = entry.astimezone(UTC).replace(tzinfo=None)
    if isinstance(entry, date):
        return entry.isoformat()
    if isinstance(entry, dict | list):
        return json.dumps(entry, ensure_ascii=False, default=text)
    return "\\x" + entry.hex() if isinstance(entry, bytes) else str(entry)


def vector_length(entry: Any) -> int:
    """The length of a list of numbers (some of which may be missing); 0 for all else."""
    is_vector = isinstance(entry, list) and all(isinstance(item, int | float | None) for item in entry)
    return len(entry) if is_vector else 0


def chunks(rows: Iterable[Sequence[Any]], n_row: int = CHUNK_ROWS) -> Iterator[list[Sequence[Any]]]:
    """Rows in lists of at most n_row."""
    left = iter(rows)
    while part := list(islice(left, n_row)):
        yield part


class Spool:
    """Columns of all rows, read as often as one likes in chunks of one layout.

    kinds    : numpy's type of each column: a number, a vector of float64 or text in UTF-8 ("S12") wide enough for all.
               Lists of numbers are a vector where all have one length, else text.
    has_null : whether anything is missing in it.
    """

    def __init__(self, fields: Sequence[Field], folder: Path) -> None:
        self.fields = fields
        self.n_row = 0
        self.has_null = [False] * len(fields)
        self._n_chunk = 0
        self._lengths: list[set[int]] = [set() for _ in fields]
        self._width = [1] * len(fields)
        self._file: Any = SpooledTemporaryFile(max_size=MEMORY, dir=str(folder))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def fill(self, rows: Iterable[Sequence[Any]]) -> None:
        """Put all rows aside."""
        for part in chunks(rows):
            self._put(part)

    @property
    def kinds(self) -> list[np.dtype[Any]]:
        """The type of each column."""
        found = []
        for field, lengths, width in zip(self.fields, self._lengths, self._width, strict=True):
            if not field.is_text:
                found.append(np.dtype(field.dtype))
            elif len(lengths) == 1 and 0 not in lengths:
                found.append(np.dtype(("f8", (next(iter(lengths)),))))
            else:
                found.append(np.dtype(f"S{width}"))
        return found

    def _put(self, part: list[Sequence[Any]]) -> None:
        for i, field in enumerate(self.fields):
            entries = [row[i] for row in part]
            mask = np.array([entry is None for entry in entries], bool)
            if field.is_text:
                cells = np.array([text(entry).encode() for entry in entries], bytes)
                self._lengths[i] |= {vector_length(entry) for entry in entries if entry is not None}
                self._width[i] = max(self._width[i], cells.dtype.itemsize)
            else:
                blank: Any = np.nan if field.dtype[0] == "f" else 0
                cells = np.array([blank if entry is None else entry for entry in entries], field.dtype)
            self.has_null[i] |= bool(mask.any())
            npy.write_array(self._file, cells, allow_pickle=False)
            npy.write_array(self._file, mask, allow_pickle=False)
        self.n_row += len(part)
        self._n_chunk += 1

    def __iter__(self) -> Iterator[list[np.ma.MaskedArray[Any, Any]]]:
        kinds = self.kinds
        self._file.seek(0)
        for _ in range(self._n_chunk):
            columns = []
            for kind in kinds:
                cells = npy.read_array(self._file, allow_pickle=False)
                mask = npy.read_array(self._file, allow_pickle=False)
                if kind.shape:
                    columns.append(_vectors(cells, mask, kind.shape[0]))
                else:
                    columns.append(np.ma.MaskedArray(cells, mask))
            yield columns


def _vectors(cells: Any, mask: Any, n: int) -> np.ma.MaskedArray[Any, Any]:
    """Lists in JSON as vectors (n_row, n) of float64; what is missing is masked, and NaN."""
    blank = [None] * n
    listed = np.array([blank if gone else json.loads(cell) for cell, gone in zip(cells, mask, strict=True)], float)
    return np.ma.MaskedArray(listed.reshape(len(cells), n), np.isnan(listed.reshape(len(cells), n)))
