"""Models of pydantic, which msgspec does not know.

pydantic is never imported here: a model exists only in a program that has imported it.
"""

from __future__ import annotations

import sys
from typing import Any


def is_model(kind: Any) -> bool:
    """Whether a type is a pydantic model."""
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and isinstance(kind, type) and issubclass(kind, pydantic.BaseModel)


def encode(model: Any) -> Any:
    """Returns a model as a JSON value."""
    return model.model_dump(mode="json", by_alias=True)


def decode(kind: Any, value: Any) -> Any:
    """Converts a JSON value to a model. Raises ValueError if it is not valid."""
    return kind.model_validate(value)


def schema(kind: Any) -> dict[str, Any]:
    """Returns the JSON schema of a model."""
    described: dict[str, Any] = kind.model_json_schema()
    return described
