"""What runs the calls of `threaded`: a worker for all threads, and one for each function in
processes.
"""

from __future__ import annotations

import atexit
import concurrent.futures.thread
import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from typing import Any, TypeVar

from ..client import Longshore
from ..errors import LongshoreError
from ..job import Job
from ..task import Call
from .application import GRACE, private, private_worker, used
from .background import BackgroundCall, BackgroundCalls
from .local import short
from .named import by_name, named_call

R = TypeVar("R")

MAX_THREADS = 1000
MAX_PROCESSES = 4


class ThreadedJob(Job[R]):
    """A job that runs in this program, with the words of a thread beside those of a job."""

    def join(self, timeout: float | None = None) -> None:
        """Wait until the call has ended, or for some seconds. Raises nothing if it has failed."""
        with suppress(TimeoutError):
            self.wait(timeout)

    def is_alive(self) -> bool:
        """Return whether the call has not ended yet."""
        return not self.refresh().is_final


class ThreadRunner:
    """Runs calls of any functions in threads."""

    def __init__(self, ls: Longshore) -> None:
        self._app = private(ls)
        self._calls = BackgroundCalls(self._app)
        self._jobs: list[tuple[BackgroundCall, ThreadedJob[Any]]] = []
        self._worker = private_worker(self._app, coroutines=MAX_THREADS)
        self._worker.start()

    def start(
        self,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        daemon: bool = False,
    ) -> ThreadedJob[Any]:
        """Start a call."""
        name = getattr(fn, "__name__", "")
        call = BackgroundCall(partial(fn, *args, **kwargs), f"{name}{short(args)}", name)
        job = _submit(self._app, self._calls.add(call, tag=name))
        call.job = job
        call.thread.daemon = daemon
        call.thread.start()
        self._jobs = [(one, its) for one, its in self._jobs if one.thread.is_alive()]
        self._jobs.append((call, job))
        return job

    def close(self) -> None:
        """Wait for the calls, and until the server knows their outcomes."""
        awaited = [(call, job) for call, job in self._jobs if not call.thread.daemon]
        for call, _ in awaited:
            call.thread.join()
        with suppress(LongshoreError):
            for _, job in awaited:
                job.wait(GRACE)
            self._worker.stop()


class ProcessRunner:
    """Runs calls of one function in processes."""

    def __init__(self, ls: Longshore, fn: Callable[..., Any]) -> None:
        self._app = private(ls)
        self._task = by_name(self._app, fn, "@threaded without process=True")
        self._jobs: deque[ThreadedJob[Any]] = deque()
        self._worker = private_worker(self._app, processes=min(MAX_PROCESSES, os.cpu_count() or 1))
        self._worker.start()

    def start(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], *, daemon: bool = False
    ) -> ThreadedJob[Any]:
        """Start a call."""
        job = _submit(self._app, named_call(self._task, args, kwargs))
        if self._jobs and self._jobs[0].refresh().is_final:
            self._jobs.popleft()
        if not daemon:
            self._jobs.append(job)
        return job

    def close(self) -> None:
        """Wait for the calls."""
        with suppress(LongshoreError):
            for job in self._jobs:
                job.wait()
            self._worker.stop()


def _submit(app: Longshore, call: Call[Any]) -> ThreadedJob[Any]:
    job = app.submit(call)
    return ThreadedJob(app, job.id, job.to_dict(), call.decode)


_lock = threading.Lock()
_runners: dict[tuple[int, Longshore, object], Any] = {}


def thread_runner() -> ThreadRunner:
    """Return the runner of this program for threads."""
    return _runner(None, ThreadRunner)


def process_runner(fn: Callable[..., Any]) -> ProcessRunner:
    """Return the runner of this program for a function in processes."""
    return _runner(fn, lambda ls: ProcessRunner(ls, fn))


def _runner(fn: Callable[..., Any] | None, make: Callable[[Longshore], R]) -> R:
    """Return a runner of this process and application. A fork has none of those of its parent."""
    ls = used()
    with _lock:
        key = (os.getpid(), ls, fn)
        if key not in _runners:
            _close_at_exit()
            _runners[key] = make(ls)
        runner: R = _runners[key]
        return runner


def close_all() -> None:
    """Wait for all calls of this process and end its workers. The next call starts new ones."""
    with _lock:
        own = [key for key in _runners if key[0] == os.getpid()]
        runners = [_runners.pop(key) for key in own]
    for runner in runners:
        runner.close()


@cache
def _close_at_exit() -> None:
    """Let the program wait for its calls when it ends, while threads can still be started.

    What `atexit` calls comes after the executors of `concurrent.futures` have ended, and event
    loops need those for host names. Later registrations are called first.
    """
    assert concurrent.futures.thread
    register = getattr(threading, "_register_atexit", atexit.register)
    register(close_all)
