"""Durations: numbers of seconds, `timedelta`, or strings such as "5m"."""

from __future__ import annotations

import re
from datetime import timedelta

Duration = float | int | timedelta | str
"""A number of seconds, a `timedelta`, or a string with units such as "1h 30m"."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST = 3653 * 86400.0
_PART = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\s*")


def seconds(duration: Duration) -> float:
    """Returns a duration as a number of seconds."""
    if isinstance(duration, timedelta):
        value = duration.total_seconds()
    elif isinstance(duration, str):
        value = _parse(duration)
    else:
        value = float(duration)
    if not 0 <= value <= _LONGEST:  # NaN is neither
        raise ValueError(
            "a duration must be between 0 and ten years, as a number of seconds or a text such as"
            f" '5m', not {duration!r}"
        )
    return value


def _parse(text: str) -> float:
    position, total = 0, 0.0
    while match := _PART.match(text, position):
        total += float(match[1]) * _UNITS[match[2]]
        position = match.end()
    if position != len(text) or not text.strip():
        raise ValueError(
            f"{text!r} is not a duration: write a number of seconds, or text such as '500ms' or"
            " '1h 30m'"
        )
    return total


def in_words(duration: Duration | None) -> str:
    """Returns a duration for people, with its unit."""
    if duration is None or isinstance(duration, str):
        return str(duration)
    return f"{seconds(duration):g} s"


def to_json(duration: Duration) -> float:
    """Returns a duration as the server reads it: seconds, rounded to milliseconds."""
    return round(seconds(duration), 3)
