"""Functions that another process finds by their names."""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Callable
from typing import Any

from ..task import Task
from .local import kind


def named_kind(fn: Callable[..., Any], word: str) -> str:
    """Return the kind of a function's jobs: the same in each run of the same file.

    The file is part of it, because every program has a module `__main__`.
    """
    module = inspect.getmodule(fn)
    place = f"{getattr(module, '__file__', '')}:{fn.__qualname__}"
    check_named(fn, word)
    return kind(fn.__name__, hashlib.sha256(place.encode()).hexdigest()[:8])


def check_named(fn: Callable[..., Any], word: str) -> None:
    """Raise TypeError if a process cannot find the function."""
    name, module = getattr(fn, "__qualname__", ""), sys.modules.get(getattr(fn, "__module__", ""))
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if isinstance(found, Task):
        found = found.fn
    if name and found is fn:
        return
    raise TypeError(
        f"{name or fn!r} cannot run in another process, which finds functions by their names: define "
        f"it at the top level of a module, or use {word} for lambdas and functions inside of functions"
    )


def check_arguments(task: Task[..., Any], payload: Any, given: tuple[Any, ...]) -> None:
    """Raise TypeError if an argument would reach the process as another object than it is here."""
    args, _ = task.decode_arguments(payload)
    for here, there in zip(given, args, strict=False):
        if type(here) is not type(there):
            raise TypeError(
                f"{task.fn.__qualname__}: the argument {here!r} is of the type {type(here).__name__} and"
                f" would arrive as {type(there).__name__}: annotate the parameter with its type"
            )
