"""The parameters of a task: arguments to a payload and back."""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from inspect import Parameter, Signature
from typing import Any, Union, get_args, get_origin

from longshore.codec import Codec, is_list, is_object
from longshore.context import Context
from longshore.errors import BadPayload

from .call import FreeParameter

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


class Parameters:
    """The parameters of one function.

    A payload is an object of arguments by parameter name; `*args` is a list and `**kwargs` an
    object under its name. A parameter that is annotated with `Context` is not part of it.
    """

    def __init__(self, fn: Callable[..., Any], kind: str, codec: Codec) -> None:
        self._fn = fn
        self._kind = kind
        self._codec = codec
        self._signature = _signature(fn)
        self._is_checked = False

    @cached_property
    def _annotations(self) -> dict[str, Any]:
        return {
            name: Any if p.annotation is Parameter.empty else self._resolve(name, p.annotation)
            for name, p in self._signature.parameters.items()
        }

    @cached_property
    def result_annotation(self) -> Any:
        """The annotation of the result.

        That is what the function returns, or of a generator that returns nothing the list of
        what it yields.
        """
        annotation = self._signature.return_annotation
        if annotation is Signature.empty:
            return Any
        resolved = self._resolve("return", annotation)
        fn = inspect.unwrap(self._fn)
        is_generator = inspect.isgeneratorfunction(fn) or inspect.isasyncgenfunction(fn)
        return _result_of_generator(resolved) if is_generator else resolved

    @cached_property
    def context_name(self) -> str | None:
        """The name of the parameter that is annotated with `Context`, or None."""
        names = [name for name, kind in self._annotations.items() if _is_context(kind)]
        return names[0] if names else None

    @cached_property
    def _arguments(self) -> Signature:
        """The signature without the parameter for the context."""
        rest = [p for p in self._signature.parameters.values() if p.name != self.context_name]
        return self._signature.replace(parameters=rest)

    def missing_context(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], context: Context
    ) -> dict[str, Context]:
        """Returns the keyword argument for the context, if a plain call leaves it out."""
        given = (*args, *kwargs.values())
        try:
            name = self.context_name
            if name is None or name in kwargs or any(isinstance(v, Context) for v in given):
                return {}
            self._arguments.bind(*args, **kwargs)
            self._signature.bind(*args, **kwargs, **{name: context})
        except TypeError:
            return {}
        return {name: context}

    def check(self) -> None:
        """Raises TypeError that names a parameter whose annotation cannot be decoded to."""
        if self._is_checked:
            return
        kinds = {n: kind for n, kind in self._annotations.items() if n != self.context_name}
        for name, kind in (*kinds.items(), ("return", self.result_annotation)):
            try:
                self._codec.check(kind)
            except TypeError as error:
                what = "the result" if name == "return" else f"the parameter {name!r}"
                raise TypeError(
                    f"{self._kind}: JSON cannot be converted to the annotation {kind} of {what}:"
                    f" {error}"
                ) from error
        self._is_checked = True

    def encode(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[dict[str, Any], FreeParameter | None]:
        """Returns the payload of a call, and the first parameter that it leaves free.

        Raises TypeError if the call does not fit the signature, except that this one may be
        missing, or if an annotation cannot be used.
        """
        self.check()
        bound = self._bind(args, kwargs)
        payload = {
            name: self._encode_parameter(self._arguments.parameters[name], value)
            for name, value in bound.items()
        }
        return payload, self._first_free(bound)

    def arrivals(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], payload: Any
    ) -> Iterator[tuple[str, Any, Any]]:
        """Returns the name of each argument of a call, its value, and that of the payload."""
        arriving = self._decode_values(payload)
        for name, value in self._bind(args, kwargs).items():
            yield name, value, arriving[name]

    def _bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Mapping[str, Any]:
        try:
            partial = self._arguments.bind_partial(*args, **kwargs)
            free = self._first_free(partial.arguments)
            for name, parameter in self._arguments.parameters.items():
                is_missing = name not in partial.arguments and _is_required(parameter)
                if is_missing and (free is None or name != free.name):
                    raise TypeError(f"missing a required argument: {name!r}")
        except TypeError as error:
            raise TypeError(f"{self._kind}{self._arguments}: {error}") from None
        return partial.arguments

    def _first_free(self, bound: Mapping[str, Any]) -> FreeParameter | None:
        for name, parameter in self._arguments.parameters.items():
            if name not in bound and parameter.kind is not Parameter.VAR_KEYWORD:
                variadic = parameter.kind is Parameter.VAR_POSITIONAL
                return FreeParameter(name, _is_required(parameter), variadic)
        return None

    def _encode_parameter(self, parameter: Parameter, value: Any) -> Any:
        if parameter.kind is Parameter.VAR_POSITIONAL:
            return [self._encode(parameter.name, item) for item in value]
        if parameter.kind is Parameter.VAR_KEYWORD:
            return {name: self._encode(parameter.name, item) for name, item in value.items()}
        return self._encode(parameter.name, value)

    def _encode(self, name: str, value: Any) -> Any:
        """Returns an argument as a JSON value, and makes sure that the worker can decode it."""
        try:
            encoded = self._codec.encode(value)
            self._codec.decode(encoded, self._annotations[name])
        except (TypeError, ValueError) as error:
            raise TypeError(f"{self._kind}: the argument {name!r}: {error}") from error
        return encoded

    def decode(self, payload: Any, context: Context | None = None) -> Arguments:
        """Returns the arguments of a payload, with the context in its parameter.

        Raises `BadPayload`, which names the parameter, if the payload does not fit the
        signature.
        """
        values = self._decode_values({} if payload is None else payload)
        if context is not None and self.context_name is not None:
            values[self.context_name] = context
        in_order = [(name, values[name]) for name in self._signature.parameters if name in values]
        bound = inspect.BoundArguments(self._signature, OrderedDict(in_order))
        bound.apply_defaults()
        return bound.args, bound.kwargs

    def _decode_values(self, payload: Any) -> dict[str, Any]:
        if not is_object(payload):
            raise BadPayload(
                f"{self._kind}: the payload must be an object of arguments by parameter name,"
                f" not {type(payload).__name__}"
            )
        parameters = self._arguments.parameters
        for name in payload:
            if name not in parameters:
                raise BadPayload(f"{self._kind}{self._arguments} has no parameter {name!r}")
        for name, parameter in parameters.items():
            if name not in payload and _is_required(parameter):
                raise BadPayload(f"{self._kind}{self._arguments}: the argument {name!r} is missing")
        return {
            name: self._decode_parameter(parameters[name], value) for name, value in payload.items()
        }

    def _decode_parameter(self, parameter: Parameter, value: Any) -> Any:
        name = parameter.name
        if parameter.kind is Parameter.VAR_POSITIONAL:
            if not is_list(value):
                raise BadPayload(f"{self._kind}: the argument {name!r} must be a list")
            return tuple(self._decode(name, item) for item in value)
        if parameter.kind is Parameter.VAR_KEYWORD:
            if not is_object(value):
                raise BadPayload(f"{self._kind}: the argument {name!r} must be an object")
            return {key: self._decode(name, item) for key, item in value.items()}
        return self._decode(name, value)

    def _decode(self, name: str, value: Any) -> Any:
        try:
            return self._codec.decode(value, self._annotations[name])
        except (TypeError, ValueError) as error:
            raise BadPayload(f"{self._kind}: the argument {name!r}: {error}") from error

    def _resolve(self, name: str, annotation: Any) -> Any:
        """Returns an annotation with the names in it resolved."""
        fn = inspect.unwrap(self._fn)
        holder = types.SimpleNamespace(__annotations__={name: annotation})
        try:
            names = {**getattr(fn, "__globals__", {}), **_enclosing(fn)}
            return typing.get_type_hints(holder, names, names, include_extras=True)[name]
        except Exception as error:
            raise TypeError(
                f"{self._kind}: the annotation of {name!r} cannot be read: {error}. The worker"
                " needs it at run time: import the type outside of TYPE_CHECKING, at module level"
            ) from error


def _signature(fn: Callable[..., Any]) -> Signature:
    if sys.version_info >= (3, 14):
        from annotationlib import Format

        return inspect.signature(fn, annotation_format=Format.FORWARDREF)
    return inspect.signature(fn)


def _enclosing(fn: Any) -> dict[str, Any]:
    """Returns the variables of enclosing functions that a function uses."""
    try:
        return dict(inspect.getclosurevars(fn).nonlocals)
    except (TypeError, ValueError):
        return {}


def _is_required(parameter: Parameter) -> bool:
    variadic = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    return parameter.default is Parameter.empty and parameter.kind not in variadic


def _is_context(annotation: Any) -> bool:
    if get_origin(annotation) in (Union, types.UnionType):
        return any(_is_context(member) for member in get_args(annotation))
    return annotation is Context


def _result_of_generator(annotation: Any) -> Any:
    """Returns the annotation of a generator's result.

    Of Generator[Y, S, R] it is R, or list[Y] if R is None; of Iterator[Y] and AsyncIterator[Y]
    it is list[Y].
    """
    arguments = get_args(annotation)
    if not arguments:
        return Any
    returns = arguments[2] if len(arguments) == 3 else None
    if returns in (None, type(None)):
        return list.__class_getitem__(arguments[0])
    return returns
