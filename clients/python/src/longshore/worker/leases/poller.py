"""Leases jobs: one call for each pool, which the server holds until there is a job."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from longshore.codec import dumps
from longshore.errors import LongshoreError
from longshore.worker.pools.pool import Pool
from longshore.worker.server import Answer, Line, Server, pause
from longshore.worker.settings import Settings

from .clock import Clock
from .lease import Lease, LeasedJob

MAX_KINDS = 100
_WAIT = 30.0
_SHARED_WAIT = 1.0

log = logging.getLogger("longshore.worker")


class LeaseAnswer(msgspec.Struct):
    """The answer to a request for leases. Its jobs are decoded one by one."""

    jobs: list[msgspec.Raw]


class Room:
    """The free places of a pool.

    A call for leases takes the places that it asks jobs for, so that a pool never gets more jobs
    than it has room for. Places that become free go to the call that has waited longest: a call
    that asks again at once cannot take them before it.
    """

    def __init__(self, size: int) -> None:
        self._free = size
        self._waiting: deque[asyncio.Future[int]] = deque()

    async def take(self) -> int:
        """Wait until there are free places and take them all."""
        if self._free > 0:
            return self.take_now()
        waiting: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        try:
            return await waiting
        except asyncio.CancelledError:
            if waiting.done() and not waiting.cancelled():
                self.give(waiting.result())
            raise

    def take_now(self) -> int:
        """Take all free places, which may be none."""
        free, self._free = self._free, 0
        return free

    def give(self, places: int) -> None:
        """Return places."""
        self._free += places
        while self._free > 0 and self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(self.take_now())


class Poller:
    """Leases jobs for one pool."""

    def __init__(
        self,
        pool: Pool,
        *,
        server: Server,
        settings: Settings,
        queues: Callable[[], Sequence[str]],
        clock: Clock,
        confirm: Callable[[list[Lease]], Awaitable[list[Lease]]],
        begin: Callable[[Pool, Lease], None],
        end: Callable[[LongshoreError], None],
    ) -> None:
        self.pool = pool
        self.room = Room(pool.size)
        self._server = server
        self._settings = settings
        self._queues = queues
        self._clock = clock
        self._confirm = confirm
        self._begin = begin
        self._end = end

    async def run(self, kinds: Sequence[str], line: Line, is_alone: bool) -> None:
        """Lease jobs of some kinds, until the line has ended or this is cancelled.

        Calls that share the room with calls for other kinds wait for a short time only, because a
        call keeps its places while it waits.
        """
        failures = 0
        wait = _WAIT if is_alone else _SHARED_WAIT
        while not line.is_ended:
            started_at = time.monotonic()
            answer, jobs = await self._poll(line, await self.room.take(), kinds, wait)
            if answer.status == 200:
                failures = 0
                if not jobs and time.monotonic() - started_at < _SHARED_WAIT / 2:
                    await asyncio.sleep(0.05)
                continue
            if line.is_ended:
                return
            failures += 1
            if failures == 1 or failures % 10 == 0:
                log.warning("no jobs can be leased: %s", answer.reason())
            await asyncio.sleep(pause(failures, answer.retry_after))

    async def poll_now(self, kinds: Sequence[str]) -> tuple[Answer, int]:
        """Lease jobs that are there, without waiting. Return the answer and how many came."""
        limit = self.room.take_now()
        if limit == 0:
            return Answer(200, b""), 0
        return await self._poll(self._server, limit, kinds, 0.0)

    async def _poll(
        self, server: Server | Line, limit: int, kinds: Sequence[str], wait: float
    ) -> tuple[Answer, int]:
        begun = 0
        try:
            stalls = self._clock.stalls
            answer = await server.post("/v1/leases", self._body(limit, kinds, wait), wait + 10)
            if answer.status == 200:
                leases = self._leases(answer)
                if self._clock.tick() != stalls and leases:
                    leases = await self._confirm(leases)
                for lease in leases:
                    begun += 1
                    self._begin(self.pool, lease)
            elif answer.is_forbidden or answer.status in (400, 422):
                self._end(answer.refusal())
            return answer, begun
        finally:
            self.room.give(limit - begun)

    def _body(self, limit: int, kinds: Sequence[str], wait: float) -> bytes:
        body = {
            "kinds": list(kinds),
            "limit": min(limit, 1000),
            "lease": self._settings.lease,
            "wait": wait,
            "worker": self._settings.name,
        }
        queues = self._queues()
        if queues:
            body["queues"] = list(queues)
        return dumps(body)

    def _leases(self, answer: Answer) -> list[Lease]:
        try:
            entries = msgspec.json.decode(answer.content, type=LeaseAnswer).jobs
        except msgspec.DecodeError as error:
            log.error("the answer with leases cannot be read: %s", error)
            return []
        now = time.monotonic()
        jobs = [job for job in map(_leased_job, entries) if job is not None]
        return [Lease(job, self.pool.mode, self._settings.lease, now) for job in jobs]


def _leased_job(entry: msgspec.Raw) -> LeasedJob | None:
    """Return a job of an answer. One that cannot be read harms no other job of the answer."""
    try:
        return msgspec.json.decode(entry, type=LeasedJob)
    except msgspec.DecodeError as error:
        log.error("a leased job cannot be read, and runs again later: %s", error)
        return None
