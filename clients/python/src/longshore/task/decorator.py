"""The decorator that makes a function a task."""

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
    Sequence,
)
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from .options import Backoff, Options, check_names
from .registry import Registry, kind_of
from .task import FunctionTask

if TYPE_CHECKING:
    from longshore.client import Longshore
    from longshore.duration import Duration

P = ParamSpec("P")
R = TypeVar("R")
Y = TypeVar("Y")

_OPTIONS = (
    *("name", "queue", "retries", "backoff", "retry_on", "timeout", "at_most_once", "process"),
    *("priority", "expires", "tags"),
)

ExceptionTypes = type[BaseException] | Iterable[type[BaseException]]


@dataclass(frozen=True)
class TaskDecorator:
    """Makes functions tasks: `@ls.task`, or `@ls.task(retries=3, ...)`.

    `def` runs in a thread of a worker, or with `process=True` in a process of its own; `async def`
    runs on its event loop. `retries` is how often a failed attempt is tried again, if its exception
    is one of `retry_on`. What is not given has the server's default.

    The result of a generator is what it returns, or the list of what it yields if it returns None.
    """

    app: Longshore
    registry: Registry
    options: Options = field(default_factory=Options)
    name: str | None = None
    retry_on: tuple[type[BaseException], ...] = (Exception,)
    process: bool = False

    @overload
    def __call__(
        self, fn: Callable[P, Coroutine[Any, Any, R]], /
    ) -> FunctionTask[P, R, Coroutine[Any, Any, R]]: ...
    @overload
    def __call__(
        self, fn: Callable[P, AsyncGenerator[Y, Any]], /
    ) -> FunctionTask[P, list[Y], AsyncGenerator[Y, Any]]: ...
    @overload
    def __call__(
        self, fn: Callable[P, AsyncIterator[Y]], /
    ) -> FunctionTask[P, list[Y], AsyncIterator[Y]]: ...
    @overload
    def __call__(
        self, fn: Callable[P, Generator[Y, Any, None]], /
    ) -> FunctionTask[P, list[Y], Generator[Y, Any, None]]: ...
    # A generator is an iterator as well, and the first overload that fits applies.
    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, fn: Callable[P, Generator[Any, Any, R]], /
    ) -> FunctionTask[P, R, Generator[Any, Any, R]]: ...
    @overload
    def __call__(
        self, fn: Callable[P, Iterator[Y]], /
    ) -> FunctionTask[P, list[Y], Iterator[Y]]: ...
    @overload
    def __call__(self, fn: Callable[P, R], /) -> FunctionTask[P, R, R]: ...
    @overload
    def __call__(
        self,
        /,
        *,
        name: str | None = None,
        queue: str | None = None,
        retries: int | None = None,
        backoff: Backoff | Duration | None = None,
        retry_on: ExceptionTypes = Exception,
        timeout: Duration | None = None,
        at_most_once: bool = False,
        process: bool = False,
        priority: int | None = None,
        expires: Duration | None = None,
        tags: Sequence[str] | None = None,
    ) -> TaskDecorator: ...
    def __call__(
        self,
        fn: Callable[..., Any] | None = None,
        /,
        *,
        name: str | None = None,
        retry_on: ExceptionTypes = Exception,
        process: bool = False,
        **options: Any,
    ) -> Any:
        """Makes a function a task, or returns a decorator with these options."""
        check_names(options, _OPTIONS, "a task")
        if fn is not None:
            return self._add(fn)
        return replace(
            self,
            options=self.options.merged(Options(**options)),
            name=name,
            retry_on=_exception_types(retry_on),
            process=process,
        )

    def _add(self, fn: Callable[..., Any]) -> FunctionTask[..., Any, Any]:
        task: FunctionTask[..., Any, Any] = FunctionTask(
            self.app,
            fn,
            kind_of(fn, self.name),
            self.options,
            retry_on=self.retry_on,
            process=self.process,
        )
        self.registry.add(task)
        return task


def _exception_types(retry_on: Any) -> tuple[type[BaseException], ...]:
    """Returns the classes of `retry_on`. Raises TypeError if it is anything else."""
    if isinstance(retry_on, type):
        classes: tuple[Any, ...] = (retry_on,)
    elif hasattr(retry_on, "__iter__") and not isinstance(retry_on, str | bytes):
        classes = tuple(retry_on)
    else:
        classes = (retry_on,)
    for one in classes:
        if not (isinstance(one, type) and issubclass(one, BaseException)):
            raise TypeError(
                f"retry_on: {one!r} is not a class of exceptions: name one, such as"
                " ConnectionError, or several in a list"
            )
    return classes
