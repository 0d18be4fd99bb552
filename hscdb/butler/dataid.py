"""dataIds: hscPipe's keys and ours, in both directions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np

from hscdb.errors import ConfigError
from hscdb.run import select

# What a dataId of hscPipe holds, and the column of sql/butler/read_frames.sql that it is.
COLUMNS = {
    "visit": "visit", "ccd": "ccd", "filter": "filter", "field": "field", "pointing": "pointing", "dateObs": "night",
    "taiObs": "tai_date", "expTime": "exposure_s", "dataType": "data_type",
}  # fmt: skip
TYPES: dict[str, type] = {
    "visit": int, "ccd": int, "filter": str, "field": str, "pointing": int, "dateObs": str, "taiObs": str,
    "expTime": float, "dataType": str,
}  # fmt: skip
_IGNORED = ("instrument", "skymap")
_EXTRA = ("tract", "patch")


def merged(given: Any, keys: Mapping[str, Any]) -> dict[str, Any]:
    """A dataId and keywords over it, by our key names. ConfigError `unknown_key`, `bad_id`."""
    ids = dict(getattr(given, "dataId", given) or {}) | dict(keys)
    found: dict[str, Any] = {}
    for name, content in ids.items():
        if name in _IGNORED or content is None:
            continue
        key = name if name in _EXTRA else select.known_key(name)
        found[key] = _plain(name, content) if key in ("visit", "ccd", "tract", "pointing") else content
    return found


def _plain(name: str, content: Any) -> Any:
    if isinstance(content, list | tuple | set | range | np.ndarray):
        return [_plain(name, each) for each in content]
    try:
        return int(content)
    except (TypeError, ValueError):
        raise ConfigError(f"dataId: {name}={content!r} is not a whole number.", code="bad_id") from None


def selection(ids: Mapping[str, Any]) -> select.Selection:
    """The Selection that a dataId is; a list of values means any of them."""
    words = []
    for key, content in ids.items():
        if key in _EXTRA:
            continue
        each = content if isinstance(content, list | tuple | set | range) else [content]
        words.append(f"{key}={'^'.join(_word(one) for one in each)}")
    return select.parse([words])


def _word(content: Any) -> str:
    return content.isoformat() if isinstance(content, date) else str(content)


def of_rows(rows: Any) -> list[dict[str, Any]]:
    """hscPipe's dataIds of the rows of sql/butler/read_frames; column by column, for there may be 1e5."""
    keys = [key for key in COLUMNS if key != "dataType"]
    columns = [
        [None if entry is None else entry.isoformat() for entry in entries] if key in ("dateObs", "taiObs") else entries
        for key, entries in ((key, rows[COLUMNS[key]].tolist()) for key in keys)
    ]
    return [
        {key: entry for key, entry in zip(keys, entries, strict=True) if entry is not None}
        for entries in zip(*columns, strict=True)
    ]


def describe(ids: Mapping[str, Any]) -> str:
    """"visit=902800 ccd=50"."""
    return " ".join(f"{key}={content}" for key, content in ids.items()) or "an empty dataId"
