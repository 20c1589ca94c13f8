"""`parallel`: a function on many items at once, with the results in order."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Coroutine, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from ..batch import Batch
from ..errors import JobFailed, LongshoreError, WaitTimeout
from ..task import Call, Task
from ..worker import Worker
from .application import private, private_worker, used
from .bar import Bar
from .local import LocalCall, LocalCalls, short
from .named import by_name, named_call

if TYPE_CHECKING:
    from ..client import Longshore

R = TypeVar("R")
T = TypeVar("T")

#: How often the progress bar moves, in seconds.
_STEP = 0.25


@overload
def parallel(
    f: Callable[[T], Coroutine[Any, Any, R]],
    items: Iterable[T],
    *,
    n_workers: int | None = None,
    threadpool: bool = False,
    progress: bool = False,
    timeout: float | None = None,
    return_exceptions: bool = False,
) -> list[R]: ...
@overload
def parallel(
    f: Callable[[T], R],
    items: Iterable[T],
    *,
    n_workers: int | None = None,
    threadpool: bool = False,
    progress: bool = False,
    timeout: float | None = None,
    return_exceptions: bool = False,
) -> list[R]: ...
@overload
def parallel(
    f: Callable[..., R],
    items: Iterable[Any],
    *args: Any,
    n_workers: int | None = None,
    threadpool: bool = False,
    progress: bool = False,
    timeout: float | None = None,
    return_exceptions: bool = False,
    total: int | None = None,
    chunksize: int = 1,
    pause: float = 0,
    method: str | None = None,
    max_tasks_per_child: int | None = None,
    **kwargs: Any,
) -> list[R]: ...
def parallel(
    f: Callable[..., Any],
    items: Iterable[Any],
    *args: Any,
    n_workers: int | None = None,
    threadpool: bool = False,
    progress: bool = False,
    timeout: float | None = None,
    return_exceptions: bool = False,
    total: int | None = None,  # noqa: ARG001
    chunksize: int = 1,  # noqa: ARG001
    pause: float = 0,  # noqa: ARG001
    method: str | None = None,  # noqa: ARG001
    max_tasks_per_child: int | None = None,  # noqa: ARG001
    **kwargs: Any,
) -> list[Any]:
    """Return `[f(*args, item, **kwargs) for item in items]`, with `n_workers` calls at once.

    - Processes run the calls, or with `threadpool=True` threads of this program.
    - `n_workers` is the number of CPUs by default. With 0 the calls are a plain loop.
    - In threads, `f` can be anything that can be called, also a lambda, and items and results can
      be any objects. A process finds `f` by its name, and items and results are sent as JSON: those
      that are not plain values are converted by the annotations of `f`. A program that uses
      processes needs `if __name__ == "__main__":`.
    - If `f` is a `Task`, it runs as it is declared.
    - `timeout` is the number of seconds for all calls together; then `WaitTimeout` is raised.
    - A call that fails raises `JobFailed` with its traceback, and calls that have not started are
      cancelled. With `return_exceptions=True` the exception is in the list instead.
    - `progress=True` shows a progress bar.
    - `total`, `chunksize`, `pause`, `method` and `max_tasks_per_child` of fastcore are accepted and
      ignored.
    """
    items = list(items)
    workers = _cpus() if n_workers is None else n_workers
    if workers < 0:
        raise ValueError(f"n_workers must be at least 0, not {workers}")
    if workers == 0:
        return [f(*args, item, **kwargs) for item in items]
    if not items:
        return []
    ways = Ways(f, items, args, kwargs)
    run = (
        ways.as_task()
        if isinstance(f, Task)
        else ways.threads()
        if threadpool
        else ways.processes()
    )
    return run.results(workers, progress, timeout, return_exceptions)


def _cpus() -> int:
    return os.cpu_count() or 1


class Ways:
    """The ways to make jobs of calls."""

    def __init__(
        self, f: Callable[..., Any], items: list[Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self._f = f
        self._items = items
        self._args = args
        self._kwargs = kwargs
        self._app = private(used())

    def threads(self) -> Run:
        """Return calls that stay in this program."""
        name = getattr(self._f, "__name__", "")
        local = LocalCalls(self._app, name)
        calls = [
            LocalCall(partial(self._f, *self._args, item, **self._kwargs), short(item))
            for item in self._items
        ]
        return Run(self._app, "thread", name, [local.add(call) for call in calls], calls)

    def processes(self) -> Run:
        """Return calls of a function that processes find by its name."""
        task = by_name(self._app, self._f, "threadpool=True")
        return self._named(task, task.fn.__name__)

    def as_task(self) -> Run:
        """Return calls of a task, which this program runs as well."""
        declared = cast("Task[..., Any]", self._f)
        task = self._app.task(
            name=declared.kind, retry_on=declared.retry_on, process=declared.mode == "process"
        )(declared.fn)
        task.default_options = declared.options(queue=self._app.queue).default_options
        return self._named(task, declared.kind)

    def _named(self, task: Task[..., Any], name: str) -> Run:
        calls = [named_call(task, (*self._args, item), self._kwargs) for item in self._items]
        return Run(self._app, task.mode, name, calls)


class Run:
    """The calls of one `parallel`, and the worker that runs them."""

    def __init__(
        self,
        app: Longshore,
        mode: str,
        name: str,
        calls: list[Call[Any]],
        local: list[LocalCall] | None = None,
    ) -> None:
        self._app = app
        self._mode = mode
        self._name = name
        self._calls = calls
        self._local = local

    def results(
        self, workers: int, progress: bool, timeout: float | None, return_exceptions: bool
    ) -> list[Any]:
        """Run the calls and return their results in order."""
        end = None if timeout is None else time.monotonic() + timeout
        try:
            with self._running(workers), self._batch() as batch:
                if progress:
                    _show(batch, Bar(len(self._calls)), end, stop_on_failure=not return_exceptions)
                left = None if end is None else max(0.0, end - time.monotonic())
                return list(self._read(batch, left, return_exceptions))
        except WaitTimeout:
            what = f"parallel {self._name}".strip()
            raise WaitTimeout(f"{what}: not all calls have ended within {timeout} s") from None

    @contextmanager
    def _running(self, workers: int) -> Generator[None]:
        """Run the jobs. After a timeout the worker ends in the background."""
        worker = self._worker(workers)
        worker.start()
        try:
            yield
        except WaitTimeout:
            worker.request_stop()
            threading.Thread(target=_end, args=(worker,), daemon=True).start()
            raise
        except BaseException:
            worker.stop()
            raise
        worker.stop()

    def _worker(self, workers: int) -> Worker:
        """Return a worker for these jobs only, so that `n_workers` holds."""
        size = min(workers, len(self._calls))
        rooms = {"thread": (size, 0, 0), "process": (0, size, 0), "coroutine": (0, 0, size)}
        threads, processes, coroutines = rooms[self._mode]
        return private_worker(
            self._app, threads=threads, processes=processes, coroutines=coroutines
        )

    @contextmanager
    def _batch(self) -> Generator[Batch[Any]]:
        batch = self._app.batch(self._calls, name=f"parallel {self._name}".strip())
        try:
            yield batch
        except BaseException:
            with suppress(LongshoreError):
                batch.cancel()
            raise
        finally:
            self._app.close()

    def _read(
        self, batch: Batch[Any], timeout: float | None, return_exceptions: bool
    ) -> Iterator[Any]:
        for place, result in enumerate(batch.results("return", timeout=timeout)):
            if not isinstance(result, LongshoreError):
                yield result
                continue
            cause = self._local[place].error if self._local else None
            if not return_exceptions:
                raise result from cause
            yield cause if isinstance(result, JobFailed) and cause is not None else result


def _end(worker: Worker) -> None:
    with suppress(LongshoreError):
        worker.wait()


def _show(batch: Batch[Any], bar: Bar, end: float | None, stop_on_failure: bool) -> None:
    """Move a progress bar until the batch has ended, or has a failure that ends it."""
    while True:
        with suppress(WaitTimeout):
            batch.wait(_STEP)
        counts = batch.counts
        bar.show(counts.final)
        is_over = counts.final == counts.total or (stop_on_failure and counts.failed > 0)
        if is_over or (end is not None and time.monotonic() > end):
            return
