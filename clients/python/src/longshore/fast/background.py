"""Calls of `threaded` in threads of their own.

A thread is started by its caller, so that the program ends after its calls as it does with any
threads. It waits until the worker has leased its job.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, copy_context
from typing import Any

from ..client import Longshore
from ..job import Job
from .local import LocalCall, LocalCalls

#: How often a thread that waits for its job looks whether it was cancelled, in seconds.
_LOOK = 5.0


class BackgroundCall(LocalCall):
    """A call that has a thread."""

    def __init__(self, call: Callable[[], Any], shown: str, name: str) -> None:
        super().__init__(call, shown)
        self._leased = threading.Event()
        self._context: Context | None = None
        self._end: tuple[Callable[..., object], Callable[[], None]] | None = None
        self.job: Job[Any] | None = None
        self.thread = threading.Thread(target=self._work, name=name)

    async def arun(self) -> Any:
        """Let the thread run the call, with the context of this job, and return the result."""
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        self._end = loop.call_soon_threadsafe, ended.set
        self._context = copy_context()
        self._leased.set()
        await ended.wait()
        if isinstance(self.error, (SystemExit, KeyboardInterrupt)):
            # They would end the event loop of the worker.
            raise RuntimeError(f"the thread ended with {self.error!r}") from self.error
        if self.error is not None:
            raise self.error
        return self.value

    def _work(self) -> None:
        while not self._leased.wait(_LOOK):
            if self.job is not None and self.job.refresh().is_final:
                return
        assert self._context is not None
        # An error is kept, and raised where the worker waits.
        with suppress(BaseException):
            self._context.run(self.run)
        self._report()

    def _report(self) -> None:
        if self._end is not None:
            call_on_loop, ended = self._end
            with suppress(RuntimeError):  # the worker has ended, and its loop
                call_on_loop(ended)


class BackgroundCalls(LocalCalls):
    """A task whose jobs are calls with threads."""

    def __init__(self, app: Longshore) -> None:
        super().__init__(app, "threaded")

    def _function(self) -> Callable[[int, str], Any]:
        async def run(call: int, shown: str) -> Any:  # noqa: ARG001
            return self.shown(await self.take(call).arun())

        return run
