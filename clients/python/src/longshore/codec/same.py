"""Whether a value that was sent as JSON is the same as before."""

from __future__ import annotations

from typing import Any, cast


def is_same(value: Any, arrived: Any) -> bool:
    """Returns whether a value has arrived as it was.

    Objects of one class that only know whether they are the same object count as equal.
    """
    kind, plain = cast("Any", type(value)), cast("Any", object)
    if kind is type(arrived) and kind.__eq__ is plain.__eq__:
        return True
    try:
        return bool(value == arrived)
    except Exception:  # arrays, for example, have no simple answer
        return kind is type(arrived)
