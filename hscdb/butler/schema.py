"""The columns of a catalog: what each is called, in which releases, and what it holds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatch
from functools import cached_property
from typing import Any

import numpy as np

from hscdb.butler.names import COMPOUND, modern, old_names
from hscdb.errors import InputError


class NoColumnError(InputError, KeyError):
    """A catalog has no such column."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True)
class Column:
    """A column: its name, type, unit, what it is; `bit` of the packed flags, -1 for a column of its own."""

    name: str
    type: str
    unit: str
    doc: str
    bit: int = -1

    def getName(self) -> str:
        """The name."""
        return self.name

    def getUnits(self) -> str:
        """The unit."""
        return self.unit

    def getDoc(self) -> str:
        """What it is."""
        return self.doc

    def getTypeString(self) -> str:
        """The type."""
        return self.type


@dataclass(frozen=True)
class Key:
    """A column found in a schema; catalogs and records take it in place of a name."""

    name: str
    field: Column

    def getField(self) -> Column:
        """The column."""
        return self.field


class Schema:
    """Columns by name, in order: of numbers, then the flags."""

    def __init__(self, dtype: np.dtype[Any], header: Mapping[str, Any], where: str = "catalog") -> None:
        self._dtype, self._header, self._where = dtype, header, where

    @cached_property
    def columns(self) -> dict[str, Column]:
        """{name: column}."""
        header, found = self._header, {}
        flags = {int(key[5:]) - 1: str(name) for key, name in header.items() if re.fullmatch(r"TFLAG\d+", key)}
        for number, name in enumerate(self._dtype.names or (), start=1):
            if name == "flags" and flags:
                continue
            kind, unit = self._dtype[name], str(header.get(f"TUNIT{number}") or "")
            doc = str(header.get(f"TDOC{number}") or header.get(f"TCOMM{number}") or "").removeprefix("hscdb: ")
            found[name] = Column(name, _type(kind), unit, doc)
        for bit, name in sorted(flags.items()):
            found[name] = Column(name, "Flag", "", str(header.get(f"TFDOC{bit + 1}") or ""), bit)
        return found

    @cached_property
    def aliases(self) -> dict[str, str]:
        """{slot_PsfFlux: base_PsfFlux, ...}, and the names of table `source`."""
        texts = [str(text) for key, text in self._header.items() if key.startswith("ALIAS")]
        return dict(text.split(":", 1) for text in texts if ":" in text)

    @cached_property
    def _ours(self) -> dict[str, str]:
        """{column of table source: column here}."""
        return {column.doc: name for name, column in self.columns.items() if re.fullmatch(r"[a-z0-9_]+", column.doc)}

    def resolve(self, name: str | Key) -> Column:
        """The column of a name of any release. NoColumnError, with what is near."""
        if isinstance(name, Key):
            name = name.name
        for each in (name, modern(name), self._ours.get(name, "")):
            if each in self.columns:
                return self.columns[each]
        new = modern(name)
        for alias, target in self.aliases.items():
            if new.startswith(alias) and target + new[len(alias) :] in self.columns:
                return self.columns[target + new[len(alias) :]]
        near = get_close_matches(new, self.columns, 3, 0.5) or get_close_matches(name, old_names(), 3, 0.6)
        became = f" (now {new})" if new != name else ""
        raise NoColumnError(
            f"{self._where}: no column '{name}'{became}"
            + (f"; near: {', '.join(near)}. " if near else ". ")
            + "print(catalog.schema) lists all.",
            "no_column",
        )

    def find(self, name: str) -> Key:
        """The key of a column."""
        column = self.resolve(name)
        return Key(column.name, column)

    def asKey(self) -> Schema:
        """The schema itself, which finds columns."""
        return self

    def getNames(self, topOnly: bool = False) -> set[str]:
        """All names."""
        return set(self.columns)

    def getOrderedNames(self) -> list[str]:
        """All names in order."""
        return list(self.columns)

    def getFieldCount(self) -> int:
        """How many columns and flags there are."""
        return len(self.columns)

    def extract(self, *patterns: str) -> dict[str, Key]:
        """{name: key} of the names that a pattern (base_PsfFlux_*) matches."""
        return {
            name: Key(name, column)
            for name, column in self.columns.items()
            if any(fnmatch(name, modern(pattern)) for pattern in patterns)
        }

    def __contains__(self, name: object) -> bool:
        if name in COMPOUND:
            return True
        try:
            self.resolve(str(name))
        except NoColumnError:
            return False
        return True

    def __len__(self) -> int:
        return len(self.columns)

    def __iter__(self) -> Iterator[Key]:
        return (Key(name, column) for name, column in self.columns.items())

    def __str__(self) -> str:
        wide = max((len(name) for name in self.columns), default=0)
        lines = [
            f"  {column.name:<{wide}}  {column.type:<8} {column.unit:<9} {column.doc}".rstrip()
            for column in self.columns.values()
        ]
        return "\n".join([f"Schema of {self._where}: {len(lines)} columns", *lines])

    __repr__ = __str__


def _type(kind: np.dtype[Any]) -> str:
    letters = {"f4": "F", "f8": "D", "i2": "I", "i4": "I", "i8": "L", "b1": "Flag", "u1": "I"}
    base = letters.get(kind.base.str[1:], kind.base.name)
    return f"{base}[{','.join(map(str, kind.shape))}]" if kind.shape else base
