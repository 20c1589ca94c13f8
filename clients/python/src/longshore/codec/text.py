"""JSON values to text and back."""

from __future__ import annotations

import json
from typing import Any, TypeGuard


def dumps(value: Any) -> bytes:
    """Returns a JSON value as UTF-8 text.

    Half a surrogate pair has no form in UTF-8; a text that contains one is written with escapes,
    which the server repairs in reports and refuses elsewhere.
    """
    try:
        return json.dumps(
            value, ensure_ascii=False, allow_nan=False, separators=(",", ":")
        ).encode()
    except UnicodeEncodeError:
        return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()


def loads(text: str | bytes) -> Any:
    """Returns the JSON value of a text."""
    return json.loads(text)


def is_list(value: Any) -> TypeGuard[list[Any]]:
    """Whether a JSON value is a list."""
    return isinstance(value, list)


def is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    """Whether a JSON value is an object."""
    return isinstance(value, dict)
