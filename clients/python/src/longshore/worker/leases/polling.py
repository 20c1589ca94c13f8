"""Keeps the pools of a worker supplied with jobs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from longshore.errors import LongshoreError, Unavailable
from longshore.worker.duty import kept_alive
from longshore.worker.server import Answer, Line, Server, pause

from .poller import MAX_KINDS, Poller

if TYPE_CHECKING:
    from longshore.client import Longshore

_CHECK = 0.25
_HANG_UP_TIMEOUT = 3.0


class Polling:
    """Calls for leases for all pools: for each pool the kinds of its tasks."""

    def __init__(
        self,
        app: Longshore,
        server: Server,
        pollers: Sequence[Poller],
        end: Callable[[LongshoreError], None],
    ) -> None:
        self._app = app
        self._server = server
        self._pollers = pollers
        self._end = end
        self._calls: dict[asyncio.Task[None], Line] = {}
        self._is_stopped = False
        self._failures = 0
        self._failing_since = 0.0

    def kinds(self, poller: Poller) -> list[str]:
        """Return the kinds of the tasks that a pool runs; none if it has no places."""
        if poller.pool.size == 0:
            return []
        return [kind for kind, task in self._app.tasks.items() if task.mode == poller.pool.mode]

    async def run(self) -> None:
        """Keep a call open for each pool, and start anew when tasks were added, until stopped."""
        polled: list[tuple[Poller, list[str]]] = []
        while not self._is_stopped:
            wanted = [(poller, group) for poller in self._pollers for group in self._groups(poller)]
            if wanted != polled:
                await self._close()
                polled = wanted
                for poller, group in wanted:
                    is_alone = sum(other is poller for other, _ in wanted) == 1
                    line = self._server.line()
                    call = kept_alive(partial(poller.run, group, line, is_alone))
                    self._calls[asyncio.create_task(call)] = line
            await asyncio.sleep(_CHECK)

    async def stop(self) -> None:
        """Close the calls, and make no more."""
        self._is_stopped = True
        await self._close()

    async def _close(self) -> None:
        calls, self._calls = self._calls, {}
        ending = [call for call, line in calls.items() if line.hang_up()]
        if ending:
            await asyncio.wait(ending, timeout=_HANG_UP_TIMEOUT)
        for call, line in calls.items():
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            await line.aclose()

    async def poll_now(self) -> int:
        """Lease the jobs that are there for all pools. Return their number.

        Raises nothing: the worker ends if the server does not answer for long.
        """
        found = 0
        for poller in self._pollers:
            for group in self._groups(poller):
                answer, begun = await poller.poll_now(group)
                found += begun
                await self._check(answer)
        return found

    @property
    def is_failing(self) -> bool:
        """Whether the last call was not answered."""
        return self._failures > 0

    def _groups(self, poller: Poller) -> list[list[str]]:
        """Return the kinds of a pool in groups that the server takes in one call."""
        kinds = sorted(self.kinds(poller))
        return [kinds[at : at + MAX_KINDS] for at in range(0, len(kinds), MAX_KINDS)]

    async def _check(self, answer: Answer) -> None:
        """Wait after a call without an answer, and end the worker after many of them."""
        if answer.status == 200:
            self._failures = 0
            return
        now = time.monotonic()
        if self._failures == 0:
            self._failing_since = now
        self._failures += 1
        if now - self._failing_since > self._app.session.give_up:
            self._end(Unavailable(f"no jobs can be leased: {answer.reason()}"))
        await asyncio.sleep(pause(self._failures, answer.retry_after))
