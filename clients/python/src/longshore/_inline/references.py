"""References in the payload of a follow-up job, which stand for a part of a result."""

from __future__ import annotations

from typing import Any

from longshore.codec import is_list, is_object


def fill(payload: Any, source: Any) -> Any:
    """Returns a payload with its references replaced. Raises LookupError for one to nothing."""
    if is_list(payload):
        return [fill(item, source) for item in payload]
    if not is_object(payload):
        return payload
    if "$from" in payload:
        return _part(source, payload.get("pointer", ""))
    return {name: fill(value, source) for name, value in payload.items()}


def _part(value: Any, pointer: str) -> Any:
    """Returns the part of a value at a JSON pointer (RFC 6901)."""
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        value = value[int(name)] if is_list(value) else value[name]
    return value
