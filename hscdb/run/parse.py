"""Text and stored values to typed settings."""

from __future__ import annotations

import ast
import math
import types
from typing import Any, Literal, Union, get_args, get_origin

_TRUE = {"true", "t", "yes", "on", "1"}
_FALSE = {"false", "f", "no", "off", "0"}


def typed_text(text: str, wanted: Any) -> Any:
    """The value a command-line word stands for; ValueError if it does not fit the type.

    Booleans are true/false, yes/no, on/off, 1/0; tuples `a,b,c` or `[a, b, c]`; None stands for a missing value.
    """
    text = text.strip()
    members = _members(wanted)
    if type(None) in members and text in ("None", "none", "null"):
        return None
    for member in (each for each in members if each is not type(None)):
        try:
            return _one_text(text, member)
        except ValueError:
            continue
    raise ValueError(text)


def _one_text(text: str, wanted: Any) -> Any:
    if get_origin(wanted) is tuple:
        inner = text[1:-1] if text[:1] + text[-1:] in ("[]", "()") else text
        parts = [part.strip().strip("'\"") for part in inner.split(",") if part.strip()]
        return _as_tuple(parts, wanted, typed_text)
    if wanted is bool:
        low = text.lower()
        if low in _TRUE or low in _FALSE:
            return low in _TRUE
        raise ValueError(text)
    if wanted is int:
        return int(text.replace("_", ""), 0) if text.lower().startswith(("0x", "-0x")) else _whole(text)
    if wanted is float:
        return _finite(float(text))
    if wanted is str:
        quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
        return str(ast.literal_eval(text)) if quoted else text
    return typed(text, wanted)


def _whole(text: str) -> int:
    number = float(text) if any(each in text for each in ".eE") else int(text)
    if number != int(number):
        raise ValueError(text)
    return int(number)


def typed(value: Any, wanted: Any) -> Any:
    """A value of a TOML or JSON file as the type wanted; ValueError if it does not fit. Integers serve as floats."""
    for member in _members(wanted):
        try:
            return _one(value, member)
        except ValueError:
            continue
    raise ValueError(value)


def _one(value: Any, wanted: Any) -> Any:
    if wanted is type(None):
        if value is None or value == "None":
            return None
    elif get_origin(wanted) is tuple:
        if isinstance(value, list | tuple):
            return _as_tuple(value, wanted, typed)
    elif get_origin(wanted) is Literal:
        if value in get_args(wanted):
            return value
    elif wanted is bool:
        if isinstance(value, bool):
            return value
    elif wanted is float:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _finite(float(value))
    elif wanted is Any or (isinstance(value, wanted) and not isinstance(value, bool)):
        return value
    raise ValueError(value)


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(value)
    return value


def _as_tuple(values: Any, wanted: Any, convert: Any) -> tuple[Any, ...]:
    inner = get_args(wanted)
    if len(inner) == 2 and inner[1] is Ellipsis:
        return tuple(convert(each, inner[0]) for each in values)
    if len(inner) != len(values):
        raise ValueError(values)
    return tuple(convert(each, kind) for each, kind in zip(values, inner, strict=True))


def _members(wanted: Any) -> tuple[Any, ...]:
    return get_args(wanted) if get_origin(wanted) in (Union, types.UnionType) else (wanted,)


def type_name(wanted: Any) -> str:
    """The type in words, as messages and `hscdb config` show it."""
    if get_origin(wanted) is None and isinstance(wanted, type):
        return wanted.__name__
    return str(wanted).replace("typing.", "")
