"""The rules of a keyword map: which keyword of a header a quantity is in, and how to read it.

What rules can say is written in hscdb/camera/README.md.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

from hscdb.errors import InputError


def is_found(pattern: str, content: Any) -> bool:
    """Whether a regular expression is found in a keyword's content; never in a missing one."""
    return content is not None and re.search(pattern, str(content).strip()) is not None


def quantity(name: str, section: Mapping[str, Any], header: Mapping[str, Any]) -> Any:
    """The content that the rules of a quantity give; None if no rule fits. InputError `bad_keyword`."""
    rules = section.get(name, ())
    for rule in rules if isinstance(rules, list) else [rules] if rules else []:
        if "when" in rule and not holds(rule["when"], header):
            continue
        if "value" in rule:
            return rule["value"]
        for keyword in [rule["keyword"]] if isinstance(rule.get("keyword"), str) else rule.get("keyword", ()):
            content = header.get(keyword)
            if content is None or str(content).strip() == "":
                continue
            try:
                found = _apply(rule, content)
            except ValueError as error:
                raise InputError(
                    f"keyword {keyword} = {content!r} is not understood as {name} ({error}). Mend the header, "
                    "or the camera's rule.",
                    "bad_keyword",
                ) from error
            if found is not None:
                return found
        if "default" in rule:
            return rule["default"]
    return None


def holds(condition: Mapping[str, Any], header: Mapping[str, Any]) -> bool:
    """Whether a rule's `when` holds: {keyword, range = [from, to)} or {keyword, regex}."""
    content = header.get(condition["keyword"])
    if content is None:
        return False
    if "range" in condition:
        return bool(condition["range"][0] <= float(content) < condition["range"][1])
    return is_found(condition["regex"], content)


def _apply(rule: Mapping[str, Any], content: Any) -> Any:
    """Content by a rule; None if its regular expression, map or range does not fit."""
    if "regex" in rule:
        match = re.search(rule["regex"], str(content).strip())
        if match is None:
            return None
        if "number" in match.re.groupindex:
            number = int(match["number"])
            if "letter_step" in rule and "letter" in match.re.groupindex:
                number += (ord(match["letter"]) - ord("A")) * int(rule["letter_step"])
            multiple = int(rule.get("multiple_of", 1))
            return number // multiple * multiple
        content = match[1] if match.re.groups else match[0]
    if "map" in rule:
        content = rule["map"].get(str(content).strip())
        if content is None:
            return None
    if rule.get("unit") in ("hour", "deg"):
        content = angle(content, rule["unit"])
    if rule.get("case") == "upper":
        content = str(content).strip().upper()
    if rule.get("type") == "int":
        content = int(float(content))
    if {"scale", "offset", "range"} & rule.keys():
        number = float(content) * rule.get("scale", 1.0) + rule.get("offset", 0.0)
        low, high = rule.get("range", (-math.inf, math.inf))
        return number if low <= number <= high else None
    return content.strip() if isinstance(content, str) else content


def angle(content: Any, unit: str) -> float:
    """Degrees of a number (always degrees) or of sexagesimal text `[+-]dd:mm:ss.s` in hours or degrees. ValueError."""
    text = str(content).strip()
    try:
        return float(text)
    except ValueError:
        parts = [part for part in re.split(r"[:\s]+|[hmsd°'\"]+\s*", text) if part]
    if not 2 <= len(parts) <= 3 or any(float(part) < 0 or float(part) > 60 for part in parts[1:]):
        raise ValueError(f"'{text}' is no angle")
    size = sum(abs(float(part)) / 60.0**n for n, part in enumerate(parts))
    return math.copysign(size, -1.0 if text.startswith("-") else 1.0) * (15.0 if unit == "hour" else 1.0)
