"""Leases jobs: one call for each pool, which the server holds until there is a job."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from longshore.codec import dumps
from longshore.errors import LongshoreError

from .clock import Clock
from .lease import Lease, LeasedJob
from .pools import Pool
from .server import Answer, Server, pause
from .settings import Settings

MAX_KINDS = 100
_WAIT = 30.0
_SHARED_WAIT = 1.0

log = logging.getLogger("longshore.worker")


class LeaseAnswer(msgspec.Struct):
    """The answer to a request for leases. Its jobs are decoded one by one."""

    jobs: list[msgspec.Raw]


class Room:
    """The free places of a pool. A call for leases takes those that it asks jobs for, so that a pool
    never gets more jobs than it has room for.
    """

    def __init__(self, size: int) -> None:
        self._free = size
        self._given = asyncio.Condition()

    async def take(self) -> int:
        """Wait until there are free places and take them all."""
        async with self._given:
            await self._given.wait_for(lambda: self._free > 0)
            return self.take_now()

    def take_now(self) -> int:
        """Take all free places, which may be none."""
        free, self._free = self._free, 0
        return free

    def give(self, places: int) -> None:
        """Return places."""
        self._free += places
        asyncio.ensure_future(self._notify())

    async def _notify(self) -> None:
        async with self._given:
            self._given.notify()


class Poller:
    """Leases jobs for one pool."""

    def __init__(
        self,
        pool: Pool,
        *,
        server: Server,
        settings: Settings,
        clock: Clock,
        confirm: Callable[[list[Lease]], Awaitable[list[Lease]]],
        begin: Callable[[Pool, Lease], None],
        end: Callable[[LongshoreError], None],
    ) -> None:
        self.pool = pool
        self.room = Room(pool.size)
        self._server = server
        self._settings = settings
        self._clock = clock
        self._confirm = confirm
        self._begin = begin
        self._end = end

    async def run(self, kinds: Sequence[str], is_alone: bool) -> None:
        """Lease jobs of some kinds, until cancelled. Calls for other kinds that share the room wait
        for a short time only, because a call takes room while it waits.
        """
        failures = 0
        while True:
            started_at = time.monotonic()
            answer, jobs = await self._poll(kinds, _WAIT if is_alone else _SHARED_WAIT)
            if answer.status == 200:
                failures = 0
                if not jobs and time.monotonic() - started_at < _SHARED_WAIT / 2:
                    await asyncio.sleep(0.05)
                continue
            failures += 1
            if failures == 1 or failures % 10 == 0:
                log.warning("no jobs can be leased: %s", answer.reason())
            await asyncio.sleep(pause(failures, answer.retry_after))

    async def poll_now(self, kinds: Sequence[str]) -> tuple[Answer, int]:
        """Lease jobs that are there, without waiting. Return the answer and how many came."""
        limit = self.room.take_now()
        if limit == 0:
            return Answer(200, b""), 0
        return await self._poll_with(limit, kinds, 0.0)

    async def _poll(self, kinds: Sequence[str], wait: float) -> tuple[Answer, int]:
        return await self._poll_with(await self.room.take(), kinds, wait)

    async def _poll_with(self, limit: int, kinds: Sequence[str], wait: float) -> tuple[Answer, int]:
        begun = 0
        try:
            stalls = self._clock.stalls
            answer = await self._server.post(
                "/v1/leases", self._body(limit, kinds, wait), wait + 10
            )
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
        if self._settings.queues:
            body["queues"] = list(self._settings.queues)
        return dumps(body)

    def _leases(self, answer: Answer) -> list[Lease]:
        leases: list[Lease] = []
        try:
            entries = msgspec.json.decode(answer.content, type=LeaseAnswer).jobs
        except msgspec.DecodeError as error:
            log.error("the answer with leases cannot be read: %s", error)
            return leases
        now = time.monotonic()
        for entry in entries:
            try:
                job = msgspec.json.decode(entry, type=LeasedJob)
            except msgspec.DecodeError as error:
                log.error("a leased job cannot be read, and runs again later: %s", error)
            else:
                leases.append(Lease(job, self.pool.mode, self._settings.lease, now))
        return leases


def chunks(kinds: Sequence[str]) -> list[tuple[str, ...]]:
    """Return kinds in groups that the server takes in one call."""
    names = sorted(kinds)
    return [tuple(names[at : at + MAX_KINDS]) for at in range(0, len(names), MAX_KINDS)]
