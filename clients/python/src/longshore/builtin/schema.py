"""The JSON schema with which a model is asked for an answer of a certain form."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from longshore.codec import is_list, is_object, models


def response_format(kind: type[Any]) -> dict[str, Any]:
    """Returns the `response_format` of a chat call whose answer is to be of this type."""
    schema = _schema(kind)
    is_strict = _make_strict(schema)
    name = re.sub(r"[^a-zA-Z0-9_-]", "_", kind.__name__)[:64]
    described = {"name": name, "schema": schema, "strict": is_strict}
    return {"type": "json_schema", "json_schema": described}


def _schema(kind: type[Any]) -> dict[str, Any]:
    """Returns the schema of a type, with the type itself and not a reference at its root."""
    if models.is_model(kind):
        return models.schema(kind)
    schema = msgspec.json.schema(kind)
    reference = schema.pop("$ref", None)
    if reference is None:
        return schema
    name = reference.rpartition("/")[2]
    root = schema["$defs"][name]
    if f'"{reference}"' not in msgspec.json.encode(root).decode():
        others = {key: value for key, value in schema["$defs"].items() if key != name}
        schema = {"$defs": others} if others else {}
    return {**root, **schema}


def _make_strict(value: Any) -> bool:
    """Changes a schema to the subset that the API can enforce.

    In that, every property is required, and no others are allowed. Returns False if it cannot
    be done, as for an object with any keys.
    """
    if is_list(value):
        return _all_strict(value)
    if not is_object(value):
        return True
    schema = value
    schema.pop("default", None)
    if schema.get("type") == "object":
        if "properties" not in schema:
            return False
        schema["required"] = list(schema["properties"])
        schema["additionalProperties"] = False
    return _all_strict(schema.values())


def _all_strict(values: Iterable[Any]) -> bool:
    """Changes all values, also after one that cannot be made strict."""
    outcomes = [_make_strict(value) for value in values]
    return all(outcomes)
