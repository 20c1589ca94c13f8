"""References in the payload of a follow-up job, which stand for a part of a result."""

from __future__ import annotations

from typing import Any


def fill(payload: Any, source: Any) -> Any:
    """Returns a payload with its references replaced. Raises LookupError for one to nothing."""
    if isinstance(payload, list):
        return [fill(item, source) for item in payload]
    if not isinstance(payload, dict):
        return payload
    if "$from" in payload:
        return _part(source, payload.get("pointer", ""))
    return {name: fill(value, source) for name, value in payload.items()}


def _part(value: Any, pointer: str) -> Any:
    """Returns the part of a value at a JSON pointer (RFC 6901)."""
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        value = value[int(name)] if isinstance(value, list) else value[name]
    return value
