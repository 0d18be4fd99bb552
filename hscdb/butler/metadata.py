"""Headers as hscPipe's PropertyList."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Mapping
from typing import Any

from hscdb.errors import InputError


class NoKeywordError(InputError, KeyError):
    """A header has no such keyword."""

    def __str__(self) -> str:
        return str(self.args[0])


class PropertyList:
    """A header by keyword, in the order of the file; `where` names it in messages."""

    def __init__(self, contents: Mapping[str, Any] | None = None, where: str = "header") -> None:
        self._contents = dict(contents or {})
        self._where = where

    def get(self, name: str, default: Any = None) -> Any:
        """The content of a keyword; `default`, if there is one, where it is missing. InputError `no_keyword`."""
        if name not in self._contents and default is not None:
            return default
        if name not in self._contents:
            from difflib import get_close_matches

            near = get_close_matches(name, self._contents, 3, 0.5)
            raise NoKeywordError(
                f"{self._where}: no keyword {name}" + (f"; near: {', '.join(near)}." if near else "."), "no_keyword"
            )
        return self._contents[name]

    getScalar = __getitem__ = get

    def getAsString(self, name: str) -> str:
        """As text."""
        return str(self.get(name))

    getString = getAsString

    def getAsDouble(self, name: str) -> float:
        """As a number."""
        return float(self.get(name))

    getDouble = getAsDouble

    def getAsInt(self, name: str) -> int:
        """As a whole number."""
        return int(self.get(name))

    getInt = getAsInt

    def getAsBool(self, name: str) -> bool:
        """As a truth value."""
        return bool(self.get(name))

    getBool = getAsBool

    def set(self, name: str, content: Any) -> None:
        """Set a keyword in memory; no file is changed."""
        self._contents[name] = content

    __setitem__ = add = set

    def exists(self, name: str) -> bool:
        """Whether there is such a keyword."""
        return name in self._contents

    __contains__ = exists

    def remove(self, name: str) -> None:
        """Forget a keyword."""
        self._contents.pop(name, None)

    def names(self, topLevelOnly: bool = True) -> list[str]:
        """All keywords in order."""
        return list(self._contents)

    getOrderedNames = paramNames = names

    def toDict(self) -> dict[str, Any]:
        """As a dictionary."""
        return dict(self._contents)

    toOrderedDict = toDict

    def keys(self) -> list[str]:
        """All keywords in order."""
        return list(self._contents)

    def items(self) -> ItemsView[str, Any]:
        """(keyword, content)."""
        return self._contents.items()

    def nameCount(self) -> int:
        """How many keywords there are."""
        return len(self._contents)

    def __iter__(self) -> Iterator[str]:
        return iter(self._contents)

    def __len__(self) -> int:
        return len(self._contents)

    def toString(self) -> str:
        """One line per keyword."""
        return "\n".join(f"{name} = {content!r}" for name, content in self._contents.items())

    __str__ = toString

    def __repr__(self) -> str:
        return f"PropertyList of {len(self)} keywords ({self._where})"


PropertySet = PropertyList
