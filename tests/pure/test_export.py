"""Tables for other people: cells come back as they were, however many rows there are."""

import re
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.units import Unit

from hscdb.db.engine import folder
from hscdb.fits import export, spool
from hscdb.fits.export import Field

FIELDS = [
    Field("i2", "i2", "pix"), Field("i8", "i8"), Field("f4", "f4", "electron"), Field("f8", "f8", "deg"),
    Field("is_it", "?"), Field("words", "U"), Field("at", "time"), Field("day", "date"), Field("triple", "U"),
    Field("ragged", "U"), Field("never", "i4", "mmag"), Field("far", "U"),
]  # fmt: skip
WORDS = ["#a", 'é\U0001f600,"q" x', "", None, "tab\tnew\nline", "'s"]
N_ROW = 3 * spool.CHUNK_ROWS + 7


def rows(n_row: int = N_ROW) -> Iterator[tuple[Any, ...]]:
    for k in range(n_row):
        yield (
            k % 3 or None, -k if k % 5 else None, 0.1 if k % 7 else None, k / 3, [True, False, None][k % 3],
            WORDS[k % 6], datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC) if k % 4 else None,
            date(2026, 1, 2) if k % 4 else None,
            [1.5, None, k] if k % 6 else None, [1] * (k % 3), None, [k, k] if k > spool.CHUNK_ROWS else None,
        )  # fmt: skip


# None of the three tells an empty text from a missing one.
TEXTS = ("words", "at", "day", "ragged")


def plain(cell: Any) -> Any:
    """A cell of a table that was read, as Python's own; what is masked or NaN is None."""
    if np.ndim(cell):
        return [plain(each) for each in np.ma.atleast_1d(cell)]
    if np.ma.is_masked(cell) or cell != cell:
        return None
    return cell.item() if isinstance(cell, np.generic) else cell


@pytest.mark.parametrize("form", ["fits", "ecsv", "votable"])
@pytest.mark.filterwarnings("ignore:Column 'is_it' contains NULL")  # astropy's own reading of FITS
def test_cells_of_every_kind_come_back_over_chunks(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"out.{form}"
    assert export.write(path, form, FIELDS, rows()) == N_ROW
    read = Table.read(path, format={"ecsv": "ascii.ecsv"}.get(form, form))
    assert len(read) == N_ROW
    for k, wanted in enumerate(rows()):
        for field, entry in zip(FIELDS, wanted, strict=True):
            found = plain(read[field.name][k])
            if field.name in TEXTS:
                assert (found or "").strip() == export.text(entry).strip()
            elif field.name in ("triple", "far"):
                assert found in ((entry,) if entry else (None, [None] * (3 if field.name == "triple" else 2)))
            elif field.name == "is_it" and form == "fits":
                assert found is bool(entry)
            else:
                assert found == (np.float32(entry) if field.name == "f4" and entry else entry)
    assert str(read["f8"].unit) == "deg"
    assert str(read["f4"].unit) in ("electron", "ct")
    assert sorted(p.name for p in tmp_path.iterdir()) == [path.name]


@pytest.mark.parametrize(("form", "limit_mb"), [("fits", 6), ("ecsv", 5), ("votable", 16), ("parquet", 4)])
def test_few_rows_are_in_memory(tmp_path: Path, form: str, limit_mb: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 8 MB of texts that is what one of ten chunks needs, with its copies."""
    monkeypatch.setattr(spool, "MEMORY", 1 << 16)
    monkeypatch.setattr(export, "_PARQUET_ROWS", spool.CHUNK_ROWS)
    many = ((k, f"{k:400d}") for k in range(10 * spool.CHUNK_ROWS))  # 8 MB
    export.write(tmp_path / "warm", form, [Field("k", "i8"), Field("words", "U")], [(1, "a")])
    tracemalloc.start()
    try:
        export.write(tmp_path / "out", form, [Field("k", "i8"), Field("words", "U")], many)
        assert tracemalloc.get_traced_memory()[1] < 1e6 * limit_mb
    finally:
        tracemalloc.stop()
    assert (tmp_path / "out").stat().st_size > (1e5 if form == "parquet" else 8e6)


@pytest.mark.parametrize("form", ["fits", "ecsv", "votable"])
def test_every_unit_of_the_tables_is_read_without_a_warning(tmp_path: Path, form: str) -> None:
    words = "\n".join(path.read_text(encoding="utf-8") for path in folder("schema").rglob("*.sql"))
    units = sorted(set(re.findall(r"^COMMENT ON COLUMN .* IS '\[([^]]+)\]", words, re.MULTILINE)) - {"-"})
    assert {"electron", "1/adu", "mas/yr"} < set(units)
    path = tmp_path / "out"
    export.write(path, form, [Field(f"c{i}", "f8", unit) for i, unit in enumerate(units)], [[1.0] * len(units)])
    read = Table.read(path, format={"ecsv": "ascii.ecsv"}.get(form, form))
    for i, unit in enumerate(units):
        assert Unit(str(read[f"c{i}"].unit)) == Unit(unit.replace("electron", "ct") if form != "ecsv" else unit)


def test_a_long_meaning_and_strange_letters_fit_into_fits(tmp_path: Path) -> None:
    path = tmp_path / "out.fits"
    meaning = "what is meant " * 12
    export.write(path, "fits", [Field("a", "i4", meaning=meaning.strip() + " é"), Field("b", "f8")], [(1, 2.0)])
    header = fits.getheader(path, 1)
    assert header["TCOMM1"] == meaning.strip() + " ?"
    assert Table.read(path)["b"][0] == 2.0
    with fits.open(path) as file:
        file.verify("exception")
