"""Functions that another process finds by their names."""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any

from ..client import Longshore
from ..codec import dumps, is_same, loads
from ..task import Call, Task, module_of
from .local import TIMEOUT, kind


def by_name(app: Longshore, fn: Callable[..., Any], alternative: str) -> Task[..., Any]:
    """Return a task that runs a function in processes."""
    _check(fn, alternative)
    task = app.task(name=named_kind(fn), process=True, timeout=TIMEOUT)(fn)
    task.is_exact = True
    return task


def named_kind(fn: Callable[..., Any]) -> str:
    """Return the kind of a function's jobs: the same in each run of the same file.

    The file is part of it, because every program has a module `__main__`.
    """
    home = module_of(fn)
    place = f"{getattr(sys.modules.get(home), '__file__', home)}:{fn.__qualname__}"
    return kind(fn.__name__, hashlib.sha256(place.encode()).hexdigest()[:8])


def _check(fn: Callable[..., Any], alternative: str) -> None:
    """Raise TypeError if a process cannot find the function."""
    name = getattr(fn, "__qualname__", "")
    if inspect.iscoroutinefunction(fn) or inspect.isasyncgenfunction(fn):
        raise TypeError(
            f"{name} is an `async def`, which does not run in another process: use {alternative}"
        )
    module = sys.modules.get(module_of(fn))
    found: object = module
    for part in name.split("."):
        found = getattr(found, part, None)
    found = getattr(found, "fn", found)
    # The main module of a notebook or an interactive program has no file that a process could read.
    is_readable = module_of(fn) != "__main__" or hasattr(module, "__file__")
    if name and found is fn and is_readable:
        return
    raise TypeError(
        f"{name or repr(fn)} cannot run in another process, which finds functions by their names:"
        f" define it at the top level of a module, or use {alternative} for lambdas, functions"
        " inside of functions and notebooks"
    )


def named_call(task: Task[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call[Any]:
    """Return a call. Raise TypeError if an argument would arrive as another type."""
    call = task.s(*args, **kwargs)
    for name, here, arrives in task.arrivals(args, kwargs, loads(dumps(call.payload))):
        is_number = isinstance(here, int) and isinstance(arrives, float)
        if not is_same(here, arrives) or not (is_number or type(here) is type(arrives)):
            raise TypeError(
                f"{task.fn.__qualname__}: the argument {name!r} is {here!r:.200} of the type"
                f" {type(here).__name__} and would arrive as {arrives!r:.200} of the type"
                f" {type(arrives).__name__}: annotate the parameter with its type"
            )
    return call
