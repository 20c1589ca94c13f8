"""`threaded` and `startthread`: functions that run in the background."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial, update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar, cast, overload

from ..context import current
from ..errors import LongshoreError
from .named import named_kind
from .runners import ThreadedJob, process_runner, thread_runner

P = ParamSpec("P")
R = TypeVar("R")


class Threaded(Generic[P, R]):
    """A function whose calls run in the background."""

    def __init__(self, fn: Callable[P, R], *, process: bool, daemon: bool = False) -> None:
        update_wrapper(self, fn)
        self.fn = fn
        self._is_process = process
        self._is_daemon = daemon
        self._job_id: int | None = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> ThreadedJob[R]:
        """Start a call and return its job."""
        if not self._is_process:
            return thread_runner().start(self.fn, args, kwargs, daemon=self._is_daemon)
        if self._is_called_by_worker():
            return cast("ThreadedJob[R]", self.fn(*args, **kwargs))
        return process_runner(self.fn).start(args, kwargs, daemon=self._is_daemon)

    def _is_called_by_worker(self) -> bool:
        """Return whether a child process has found this object by the name of the function."""
        with suppress(LongshoreError):
            context = current()
            if context.job_id != self._job_id and context.kind == named_kind(self.fn):
                self._job_id = context.job_id
                return True
        return False


@overload
def threaded(fn: Callable[P, R], /) -> Threaded[P, R]: ...
@overload
def threaded(
    *, process: bool = False, daemon: bool = False
) -> Callable[[Callable[P, R]], Threaded[P, R]]: ...
def threaded(fn: Any = None, /, *, process: bool = False, daemon: bool = False) -> Any:
    """Make a function run in the background: a call returns a job at once.

    It runs in a thread of this program, or with `process=True` in a process. The job has
    `result()`, which raises `JobFailed` with the traceback, `join()`, `is_alive()`, and all that
    jobs have. The program does not end before its calls have ended; with `daemon=True` it
    waits for them for 5 s at most.
    """
    if fn is None:
        return partial(Threaded, process=process, daemon=daemon)
    return Threaded(fn, process=process, daemon=daemon)


def startthread(fn: Callable[[], R]) -> ThreadedJob[R]:
    """Run a function in a thread at once and return its job."""
    return threaded(fn)()
