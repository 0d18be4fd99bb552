"""Clock times of headers: days (MJD, UTC or TAI) from whatever a telescope writes."""

import math
import re
from bisect import bisect_right
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

ZERO = datetime(1858, 11, 17, tzinfo=UTC)
JD_ZERO = 2400000.5
_DATES = -678575.0, 2973482.0  # MJD of 0001-01-01 and 9999-12-30: one day is left for leap seconds

# TAI - UTC from these MJD (UTC) on [s]; IERS Bulletin C. No leap second has been announced after 2017.
_LEAP = (
    (41317, 10), (41499, 11), (41683, 12), (42048, 13), (42413, 14), (42778, 15), (43144, 16), (43509, 17),
    (43874, 18), (44239, 19), (44786, 20), (45151, 21), (45516, 22), (46247, 23), (47161, 24), (47892, 25),
    (48257, 26), (48804, 27), (49169, 28), (49534, 29), (50083, 30), (50630, 31), (51179, 32), (53736, 33),
    (54832, 34), (56109, 35), (57204, 36), (57754, 37),
)  # fmt: skip


def tai_minus_utc(mjd_utc: float) -> int:
    """Seconds that TAI is ahead of UTC; before 1972 the first step's 10."""
    return _LEAP[max(bisect_right(_LEAP, (mjd_utc, math.inf)) - 1, 0)][1]


def to_tai(mjd_utc: float) -> float:
    """MJD (TAI) of an MJD (UTC)."""
    return mjd_utc + tai_minus_utc(mjd_utc) / 86400.0


def to_utc(mjd_tai: float) -> float:
    """MJD (UTC) of an MJD (TAI); inside a leap second the second after it."""
    return mjd_tai - tai_minus_utc(mjd_tai - tai_minus_utc(mjd_tai) / 86400.0) / 86400.0


def to_datetime(mjd: float) -> datetime:
    """The UTC date and time of an MJD (UTC), to the microsecond."""
    return ZERO + timedelta(days=mjd)


def of_mjd(content: Any) -> float:
    """An MJD as it is written. ValueError unless it has a date in the years 1 to 9999, as a NaN has not."""
    mjd = float(content)
    if not _DATES[0] <= mjd < _DATES[1]:
        raise ValueError(f"MJD {mjd:g} has no date in the years 1 to 9999")
    return mjd


def of_date(text: str) -> float:
    """MJD of an ISO date (`2018-08-04` or `20180804`), with or without a time of day; also of the old `DD/MM/YY`
    (19YY). ValueError otherwise.
    """
    text = text.strip().replace("Z", "")
    old = re.fullmatch(r"(\d{2})/(\d{2})/(\d{2})", text)
    if old:
        return (datetime(1900 + int(old[3]), int(old[2]), int(old[1]), tzinfo=UTC) - ZERO).days
    day, _, clock = text.replace(" ", "T", 1).partition("T")
    start = datetime.fromisoformat(day).replace(tzinfo=UTC)
    return (start - ZERO).days + (of_clock(clock) if clock else 0.0)


def of_clock(text: str) -> float:
    """Days of a time of day `HH:MM[:SS[.s]]` or `HHMMSS[.s]`; second 60 is allowed. ValueError otherwise."""
    text = re.sub(r"^(\d\d)(\d\d)(\d\d(\.\d*)?)$", r"\1:\2:\3", text.strip())
    parts = [float(part) for part in text.split(":")]
    if not 2 <= len(parts) <= 3 or not (0 <= parts[0] < 24.0 and 0 <= parts[1] < 60.0 and 0 <= parts[-1] < 61.0):
        raise ValueError(f"'{text}' is no time of day HH:MM:SS")
    return sum(part / unit for part, unit in zip(parts, (24.0, 1440.0, 86400.0), strict=False))


def of_rule(rule: Mapping[str, str], header: Mapping[str, Any]) -> float | None:
    """MJD by one rule: {mjd}, {jd}, {iso}, {date, clock} name keywords; None if one is not there.

    With `regex`, what it finds in the content (its first group) counts, and None if it finds nothing. ValueError if
    the content is no time. `date` may have a time of day, which is left out.
    """
    contents: dict[str, Any] = {kind: header.get(keyword) for kind, keyword in rule.items() if kind != "regex"}
    if "regex" in rule:
        found = {kind: re.search(rule["regex"], str(content)) for kind, content in contents.items()}
        contents = {kind: match and (match[1] if match.re.groups else match[0]) for kind, match in found.items()}
    if any(content is None or str(content).strip() == "" for content in contents.values()):
        return None
    if "mjd" in contents:
        return of_mjd(contents["mjd"])
    if "jd" in contents:
        return of_mjd(float(contents["jd"]) - JD_ZERO)
    if "iso" in contents:
        if not re.search(r"\d[T ]\d", str(contents["iso"])):
            return None  # a date alone does not tell when
        return of_date(str(contents["iso"]))
    return math.floor(of_date(str(contents["date"]))) + of_clock(str(contents["clock"]))


def span(section: Mapping[str, Any], header: Mapping[str, Any], exposure_s: float | None) -> tuple[float, float] | None:
    """Start and end of an exposure, MJD in the section's scale (utc unless it says tai); None without a start.
    ValueError if one of them is no date.

    The end is the later of what the header says and start + exposure: clocks read at the end may be early. An end
    before the start by the clock is on the next day.
    """
    start = _first(section.get("start", ()), header)
    if start is None:
        middle = _first(section.get("mid", ()), header)
        if middle is None:
            return None
        half = (exposure_s or 0.0) / 2.0 / 86400.0
        return of_mjd(middle - half), of_mjd(middle + half)
    end = _first(section.get("end", ()), header)
    if end is not None and end < start - 0.5:
        end += 1.0
    return start, of_mjd(max(start + (exposure_s or 0.0) / 86400.0, start if end is None else end))


def _first(rules: Any, header: Mapping[str, Any]) -> float | None:
    for rule in rules if isinstance(rules, list | tuple) else [rules]:
        found = of_rule(rule, header)
        if found is not None:
            return found
    return None
