"""The codec: it converts arguments and results by their annotations."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any, NoReturn

import msgspec

from . import known, models


class Codec:
    """Converts values to JSON values and back.

    It knows dataclasses, TypedDict, NamedTuple, `msgspec.Struct`, pydantic models, datetime, date,
    time, timedelta, UUID, Decimal, Enum, bytes (as base64), set, tuple and Path, and the answers of
    `ls.chat` and `ls.http`. `encoders` and `decoders` add types of the application: functions to a
    JSON value and back.
    """

    def __init__(
        self,
        encoders: Mapping[type, Callable[[Any], Any]] | None = None,
        decoders: Mapping[type, Callable[[Any], Any]] | None = None,
    ) -> None:
        self._encoders = dict(encoders or {})
        self._decoders = {**known.decoders, **(decoders or {})}

    def encode(self, value: Any) -> Any:
        """Returns a value as a JSON value. Raises TypeError for a value without a JSON form."""
        try:
            encoded = msgspec.to_builtins(value, str_keys=True, enc_hook=self._encode_other)
            _check_json(encoded)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise TypeError(f"{_short(value)} has no JSON form: {error}") from error
        return encoded

    def check(self, annotation: Any) -> None:
        """Raises TypeError if no value can be decoded to a type, as for a union of two dataclasses.

        Types that are not known may have a decoder for some values, and are not looked at.
        """
        if annotation is not Any and annotation is not NoReturn:
            msgspec.json.Decoder(annotation)

    def decode(self, value: Any, annotation: Any) -> Any:
        """Converts a JSON value to a type, and returns the value.

        Raises ValueError if the value does not fit the type, and TypeError if no value could, as
        for a union of two dataclasses.
        """
        if annotation is Any:
            return value
        try:
            return msgspec.convert(value, annotation, str_keys=True, dec_hook=self._decode_other)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from error

    def _encode_other(self, value: Any) -> Any:
        for kind, encoder in self._encoders.items():
            if isinstance(value, kind):
                return encoder(value)
        if type(value) in known.encoders:
            return known.encoders[type(value)](value)
        if models.is_model(type(value)):
            return models.encode(value)
        if isinstance(value, PurePath):
            return str(value)
        raise TypeError(f"values of the type {type(value).__qualname__} cannot be encoded")

    def _decode_other(self, annotation: Any, value: Any) -> Any:
        if annotation is object:
            return value
        decoder = self._decoders.get(annotation)
        if decoder is not None:
            return decoder(value)
        if models.is_model(annotation):
            return models.decode(annotation, value)
        if isinstance(annotation, type) and issubclass(annotation, PurePath):
            if not isinstance(value, str):
                raise ValueError(f"expected the text of a path, got {type(value).__name__}")
            return annotation(value)
        raise TypeError(
            f"values of the type {annotation!r} cannot be decoded: use a dataclass, a pydantic"
            " model, or a decoder of the codec"
        )


def _check_json(value: Any) -> None:
    """Refuses NaN, Infinity and halves of surrogate pairs, which the server would refuse."""
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except Exception:
        text = f"a value of the type {type(value).__qualname__}"
    return text if len(text) <= 80 else f"{text[:77]}..."
