"""Types of this package that have a JSON form of their own, such as the answers of servers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

encoders: dict[type, Callable[[Any], Any]] = {}
decoders: dict[type, Callable[[Any], Any]] = {}


def add(kind: type, encoder: Callable[[Any], Any], decoder: Callable[[Any], Any]) -> None:
    """Makes a type known to every codec. msgspec must not know it, so it is no dataclass."""
    encoders[kind] = encoder
    decoders[kind] = decoder
