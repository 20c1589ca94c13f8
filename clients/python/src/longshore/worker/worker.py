"""The worker: runs the tasks of an application."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from inspect import isawaitable
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from longshore import blocking
from longshore.duration import Duration
from longshore.errors import LongshoreError

from .capture import WORKER_THREAD, capture
from .engine import Engine
from .lifespan import Running
from .pools.coroutines import LoopThread
from .pools.processes import refuse_in_child
from .settings import Settings, queues_of

if TYPE_CHECKING:
    from typing_extensions import Self

    from longshore.client import Longshore

Hook = Callable[[], Awaitable[object] | object]
Lifespan = Callable[[Any], AbstractAsyncContextManager[Any]]

_SIGNALS = (signal.SIGTERM, signal.SIGINT)

log = logging.getLogger("longshore.worker")


class Worker:
    """Runs the tasks of an application.

    Functions run in threads, coroutine functions on an event loop, and tasks with `process=True` in
    child processes, of which there is one by default if there are such tasks.

    `queues` are the queues to take jobs from. If there is none, these are all queues, or those of
    the application and its tasks if it has a queue of its own: `Longshore(queue="shop.default")`.
    `lease` is how long the server
    waits for a sign of life of this worker before it gives a job to another one. When the worker is
    stopped, running jobs have `grace` to end. `on_start` and `on_stop`, functions or coroutine
    functions, run before the first job and after the last one; the latter on the event loop of the
    coroutines. `name` is shown with the jobs of this worker.
    """

    def __init__(
        self,
        ls: Longshore,
        *,
        queues: Sequence[str] = (),
        threads: int = 8,
        processes: int | None = None,
        coroutines: int = 100,
        lease: Duration = 30,
        grace: Duration = 25,
        on_start: Hook | None = None,
        on_stop: Hook | None = None,
        name: str | None = None,
    ) -> None:
        self.settings = Settings.checked(
            queues=queues,
            threads=threads,
            processes=processes,
            coroutines=coroutines,
            lease=lease,
            grace=grace,
            name=name,
        )
        self._app = ls
        self._on_start = on_start
        self._on_stop = on_stop
        self._thread: threading.Thread | None = None
        self._own_loop: LoopThread | None = None
        self._engine: Engine | None = None
        self._failure: BaseException | None = None
        self._host: blocking.Host | None = None
        self._signals = 0

    def _runs_coroutine(self, work: blocking.Work) -> bool:
        """Return whether this worker takes such jobs, and runs them on its event loop of tasks."""
        if work.worker not in (None, self.settings.name):
            return False
        task = self._app.tasks.get(work.kind)
        queues = queues_of(self._app, self.settings)
        is_coroutine = task is not None and task.mode == "coroutine"
        return is_coroutine and (not queues or work.queue in queues)

    def check_tasks(self) -> None:
        """Raise TypeError if a task has an annotation that JSON cannot be converted to."""
        for task in self._app.tasks.values():
            task.check_annotations()

    def run(self) -> None:
        """Run jobs until the program gets SIGTERM or SIGINT. A second signal ends it at once.

        Called in the main thread. Raises `NotAllowed` if the server refuses the key.
        """
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError(
                "run() needs the main thread, for its signals: use start() and stop()"
            )
        previous = {number: signal.signal(number, self._on_signal) for number in _SIGNALS}
        try:
            self.start()
            if self._signals:
                self.request_stop()
            self.wait()
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def run_until_idle(self) -> int:
        """Run jobs until there are none to run, and return how many attempts that were. For tests.

        Jobs that are to start later are not waited for. Raises `LongshoreError` if there are tasks
        that have no place to run, as with `threads=0`.
        """
        self._begin(is_until_idle=True)
        self.wait()
        return self._engine.count if self._engine is not None else 0

    def start(self) -> None:
        """Start to run jobs in threads of this program."""
        self._begin(is_until_idle=False)

    def stop(self) -> None:
        """Lease nothing more, and wait for running jobs, at most for the grace period.

        Raises `NotAllowed` if the server refused the key.
        """
        self.request_stop()
        self.wait()

    def wait(self) -> None:
        """Wait until the worker has ended, and raise why if it was not stopped."""
        thread = self._thread
        if thread is None:
            return
        while thread.is_alive():  # in short steps, so that signals are handled
            thread.join(0.5)
        try:
            self._call_hook(self._on_stop)
        finally:
            self._end()
        self._raise_failure()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def lifespan(self, inner: Lifespan | None = None) -> Lifespan:
        """Return a lifespan for Starlette, FastAPI or FastHTML.

        The worker runs as long as the application does, within `inner`, the application's own one.
        Coroutines run on the event loop of the application and may use what belongs to it. Signals
        stay with the program that serves the application.
        """

        async def generator(app: Any) -> AsyncGenerator[Any, None]:
            async with inner(app) if inner is not None else nullcontext() as state:
                await _acall(self._on_start)
                self._start_thread(asyncio.get_running_loop(), is_until_idle=False)
                try:
                    yield state
                finally:
                    await self._astop()

        return lambda app: Running(generator(app))

    async def _astop(self) -> None:
        self.request_stop()
        thread = self._thread
        if thread is not None:
            await asyncio.to_thread(thread.join)
        try:
            await _acall(self._on_stop)
        finally:
            self._end()

    def _begin(self, *, is_until_idle: bool) -> None:
        refuse_in_child()
        if self._thread is not None:
            raise RuntimeError("the worker runs already")
        self._own_loop = LoopThread("longshore-coroutines")
        try:
            self._call_hook(self._on_start)
            self._start_thread(self._own_loop.loop, is_until_idle=is_until_idle)
        except BaseException:
            self._own_loop.close(1)
            raise

    def _start_thread(self, tasks_loop: asyncio.AbstractEventLoop, *, is_until_idle: bool) -> None:
        if self._thread is not None:
            raise RuntimeError("the worker runs already")
        self.check_tasks()
        is_ready = threading.Event()
        self._host = blocking.add_host(tasks_loop, self._runs_coroutine)
        capture.install()

        async def main() -> None:
            self._engine = engine = Engine(self._app, self.settings, tasks_loop)
            is_ready.set()
            await (engine.run_until_idle() if is_until_idle else engine.run())

        self._failure = None
        self._thread = threading.Thread(
            target=self._main, args=(main, is_ready), name=WORKER_THREAD, daemon=True
        )
        self._thread.start()
        is_ready.wait()

    def _main(self, main: Callable[[], Any], is_ready: threading.Event) -> None:
        try:
            asyncio.run(main())
            error = self._engine.error if self._engine is not None else None
            if error is not None:
                self._failure = error
                log.error("the worker ends: %s", error)
        except BaseException as error:
            self._failure = error
            log.exception("the worker ends because of an error of its own")
        finally:
            is_ready.set()

    def _end(self) -> None:
        self._thread = None
        if self._host is not None:
            blocking.remove_host(self._host)
            self._host = None
        capture.remove()
        if self._own_loop is not None:
            self._own_loop.close(2)
            self._own_loop = None

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if isinstance(failure, LongshoreError):
            raise failure
        if failure is not None:
            raise RuntimeError("the worker ended because of an error") from failure

    def _call_hook(self, hook: Hook | None) -> None:
        """Call a function here, or run a coroutine function on the loop of the coroutines."""
        if hook is None or self._own_loop is None:
            return
        result = hook()
        if isawaitable(result):
            asyncio.run_coroutine_threadsafe(_awaited(result), self._own_loop.loop).result()

    def request_stop(self) -> None:
        """Stop without waiting for it. Called from any thread, also from a signal handler."""
        if self._engine is not None:
            self._engine.stop()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        """Stop on the first signal, end on the second one.

        It takes no locks, because the code that it interrupts may hold them.
        """
        self._signals += 1
        if self._signals > 1:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self.request_stop()


async def _acall(hook: Hook | None) -> None:
    if hook is not None:
        result = hook()
        if isawaitable(result):
            await result


async def _awaited(result: Awaitable[object]) -> object:
    return await result
