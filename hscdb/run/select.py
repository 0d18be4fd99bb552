"""Which data: hscPipe's --id grammar, read into one condition that SQL applies.

`--id visit=902798..902808:2 ccd=0..8^10..103 filter=HSC-I^HSC-R`: `..` range with both ends, `:` stride, `^` or;
several keys of one --id restrict each other, several --id add up, a bare --id is everything
(lsst/pipe_base 19.0.0, argumentParser.py, class DataIdArgument).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import Any

from hscdb.errors import ConfigError

_RANGE = re.compile(r"^(\d+)\.\.(\d+)(?::(\d+))?$")
_CCD_MAX = 199

# key -> kind of its values: "range" (whole numbers, kept as ranges), "text", "number", "date".
KEYS: dict[str, str] = {
    "visit": "range",
    "ccd": "range",
    "tract": "range",
    "patch": "text",
    "filter": "text",
    "band": "text",
    "field": "text",
    "pointing": "range",
    "proposal": "text",
    "night": "date",
    "tai_date": "date",
    "exposure_s": "number",
    "rotator_deg": "number",
    "data_type": "text",
    "exp_id": "text",
    "frame_id": "text",
    "kind": "text",
}
# hscPipe's names (raw registry, butler-and-cli section 3) and the words of newer stacks.
ALIASES: dict[str, str] = {
    "dateObs": "night",
    "taiObs": "tai_date",
    "expTime": "exposure_s",
    "pa": "rotator_deg",
    "dataType": "data_type",
    "expId": "exp_id",
    "frameId": "frame_id",
    "detector": "ccd",
    "exposure": "visit",
    "physical_filter": "filter",
}


_BACK = {ours: theirs for theirs, ours in ALIASES.items() if theirs not in ("detector", "exposure", "physical_filter")}


@dataclass(frozen=True)
class Selection:
    """What the user asked for.

    ids      : one mapping per --id: key -> list of values; whole numbers as [first, last, stride]. Empty = everything.
    where    : SQL condition on view frame_info, or None.
    is_given : whether anything restricts the data.
    """

    ids: tuple[dict[str, list[Any]], ...] = ({},)
    where: str | None = None

    @property
    def is_given(self) -> bool:
        """Whether the data are restricted at all."""
        return self.where is not None or all(self.ids)

    @property
    def json(self) -> str:
        """The ids as JSON text, the parameter of the statements in sql/run that read units."""
        return json.dumps(list(self.ids))

    def only(self, keys: Iterable[str]) -> Selection:
        """The same selection with these keys alone."""
        wanted = set(keys)
        return Selection(tuple({k: v for k, v in each.items() if k in wanted} for each in self.ids), self.where)

    def uses(self, *keys: str) -> bool:
        """Whether any --id restricts one of these keys."""
        return any(key in each for each in self.ids for key in keys)

    def describe(self) -> str:
        """The selection in the grammar it was given in."""
        parts = [" ".join(["--id", *(f"{key}={_words(value)}" for key, value in each.items())]) for each in self.ids]
        return " ".join([*parts, *([f'--where "{self.where}"'] if self.where else [])])


EVERYTHING = Selection()


def parse(ids: Sequence[Sequence[str]] | None, where: str | None = None) -> Selection:
    """A selection from the words after each --id, and the text after --where.

    ids : one list of `key=values` per --id; [] is a bare --id; None or no list at all selects everything.
    Raises ConfigError: `bad_id` (grammar, type), `unknown_key` (with the nearest key).
    """
    if not ids:
        return Selection(({},), _condition(where))
    return Selection(tuple(_one(words) for words in ids), _condition(where))


def _condition(where: str | None) -> str | None:
    if where is not None and not where.strip():
        raise ConfigError(
            "--where: no condition given. Write e.g. --where \"band = 'r' AND ccd < 50\".", code="bad_where"
        )
    return where


def _one(words: Sequence[str]) -> dict[str, list[Any]]:
    chosen: dict[str, list[Any]] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or not name:
            raise ConfigError(
                f"--id {word}: not of the form key=values. Write e.g. --id visit=1..5 ccd=0^3.", code="bad_id"
            )
        key = known_key(name)
        if key in chosen:
            raise ConfigError(
                f"--id: {name} is given twice. Join its values by '^' ({name}=1^2), or repeat --id.", code="bad_id"
            )
        chosen[key] = [value for part in text.split("^") for value in _values(key, name, part)]
    if "ccd" in chosen:
        chosen["ccd"] = sorted(
            {ccd for first, last, step in chosen["ccd"] for ccd in range(first, min(last, _CCD_MAX) + 1, step)}
        )
    return chosen


def known_key(name: str) -> str:
    """Our name of a key; hscPipe's names are taken too. ConfigError `unknown_key`."""
    key = ALIASES.get(name, name)
    if key in KEYS:
        return key
    near = get_close_matches(name, [*KEYS, *ALIASES], 1, 0.5)
    guess = f"; did you mean '{near[0]}'?" if near else "."
    raise ConfigError(f"--id: unknown key '{name}'{guess} Keys: {', '.join([*KEYS, *ALIASES])}.", code="unknown_key")


def _values(key: str, name: str, part: str) -> list[Any]:
    kind = KEYS[key]
    if not part:
        raise ConfigError(
            f"--id {name}=: a value is missing. Write e.g. {name}=1, or leave {name} out for all.", code="bad_id"
        )
    found = _RANGE.match(part)
    if kind == "range":
        if found:
            return [_ranged(name, part, found)]
        if re.fullmatch(r"\d+", part):
            return [[int(part), int(part), 1]]
        raise ConfigError(
            f"--id {name}={part}: not a whole number or range. Write {name}=5, {name}=1..9 or {name}=1..9:2.",
            code="bad_id",
        )
    if ".." in part and (found or kind == "date"):
        raise ConfigError(
            f'--id {name}={part}: only whole-number keys have ranges. Use --where "{key} BETWEEN ... AND ...".',
            code="bad_id",
        )
    if kind == "number":
        try:
            return [float(part)]
        except ValueError:
            raise ConfigError(f"--id {name}={part}: not a number.", code="bad_id") from None
    if kind == "date":
        try:
            return [date.fromisoformat(part).isoformat()]
        except ValueError:
            raise ConfigError(f"--id {name}={part}: not a date. Write it as 2013-06-17.", code="bad_id") from None
    return [part]


def _ranged(name: str, part: str, found: re.Match[str]) -> list[int]:
    first, last, step = int(found[1]), int(found[2]), int(found[3] or 1)
    if last < first:
        raise ConfigError(f"--id {name}={part}: the range is empty. Write the smaller number first.", code="bad_id")
    if step < 1:
        raise ConfigError(f"--id {name}={part}: a stride is 1 or more.", code="bad_id")
    return [first, last, step]


def _words(values: list[Any]) -> str:
    words = []
    for each in values:
        if isinstance(each, list):
            first, last, step = each
            words.append(str(first) if first == last else f"{first}..{last}" + (f":{step}" if step > 1 else ""))
        else:
            words.append(str(each))
    return "^".join(words)


def data_id_line(row: Mapping[str, Any]) -> str:
    """The line `--show data` prints for a unit, in hscPipe's form and with hscPipe's key names."""
    shown = {_BACK.get(key, key): str(value) if isinstance(value, date) else value for key, value in row.items()}
    return f"id dataRef.dataId = {shown!r}"
