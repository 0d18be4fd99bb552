"""Source catalogs: columns as numpy arrays, rows as records, under the names of every release."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hscdb.butler.angle import Angle, SpherePoint
from hscdb.butler.geom import Point2D, Quadrupole
from hscdb.butler.metadata import PropertyList
from hscdb.butler.names import COMPOUND
from hscdb.butler.schema import Column, Key, NoColumnError, Schema
from hscdb.errors import ConfigError

_SLOTS = {
    "Psf": "base_PsfFlux", "Ap": "base_CircularApertureFlux_12_0", "Calib": "base_CircularApertureFlux_12_0",
    "Model": "base_GaussianFlux", "Gaussian": "base_GaussianFlux", "Inst": "base_GaussianFlux",
}  # fmt: skip

# FITS's units -> astropy's; a count is one electron, and was called so in files of earlier versions
_UNITS = {"pix": "pix", "pix2": "pix2", "rad": "rad", "count": "electron", "electron": "electron"}


def _of(name: str) -> Callable[[Any], Any]:
    """A method that gives one column (of a catalog) or one number (of a record)."""

    def get(self: Any) -> Any:
        return self.get(name)

    get.__doc__ = f"{name}."
    return get


class _Slots:
    """The methods that catalogs and records have in common."""

    getId, getParent = _of("id"), _of("parent")
    getX, getY = _of("base_SdssCentroid_x"), _of("base_SdssCentroid_y")
    getIxx, getIyy, getIxy = _of("base_SdssShape_xx"), _of("base_SdssShape_yy"), _of("base_SdssShape_xy")


for _slot, _stem in _SLOTS.items():
    for _middle in ("Flux", "InstFlux"):
        if _slot == "Inst" and _middle == "InstFlux":
            continue
        setattr(_Slots, f"get{_slot}{_middle}", _of(f"{_stem}_instFlux"))
        setattr(_Slots, f"get{_slot}{_middle}Err", _of(f"{_stem}_instFluxErr"))
    setattr(_Slots, f"get{_slot}FluxFlag", _of(f"{_stem}_flag"))


class SourceRecord(_Slots):
    """One row of a catalog."""

    __slots__ = ("_catalog", "_index")

    def __init__(self, catalog: SourceCatalog, index: int) -> None:
        self._catalog, self._index = catalog, index

    @property
    def schema(self) -> Schema:
        """The columns."""
        return self._catalog.schema

    def getSchema(self) -> Schema:
        """The columns."""
        return self._catalog.schema

    def get(self, name: str | Key) -> Any:
        """The content of a column: a number, a truth value, a SpherePoint, Point2D, Quadrupole or array."""
        known = name.name if isinstance(name, Key) else name
        if known in COMPOUND:
            return self._compound(*COMPOUND[known])
        return self._catalog.column(name)[self._index].item()

    __getitem__ = get

    def _compound(self, kind: str, names: tuple[str, ...]) -> Any:
        parts = [self._catalog.column(name)[self._index] for name in names]
        if kind == "coord":
            return SpherePoint(Angle(parts[0]), Angle(parts[1]))
        if kind == "point":
            return Point2D(*parts)
        if kind == "moments":
            return Quadrupole(*parts)
        if kind == "covariance":
            xx, yy, xy = float(parts[0]) ** 2, float(parts[1]) ** 2, float(parts[2])
            return np.array([[xx, xy], [xy, yy]])
        if kind == "variances":  # a covariance of which the rest is not known
            return np.where(np.eye(len(parts), dtype=bool), np.square(np.array(parts, float)), np.nan)
        return np.array(parts)

    def set(self, name: str | Key, content: Any) -> None:
        """Set a column's content in memory."""
        self._catalog.column(name)[self._index] = content

    __setitem__ = set

    def getCoord(self) -> SpherePoint:
        """Where it is on the sky, ICRS."""
        found: SpherePoint = self.get("coord")
        return found

    def getRa(self) -> Angle:
        """Right ascension."""
        return Angle(self.get("coord_ra"))

    def getDec(self) -> Angle:
        """Declination."""
        return Angle(self.get("coord_dec"))

    def getCentroid(self) -> Point2D:
        """Where it is on the frame [pix]."""
        found: Point2D = self.get("slot_Centroid")
        return found

    def getShape(self) -> Quadrupole:
        """Adaptive moments [pix^2]."""
        found: Quadrupole = self.get("slot_Shape")
        return found

    def extract(self, *patterns: str) -> dict[str, Any]:
        """{name: content} of the columns that a pattern matches."""
        return {name: self.get(name) for name in self.schema.extract(*patterns)}

    def __repr__(self) -> str:
        return f"SourceRecord id={self.get('id')} at {self.getCentroid()}"


class SourceCatalog(_Slots):
    """A catalog over a structured array. `table` is that array, `schema` its columns.

    Made of an array and the header that explains it, or of a path.
    """

    _header: Mapping[str, Any]
    _where: str

    def __init__(self, table: Any, header: Mapping[str, Any] | None = None, where: str = "catalog") -> None:
        if isinstance(table, str | Path):
            from hscdb.butler.read import catalog

            table = catalog(Path(table))
        if isinstance(table, SourceCatalog):
            table, header, where = table.table, table._header, table._where
        self.table: np.ndarray = table
        self._header, self._where = header or {}, where
        self.schema = Schema(table.dtype, self._header, where)

    def _same(self, table: np.ndarray) -> SourceCatalog:
        made = SourceCatalog(table, self._header, self._where)
        made.schema = self.schema
        return made

    def getSchema(self) -> Schema:
        """The columns."""
        return self.schema

    def getMetadata(self) -> PropertyList:
        """The header of the table."""
        return PropertyList(self._header, self._where)

    def column(self, name: str | Key) -> np.ndarray:
        """One column as an array that shares the catalog's memory. NoColumnError."""
        found: Column = self.schema.resolve(name)
        return self.table["flags"][:, found.bit] if found.bit >= 0 else self.table[found.name]

    def get(self, name: str | Key) -> np.ndarray:
        """One column; coordinates in radians. What is made of several columns (coord, centroid.sdss, shape.sdss) cannot
        be taken as a column, but flux.aperture gives (n, 10). NoColumnError; ConfigError `not_a_column`."""
        known = name.name if isinstance(name, Key) else name
        if known in COMPOUND:
            kind, names = COMPOUND[known]
            if kind != "vector":
                raise ConfigError(
                    f"{self._where}: '{known}' is made of {', '.join(names)}. Take these, or iterate over the records.",
                    code="not_a_column",
                )
            return np.stack([self.column(each) for each in names], axis=1)
        return self.column(name)

    def getRa(self) -> np.ndarray:
        """Right ascensions [rad]."""
        return self.get("coord_ra")

    def getDec(self) -> np.ndarray:
        """Declinations [rad]."""
        return self.get("coord_dec")

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, str | Key):
            return self.get(at)
        if isinstance(at, int | np.integer):
            n = len(self)
            if not -n <= at < n:
                raise IndexError(f"{self._where}: row {at} of {n}")
            return SourceRecord(self, int(at) % n)
        return self._same(self.table[at])

    def __setitem__(self, name: str, content: Any) -> None:
        self.column(name)[:] = content

    def __len__(self) -> int:
        return len(self.table)

    def __iter__(self) -> Iterator[SourceRecord]:
        return (SourceRecord(self, index) for index in range(len(self)))

    def __contains__(self, name: object) -> bool:
        return name in self.schema

    def size(self) -> int:
        """How many rows there are."""
        return len(self)

    def isContiguous(self) -> bool:
        """Whether columns can be taken: always."""
        return True

    def getColumnView(self) -> SourceCatalog:
        """The catalog itself, which has columns."""
        return self

    columns = property(getColumnView)

    def copy(self, deep: bool = False) -> SourceCatalog:
        """Another catalog, of a memory of its own if deep."""
        return self._same(self.table.copy() if deep else self.table)

    def subset(self, *at: Any) -> SourceCatalog:
        """The rows of a mask, or from start to stop (and step)."""
        return self._same(self.table[slice(*at) if len(at) > 1 else at[0]])

    def extend(self, other: SourceCatalog, deep: bool = False) -> None:
        """Append the rows of another catalog with the same columns."""
        if self.table.dtype != other.table.dtype:
            raise NoColumnError(f"{self._where}: {other._where} has other columns.", "no_column")
        self.table = np.concatenate([self.table, other.table])

    def sort(self, key: str | Key = "id") -> None:
        """Order the rows by a column."""
        self.table = self.table[np.argsort(self.column(key), kind="stable")]

    def isSorted(self, key: str | Key = "id") -> bool:
        """Whether the rows are in the order of a column."""
        return bool(np.all(np.diff(self.column(key)) >= 0))

    def find(self, source_id: int) -> SourceRecord | None:
        """The record of an id; None if there is none."""
        at = np.flatnonzero(self.column("id") == source_id)
        return SourceRecord(self, int(at[0])) if at.size else None

    def getChildren(self, parent: int) -> SourceCatalog:
        """The rows that were taken apart from a parent (0: those that come from none)."""
        return self._same(self.table[self.column("parent") == parent])

    def asAstropy(self) -> Any:
        """As an astropy Table with units; each flag a column."""
        from astropy.table import Table

        made = Table()
        for name, column in self.schema.columns.items():
            made[name] = self.column(name)
            made[name].unit = _UNITS.get(column.unit)
            made[name].description = column.doc
        return made

    @classmethod
    def readFits(cls, path: str | Path) -> SourceCatalog:
        """The catalog of a file."""
        return cls(path)

    def writeFits(self, path: str | Path) -> None:
        """Write a file of the same layout."""
        from hscdb.fits.hdu import Table
        from hscdb.fits.product import write_header

        keep = ("AFW", "FLAGCOL", "TFLAG", "TFDOC", "TDOC", "ALIAS")
        cards = {key: text for key, text in self._header.items() if key.startswith(keep)}
        units = {name: column.unit for name, column in self.schema.columns.items()}
        write_header(Path(path), (), [Table("SRC", self.table, units, cards)])

    def __repr__(self) -> str:
        return f"SourceCatalog of {len(self)} sources, {len(self.schema)} columns ({self._where})"


SimpleCatalog = BaseCatalog = SourceCatalog
