"""Models of pydantic, which msgspec does not know.

pydantic is never imported here: a model exists only in a program that has imported it.
"""

from __future__ import annotations

import sys
from typing import Any

from .text import is_list, is_object


def is_model(kind: Any) -> bool:
    """Whether a type is a pydantic model."""
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and isinstance(kind, type) and issubclass(kind, pydantic.BaseModel)


def encode(model: Any) -> Any:
    """Returns a model as a JSON value from which the same model can be made.

    Raises TypeError for a model with a secret, because pydantic does not write its text.
    """
    plain = model.model_dump(round_trip=True)
    values = [model.model_dump(mode="json", by_alias=a, round_trip=True) for a in (True, False)]
    _refuse_secrets(plain, values[0], type(model).__qualname__)
    # An alias for the serialization alone is a name that the validation does not know.
    return next((value for value in values if _is_valid(type(model), value)), values[0])


def _is_valid(kind: Any, value: Any) -> bool:
    try:
        decode(kind, value)
    except ValueError:
        return False
    return True


def _refuse_secrets(plain: Any, value: Any, place: str) -> None:
    """Raises TypeError, which names the field, if a value has stars in place of a secret."""
    if is_object(plain) and is_object(value):
        for (name, field), text in zip(plain.items(), value.values(), strict=False):
            _refuse_secrets(field, text, f"{place}.{name}")
    elif is_list(value):
        # A list, a tuple or a set.
        for index, (item, text) in enumerate(zip(plain, value, strict=False)):
            _refuse_secrets(item, text, f"{place}[{index}]")
    elif hasattr(plain, "get_secret_value") and value == "**********":
        raise TypeError(
            f"{place} is a secret, whose text pydantic does not write: read the secret in the task,"
            " or give the field a serializer for JSON"
        )


def decode(kind: Any, value: Any) -> Any:
    """Converts a JSON value to a model. Raises ValueError if it is not valid."""
    return kind.model_validate(value)


def schema(kind: Any) -> dict[str, Any]:
    """Returns the JSON schema of a model."""
    described: dict[str, Any] = kind.model_json_schema()
    return described
