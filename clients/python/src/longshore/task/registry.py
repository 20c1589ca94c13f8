"""The tasks of an application, by kind."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .task import Task

BUILT_IN = frozenset({"http", "chat", "command", "sleep", "echo", "callback"})
_KIND = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


class Registry(Mapping[str, Task[..., Any]]):
    """The tasks of an application, by kind."""

    def __init__(self) -> None:
        self._tasks: dict[str, Task[..., Any]] = {}

    def add(self, task: Task[..., Any]) -> None:
        """Adds a task. The same function may be defined again, as notebooks and reloads do."""
        other = self._tasks.get(task.kind)
        if other is not None and _place(other.fn) != _place(task.fn):
            raise ValueError(
                f"two tasks have the name {task.kind!r}: {_place(other.fn)} and {_place(task.fn)}."
                " Give one of them another one with name="
            )
        self._tasks[task.kind] = task

    def __getitem__(self, kind: str) -> Task[..., Any]:
        return self._tasks[kind]

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._tasks))

    def __len__(self) -> int:
        return len(self._tasks)


def kind_of(fn: Callable[..., Any], name: str | None) -> str:
    """Returns the kind of a function's jobs: the given name, or its own in lowercase."""
    _check_function(fn)
    if name is None and not hasattr(fn, "__name__"):
        raise TypeError(f"{fn!r} has no name of its own: give the task one with name=")
    kind = fn.__name__.lower() if name is None else name
    if not _KIND.fullmatch(kind):
        raise ValueError(
            f"{kind!r} cannot be the name of a task: it must have 1 to 64 of a-z, 0-9, '.', '_' and"
            " '-', and start with a letter or a digit. Give the task another one with name="
        )
    if kind in BUILT_IN:
        raise ValueError(f"{kind!r} is a kind of the server: give the task another name with name=")
    return kind


def _check_function(fn: Callable[..., Any]) -> None:
    """Refuses methods, because a payload does not have their object."""
    if inspect.ismethod(fn):
        raise TypeError(
            f"{_place(fn)} is a method of {type(fn.__self__).__qualname__}, and a task must be a"
            " function: its object is not in the payload of a job"
        )
    try:
        first = next(iter(inspect.signature(fn).parameters), None)
    except ValueError as error:
        raise TypeError(f"{_place(fn)} cannot be a task: its parameters are not known") from error
    # Those of the built-in types take the object as an argument, which a payload can have.
    if first in {"self", "cls"} and not inspect.ismethoddescriptor(fn):
        raise TypeError(
            f"{_place(fn)} is a method, and a task must be a function: its object is not in the"
            " payload of a job. Move it out of the class"
        )


def _place(fn: Callable[..., Any]) -> str:
    name = getattr(fn, "__qualname__", type(fn).__qualname__)
    return f"{getattr(fn, '__module__', '?')}.{name}"
