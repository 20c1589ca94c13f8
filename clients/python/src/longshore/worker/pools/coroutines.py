"""Runs attempts of `async def` tasks on an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import ParamSpec

from longshore.task import Mode
from longshore.worker.attempt import STOPPED, AnyTask, Outcome, arun, broken
from longshore.worker.leases import Lease

from .pool import Finish
from .steps import Steps

P = ParamSpec("P")


class CoroutinePool:
    """Runs attempts as tasks of asyncio.

    They run on the loop of the application if the worker lives in one, else on a loop in a thread
    of its own. It is never the loop that talks to the server, so a task that blocks its loop loses
    no lease.
    """

    mode: Mode = "coroutine"

    def __init__(self, size: int, finish: Finish, loop: asyncio.AbstractEventLoop) -> None:
        self.size = size
        self._finish = finish
        self._loop = loop
        self._attempts: dict[tuple[int, int], tuple[asyncio.Task[Outcome], Steps[Outcome]]] = {}

    def start(self) -> None:
        """Do nothing: the loop runs already."""

    def submit(self, lease: Lease, task: AnyTask) -> None:
        """Run an attempt. It is cancelled when the lease says that it is to stop."""
        lease.on_stop = partial(self._stop, lease)
        if not self._call(self._begin, lease, task):
            self._finish(lease, STOPPED)

    def close(self) -> None:
        """Cancel what is left."""
        self._call(self._cancel_all)

    def _stop(self, lease: Lease) -> None:
        self._call(self._cancel, lease)

    def _call(self, function: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> bool:
        """Call a function on the loop. Return whether the loop is still open."""
        try:
            self._loop.call_soon_threadsafe(partial(function, *args, **kwargs))
        except RuntimeError:  # the application has closed it
            return False
        return True

    def _begin(self, lease: Lease, task: AnyTask) -> None:
        lease.has_begun = True
        steps = Steps(partial(arun, lease.job, task, lease), lease.stop_reason)
        coroutine = steps.run()
        try:
            attempt = self._loop.create_task(coroutine, name=f"longshore job {lease.job.id}")
        except Exception as error:  # of a task factory of the application
            coroutine.close()
            self._finish(lease, broken(error))
            return
        self._attempts[lease.key] = attempt, steps
        attempt.add_done_callback(partial(self._done, lease))

    def _done(self, lease: Lease, attempt: asyncio.Task[Outcome]) -> None:
        del self._attempts[lease.key]
        # A task that is cancelled before its first step does not run at all.
        error = None if attempt.cancelled() else attempt.exception()
        if error is not None:
            self._finish(lease, broken(error))
        else:
            self._finish(lease, STOPPED if attempt.cancelled() else attempt.result())

    def _cancel(self, lease: Lease) -> None:
        attempt, steps = self._attempts.get(lease.key, (None, None))
        if attempt is not None and steps is not None and not steps.is_stopped:
            steps.is_stopped = True
            attempt.cancel()

    def _cancel_all(self) -> None:
        for attempt, steps in list(self._attempts.values()):
            steps.is_stopped = True
            attempt.cancel()


class LoopThread:
    """An event loop in a thread of its own."""

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def close(self, timeout: float) -> None:
        """End the loop and wait for it, unless a task blocks it for longer."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(timeout)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
            self.loop.run_until_complete(self._end())
        finally:
            self.loop.close()

    async def _end(self) -> None:
        """Cancel what tasks left running, and end generators, as `asyncio.run` does."""
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=1)
        await self.loop.shutdown_asyncgens()
