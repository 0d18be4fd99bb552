"""A header -> the columns of `visit` and `frame`, by the keyword map of the camera ([header] of camera.toml).

Every quantity has a rule, or a list of rules of which the first that fits counts; what rules can say is written in
hscdb/camera/README.md. No telescope is named here.
"""

import math
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hscdb.camera.model import Camera
from hscdb.errors import InputError
from hscdb.ingest import times
from hscdb.ingest.rules import holds, is_found, quantity

VISIT_MAX = (2**31 - 1 - 199) // 200  # source_id = (visit * 200 + ccd) << 32 | n is a signed 64-bit number
POINTING_ZERO_MJD = 55927  # 2012-01-01

# What a frame of a type must tell; anything else may be missing.
NEEDED = {
    "science": ("filter", "exposure_s", "ra", "dec", "time"),
    "flat": ("filter", "exposure_s", "time"),
    "dark": ("exposure_s", "time"),
    "bias": ("time",),
    "other": (),
}


@dataclass(frozen=True)
class Facts:
    """What a header tells of its frame: the columns of visit and frame, in their units. None is missing."""

    visit: int
    ccd: int
    data_type: str = "science"
    exp_id: str | None = None
    frame_id: str | None = None
    filter: str | None = None
    band: str | None = None
    field: str = "UNKNOWN"
    proposal: str | None = None
    pointing: int = 0
    obs_start: datetime | None = None
    obs_mjd: float | None = None
    exposure_s: float | None = None
    dark_s: float | None = None
    ra: float | None = None
    dec: float | None = None
    rotator_deg: float | None = None
    airmass: float | None = None
    ccd_temp_k: float | None = None


def translate(camera: Camera, header: Mapping[str, Any]) -> Facts:
    """The facts of a frame.

    InputError `other_camera` (the header is not of this camera), `missing_keyword`, `bad_keyword` (not understood),
    `unknown_filter`, `unknown_ccd`, `visit_too_large`. The message names no file: the caller puts it in front.
    """
    section = camera.settings["header"]
    _check_camera(camera, section, header)
    data_type = frame_type(section, header)
    needed = NEEDED[data_type]
    exposure_s = _number(section, "exposure_s", header, needed)
    if exposure_s is not None and exposure_s < 0.0:
        exposure_s, _ = _unless_needed("exposure_s", f"exposure_s is {exposure_s:g}, no time is negative", needed)
    span = _span(section, header, exposure_s, needed)
    visit = _visit(section, header, span)
    ccd = int(_required("ccd", quantity("ccd", section, header), section))
    if ccd not in camera.ccds:
        raise InputError(f"camera {camera.name} has no ccd {ccd}. Is it a frame of another camera?", "unknown_ccd")
    name, band = _filter(camera, section, header, needed)
    ra, dec = (_number(section, axis, header, needed) for axis in ("ra", "dec"))
    if dec is not None and not -90.0 <= dec <= 90.0:
        ra, dec = _unless_needed("dec", f"dec {dec} is not between -90 and 90", needed)
    is_tai = section.get("time", {}).get("scale", "utc").lower() == "tai"
    return Facts(
        visit=visit,
        ccd=ccd,
        data_type=data_type,
        exp_id=_text(section, "exp_id", header),
        frame_id=_text(section, "frame_id", header),
        filter=name,
        band=band,
        field=field_name(quantity("field", {"field": {"keyword": "OBJECT"}} | section, header)),
        proposal=_text(section, "proposal", header),
        pointing=_pointing(section.get("pointing", {}), header, span),
        obs_start=None if span is None else times.to_datetime(times.to_utc(span[0]) if is_tai else span[0]),
        obs_mjd=None if span is None else _middle(span, is_tai),
        exposure_s=exposure_s,
        dark_s=_number(section, "dark_s", header, ()),
        ra=None if ra is None else ra % 360.0 % 360.0,
        dec=dec,
        rotator_deg=_number(section, "rotator_deg", header, ()),
        airmass=_number(section, "airmass", header, ()),
        ccd_temp_k=_number(section, "ccd_temp_k", header, ()),
    )


def frame_type(section: Mapping[str, Any], header: Mapping[str, Any]) -> str:
    """science, bias, dark, flat or other: the first rule all of whose regular expressions are found."""
    for rule in section.get("frame_type", ()):
        if all(is_found(pattern, header.get(keyword)) for keyword, pattern in rule["match"].items()):
            return str(rule["type"])
    return "other"


def is_frame(section: Mapping[str, Any], header: Mapping[str, Any]) -> bool:
    """Whether an HDU of a file with several CCDs is one of the frames wanted (`hdu_match`)."""
    return all(is_found(pattern, header.get(keyword)) for keyword, pattern in section.get("hdu_match", {}).items())


def field_name(content: Any) -> str:
    """hscPipe's field: upper case, `#` is UNKNOWN, what is no letter or digit becomes `_`."""
    text = "" if content is None else str(content).strip()
    return re.sub(r"\W", "_", text).upper() if text and text != "#" else "UNKNOWN"


def _check_camera(camera: Camera, section: Mapping[str, Any], header: Mapping[str, Any]) -> None:
    for keyword, pattern in section.get("require", {}).items():
        if not is_found(pattern, header.get(keyword)):
            raise InputError(
                f"not a frame of camera {camera.name}: {keyword} is {header.get(keyword)!r} (needed {pattern}). "
                "Ingest it into a repository of its own camera.",
                "other_camera",
            )


def _required(name: str, content: Any, section: Mapping[str, Any]) -> Any:
    if content is None:
        raise InputError(f"no {name} in the header (looked at {_keywords(section.get(name))}). "
                         "Mend the header, or the camera's rule.", "missing_keyword")  # fmt: skip
    return content


def _keywords(rules: Any) -> str:
    """The keywords that rules look at, for messages."""
    listed = rules if isinstance(rules, list) else [rules] if rules else []
    words: list[str] = []
    for rule in listed:
        for content in [rule.get("keyword", ()), *(rule.get(kind) for kind in ("mjd", "jd", "iso", "date", "clock"))]:
            words += [content] if isinstance(content, str) else content or []
    return ", ".join(dict.fromkeys(words)) or "nothing: the camera has no rule for it"


def _unless_needed(name: str, what: str, needed: tuple[str, ...]) -> tuple[None, None]:
    if name in needed:
        raise InputError(f"{what}. Mend the header, or the camera's rule.", "bad_keyword")
    return None, None


def _number(section: Mapping[str, Any], name: str, header: Mapping[str, Any], needed: tuple[str, ...]) -> float | None:
    """A quantity as a finite number; what cannot be read is missing unless the type of frame needs it."""
    try:
        content = quantity(name, section, header)
        number = None if content is None else float(content)
    except (InputError, ValueError) as error:
        if name in needed:
            raise InputError(f"{name}: {error}", "bad_keyword") from error
        return None
    if name in needed:
        _required(name, number, section)
    if number is not None and not math.isfinite(number):
        _unless_needed(name, f"{name} is {number}", needed)
        return None
    return number


def _text(section: Mapping[str, Any], name: str, header: Mapping[str, Any]) -> str | None:
    content = quantity(name, section, header)
    return None if content is None else str(content).strip()


def _span(
    section: Mapping[str, Any], header: Mapping[str, Any], exposure_s: float | None, needed: tuple[str, ...]
) -> tuple[float, float] | None:
    rules = section.get("time", {})
    try:
        span = times.span(rules, header, exposure_s)
    except ValueError as error:
        span = None
        _unless_needed("time", f"the time of the exposure is not understood ({error})", needed)
    if span is None and "time" in needed:
        listed = rules.get("start", rules.get("mid", []))
        raise InputError(f"no time in the header (looked at {_keywords(listed)}). "
                         "Mend the header, or the camera's rule.", "missing_keyword")  # fmt: skip
    return span


def _middle(span: tuple[float, float], is_tai: bool) -> float:
    middle = (span[0] + span[1]) / 2.0
    return middle if is_tai else times.to_tai(middle)


def _visit(section: Mapping[str, Any], header: Mapping[str, Any], span: tuple[float, float] | None) -> int:
    """The visit by its rules; { rule = "time" } counts steps of 1 / per_day days since an MJD."""
    rules = section["visit"] if isinstance(section["visit"], list) else [section["visit"]]
    content = None
    for rule in rules:
        if rule.get("rule") != "time":
            content = quantity("visit", {"visit": rule}, header)
        elif "when" not in rule or holds(rule["when"], header):
            if span is None:
                continue
            content = math.floor((span[0] - rule["since_mjd"]) * rule["per_day"]) + rule.get("base", 0)
        if content is not None:
            break
    visit = int(_required("visit", content, section))
    if not 0 <= visit <= VISIT_MAX:
        raise InputError(f"visit {visit} is not within 0 .. {VISIT_MAX}. Change the camera's rule.", "visit_too_large")
    return visit


def _filter(
    camera: Camera, section: Mapping[str, Any], header: Mapping[str, Any], needed: tuple[str, ...]
) -> tuple[str | None, str | None]:
    """Filter and band. A bias or dark may have any."""
    content = quantity("filter", section, header)
    if "filter" in needed:
        _required("filter", content, section)
    found = None if content is None else camera.filter_of(str(content))
    if found is None:
        if "filter" in needed:
            known = ", ".join(one.filter for one in camera.filters)
            raise InputError(
                f"filter '{content}' is unknown to camera {camera.name} (it has {known}). "
                "Add it, or an alias, to the camera's [[filter]].",
                "unknown_filter",
            )
        return None, None
    return found.filter, found.band


def _pointing(rule: Mapping[str, Any], header: Mapping[str, Any], span: tuple[float, float] | None) -> int:
    """Days since 2012-01-01, hscPipe's `pointing`: of the start, else of the date; 0 if there is neither."""
    zero = int(rule.get("zero_mjd", POINTING_ZERO_MJD))
    for keyword in rule.get("mjd", ()):
        if header.get(keyword) is not None:
            with suppress(ValueError):
                return int(times.of_mjd(header[keyword])) - zero
    if span is not None:
        return math.floor(span[0]) - zero
    try:
        return math.floor(times.of_date(str(header[rule["date"]]))) - zero
    except (KeyError, ValueError):
        return 0
