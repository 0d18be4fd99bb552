"""Columns of somebody's table -> quantities of ours: which column, in which unit, what counts as missing.

A source of a quantity is a name, or a table {column, unit, scale, offset, root}; a list of them means the first that
is there. `--map` words `name=COLUMN`, `name=COLUMN*15` and `name:=constant` are such sources too.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hscdb.errors import ConfigError, InputError

Floats = NDArray[np.float64]
Sources = Any  # str, mapping, number, or a list of these

# Size of a unit in degrees; of nothing else is the unit of a column looked at.
_ANGLE = {"deg": 1.0, "degree": 1.0, "degrees": 1.0, "rad": 180.0 / np.pi, "radian": 180.0 / np.pi, "hourangle": 15.0,
          "h": 15.0, "arcmin": 1.0 / 60.0, "arcsec": 1.0 / 3600.0, "mas": 1.0 / 3.6e6, "uas": 1.0 / 3.6e9}  # fmt: skip
MISSING = 90.0  # magnitudes beyond +-90 stand for "none" in every catalog we know (-999, 99.99)


def sources(spec: Sources) -> list[dict[str, Any]]:
    """The sources of a quantity as tables {column | value, ...}."""
    if spec is None:
        return []
    listed = spec if isinstance(spec, list) else [spec]
    return [
        one if isinstance(one, dict) else {"column": one} if isinstance(one, str) else {"value": one} for one in listed
    ]


def first(spec: Sources, columns: Mapping[str, Any]) -> dict[str, Any] | None:
    """The first source whose column is there (or that is a constant)."""
    return next((one for one in sources(spec) if "value" in one or one["column"] in columns), None)


def pick(spec: Sources, columns: Mapping[str, Any], units: Mapping[str, str], unit: str | None = None) -> Floats | None:
    """A quantity as (n,) float64; None if none of its sources is there.

    unit : the angular unit wanted; the column's own unit (else the source's `unit`) is converted to it.
    InputError `bad_column` if the column is no number per row.
    """
    source = first(spec, columns)
    if source is None:
        return None
    n_row = len(next(iter(columns.values()), ()))
    if "value" in source:
        return np.full(n_row, float(source["value"]))
    name = source["column"]
    try:
        values = np.asarray(columns[name], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"column {name} does not hold numbers ({error}). Map another.", "bad_column") from error
    if values.ndim > 1 and "element" in source:
        values = values[:, int(source["element"])]
    if values.ndim != 1:
        raise InputError(f"column {name} has {values.shape[1:]} numbers in a row. Map another.", "bad_column")
    scale = float(source.get("scale", 1.0))
    if unit is not None and "scale" not in source:
        scale = _conversion(_yearless(units.get(name, "")) or source.get("unit", unit), unit, name)
    values = values * scale + float(source.get("offset", 0.0))
    return np.sqrt(values) if source.get("root") else values


def _yearless(unit: str) -> str:
    """An angular unit without `/yr`: proper motions convert like their angles."""
    return re.sub(r"\s*(/\s*(yr|a|year)|(yr|a|year)\s*(\*\*)?\^?-1)\s*$", "", unit.strip()).rstrip(". *")


def _conversion(found: str, wanted: str, name: str) -> float:
    known = _ANGLE.get(found.lower())
    if known is None:
        raise InputError(f"column {name} is in '{found}', which is no angle. Map it with a factor.", "bad_column")
    return known / _ANGLE[wanted]


def integers(spec: Sources, columns: Mapping[str, Any]) -> NDArray[np.int64] | None:
    """A quantity as (n,) int64 without a detour by floats; None if it is not there or is no integer everywhere."""
    source = first(spec, columns)
    if source is None:
        return None
    if "value" in source:
        n_row = len(next(iter(columns.values()), ()))
        return np.full(n_row, int(source["value"]), np.int64)
    values = np.asarray(columns[source["column"]])
    if values.dtype.kind in "iu":
        return values.astype(np.int64)
    try:
        if values.dtype.kind == "U":
            return np.array([int(text) for text in values], dtype=np.int64)
        whole = values.astype(np.float64)
    except (ValueError, OverflowError):
        return None
    return whole.astype(np.int64) if np.isfinite(whole).all() and (whole == np.floor(whole)).all() else None


def booleans(spec: Sources, columns: Mapping[str, Any]) -> NDArray[np.bool_] | None:
    """A quantity as (n,) truth values: booleans, numbers other than 0, or text equal to the source's `true`."""
    source = first(spec, columns)
    if source is None or "value" in source:
        return None
    values = np.asarray(columns[source["column"]])
    if values.dtype.kind == "U":
        return np.asarray(np.char.upper(values) == str(source.get("true", "TRUE")).upper())
    if "above" in source:
        with np.errstate(invalid="ignore"):
            return np.asarray(values.astype(np.float64) > float(source["above"]))
    return np.asarray(values != 0)


def positive(values: Floats | None, n_row: int) -> Floats:
    """One sigmas: 0, negative and infinite ones are missing (NaN)."""
    if values is None:
        return np.full(n_row, np.nan)
    with np.errstate(invalid="ignore"):
        return np.where((values > 0.0) & np.isfinite(values), values, np.nan)


def magnitude(values: Floats | None, n_row: int) -> Floats:
    """Magnitudes: those that stand for `none` are NaN."""
    if values is None:
        return np.full(n_row, np.nan)
    with np.errstate(invalid="ignore"):
        return np.where(np.abs(values) < MISSING, values, np.nan)


def parse_map(words: Sequence[str]) -> dict[str, Any]:
    """`--map` words as sources by quantity. ConfigError `bad_map`.

    name=COLUMN, name=COLUMN*FACTOR, name:=CONSTANT (a number, or text).
    """
    found: dict[str, Any] = {}
    for word in words:
        match = re.fullmatch(r"([A-Za-z_][\w.]*)(:?=)(.+)", word.strip())
        if match is None:
            raise ConfigError(f"--map {word}: not NAME=COLUMN, NAME=COLUMN*FACTOR or NAME:=CONSTANT.", "bad_map")
        name, sign, content = match.groups()
        factor = re.fullmatch(r"(.+)\*([-+0-9.eE]+)", content)
        if sign == ":=":
            found[name] = {"value": _number(content)}
        elif factor:
            found[name] = {"column": factor[1], "scale": float(factor[2])}
        else:
            found[name] = {"column": content}
    return found


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text
