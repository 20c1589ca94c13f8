"""A task of the application: a function whose calls are submitted as jobs."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Concatenate, Generic, Literal, ParamSpec, TypeVar, overload

from longshore.codec import dumps, is_same, loads
from longshore.context import Context, current, is_running
from longshore.errors import BadResult

from . import plain
from .call import Call
from .failure import Failure, classify
from .options import Options
from .parameters import Arguments, Parameters
from .submittable import Submittable

if TYPE_CHECKING:
    from longshore.batch import Batch
    from longshore.client import Longshore
    from longshore.job import Job

P = ParamSpec("P")
Q = ParamSpec("Q")
R_co = TypeVar("R_co", covariant=True)
C_co = TypeVar("C_co", covariant=True)

Mode = Literal["thread", "coroutine", "process"]
"""How a worker runs a task."""


class Task(Submittable, Generic[P, R_co]):
    """A function whose calls are submitted as jobs. Calling it runs the plain function here."""

    __name__: str

    def __init__(
        self,
        app: Longshore,
        fn: Callable[..., Any],
        kind: str,
        options: Options,
        *,
        retry_on: tuple[type[BaseException], ...] = (Exception,),
        process: bool = False,
    ) -> None:
        super().__init__(app, kind, options)
        functools.update_wrapper(self, fn)
        self.fn = fn
        self.retry_on = retry_on
        self.mode: Mode = _mode(fn, process)
        #: Whether a result must arrive as it is. JSON makes a tuple a list, for example.
        self.is_exact = False
        self._parameters = Parameters(fn, kind, app.codec)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Calls the plain function. Nothing is submitted.

        Outside of a task, `current()` is a context whose reports go nowhere, and so is a parameter
        for the context that is not given.
        """
        is_plain = not is_running()
        context = plain.context_of(self.kind, self.default_options.queue) if is_plain else current()
        extra: dict[str, Any] = self._parameters.missing_context(args, kwargs, context)
        fn = partial(self.fn, *args, **extra, **kwargs)
        return plain.call(fn, context) if is_plain else fn()

    def submit(self, *args: P.args, **kwargs: P.kwargs) -> Job[R_co]:
        """Submits a call. The job is on the server's disk when this returns."""
        return self.app.submit(self._call(args, kwargs))

    async def asubmit(self, *args: P.args, **kwargs: P.kwargs) -> Job[R_co]:
        """Like `submit`, on the running event loop."""
        return await self.app.asubmit(self._call(args, kwargs))

    delay = submit

    @overload
    def s(self, *args: P.args, **kwargs: P.kwargs) -> Call[R_co]: ...
    @overload
    def s(
        self: Task[Concatenate[Any, Q], R_co], *args: Q.args, **kwargs: Q.kwargs
    ) -> Call[R_co]: ...
    def s(self, *args: Any, **kwargs: Any) -> Call[R_co]:
        """Returns a call that is not submitted yet, for batches and `then`.

        The first argument may be missing in a call that is used as `then`.
        """
        return self._call(args, kwargs)

    def map(
        self, items: Iterable[Any], *rest: Iterable[Any], key: str | None = None
    ) -> Batch[R_co]:
        """Submits one call for each item, as a batch.

        With more iterables, each call gets one item of each, and the shortest ends it, as for
        `map`.
        """
        return self.app.batch(map(self._call_of, items, *rest), name=self.kind, key=key)

    async def amap(
        self, items: Iterable[Any], *rest: Iterable[Any], key: str | None = None
    ) -> Batch[R_co]:
        """Like `map`, on the running event loop."""
        calls = map(self._call_of, items, *rest)
        return await self.app.abatch(calls, name=self.kind, key=key)

    def _call_of(self, *args: Any) -> Call[R_co]:
        return self._call(args, {})

    def _call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call[R_co]:
        payload, free = self._parameters.encode(args, kwargs)
        return Call(self.kind, payload, self.default_options, self.decode_result, free=free)

    # For workers.

    def decode_arguments(self, payload: Any, context: Context | None = None) -> Arguments:
        """Returns the positional and keyword arguments of a payload.

        The parameter that is annotated with `Context` gets the context. Raises `BadPayload`.
        """
        return self._parameters.decode(payload, context)

    def check_annotations(self) -> None:
        """Raises TypeError if an argument or result cannot be converted to its annotation."""
        self._parameters.check()

    def arrivals(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], payload: Any
    ) -> Iterator[tuple[str, Any, Any]]:
        """Returns the name of each argument of a call, its value, and what the worker gets."""
        return self._parameters.arrivals(args, dict(kwargs), payload)

    def encode_result(self, value: Any) -> Any:
        """Returns a result as a JSON value. Raises TypeError if it has none."""
        try:
            return self.app.codec.encode(value)
        except TypeError as error:
            raise TypeError(f"the result of {self.kind}: {error}") from error

    def checked_result(self, value: Any) -> Any:
        """Returns a result as a JSON value that its readers can decode.

        Raises TypeError if it has none, and `BadResult` if it does not fit the annotation.
        """
        result = self.encode_result(value)
        if not self.is_exact:
            self.decode_result(result)
            return result
        arrives = self.decode_result(loads(dumps(result)))
        if not is_same(value, arrives):
            raise BadResult(
                f"{self.__name__}: the result {value!r:.200} would arrive as {arrives!r:.200}:"
                " annotate the result with its type"
            )
        return result

    def decode_result(self, value: Any) -> R_co:
        """Converts a JSON value to the result. Raises `BadResult`."""
        try:
            result: R_co = self.app.codec.decode(value, self._parameters.result_annotation)
        except (TypeError, ValueError) as error:
            raise BadResult(
                f"the result of {self.kind} does not fit its return annotation"
                f" {self._parameters.result_annotation}: {error}"
            ) from error
        return result

    def classify(self, error: BaseException, context: Context | None = None) -> Failure:
        """Returns what an exception of the function means for the job, and for this attempt."""
        return classify(error, self.retry_on, context)

    def __repr__(self) -> str:
        return f"<Task {self.kind}>"


class FunctionTask(Task[P, R_co], Generic[P, R_co, C_co]):
    """A task whose plain function returns `C`.

    That is the result for a function, a coroutine for an `async def`, an iterator for a
    generator.
    """

    if TYPE_CHECKING:

        def __call__(self, *args: P.args, **kwargs: P.kwargs) -> C_co:
            """Calls the plain function. Nothing is submitted."""
            ...


def module_of(fn: Callable[..., Any]) -> str:
    """Returns the name of the module of a function, or of the class for one such as `str.upper`."""
    module = getattr(fn, "__module__", None) or getattr(
        getattr(fn, "__objclass__", None), "__module__", None
    )
    return module or ""


def _mode(fn: Callable[..., Any], process: bool) -> Mode:
    inner = inspect.unwrap(fn)
    is_async = inspect.iscoroutinefunction(inner) or inspect.isasyncgenfunction(inner)
    if process and is_async:
        raise TypeError(f"{fn.__qualname__}: process=True is for `def`, not for `async def`")
    if process:
        return "process"
    return "coroutine" if is_async else "thread"
