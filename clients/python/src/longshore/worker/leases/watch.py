"""Learns of cancellations at once, by a call that the server answers when a lease is affected."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping

import msgspec

from longshore.codec import dumps
from longshore.worker.server import Answer, Server, pause

from .lease import Lease

_MIN_AGE = 0.3
_MIN_INTERVAL = 0.4
_WAIT = 30.0
_MOST = 1000
_UNSUPPORTED_PAUSE = 60.0

log = logging.getLogger("longshore.worker")


class WatchedLease(msgspec.Struct):
    """A lease whose job is to stop."""

    id: int
    lease_token: int
    cancel: bool = False
    stale: bool = False


class WatchAnswer(msgspec.Struct):
    """The answer to a watch."""

    leases: list[WatchedLease] = msgspec.field(default_factory=list[WatchedLease])


class Watch:
    """Watches the leases of jobs that have run for a moment.

    If the server does not have this route, a worker learns of a cancellation by its next renewal.
    """

    def __init__(self, server: Server, leases: Mapping[tuple[int, int], Lease]) -> None:
        self._server = server
        self._leases = leases
        self._begun = asyncio.Event()
        self._failures = 0

    def begun(self) -> None:
        """Take notice of a new lease."""
        self._begun.set()

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            keys = self._watched()
            if not keys:
                self._begun.clear()
                await (asyncio.sleep(0.1) if self._leases else self._begun.wait())
                continue
            started_at = time.monotonic()
            answer = await self._call(keys)
            if answer is not None:
                await asyncio.sleep(self._answered(answer))
            await asyncio.sleep(max(0.0, started_at + _MIN_INTERVAL - time.monotonic()))

    def _watched(self) -> set[tuple[int, int]]:
        old = time.monotonic() - _MIN_AGE
        keys: set[tuple[int, int]] = set()
        for key, lease in self._leases.items():
            if lease.taken_at <= old and not lease.is_reported and lease.stop_reason() is None:
                keys.add(key)
            if len(keys) == _MOST:
                break
        return keys

    async def _call(self, keys: set[tuple[int, int]]) -> Answer | None:
        """Return the answer, or None if there are more leases to watch than those of the call.

        Leases that end need no new call, because the server answers when one is no longer held.
        """
        leases = [{"id": job, "lease_token": token} for job, token in sorted(keys)]
        content = dumps({"leases": leases, "wait": _WAIT})
        call = asyncio.ensure_future(self._server.post("/v1/leases/watch", content, _WAIT + 10))
        try:
            while not call.done():
                await asyncio.wait({call}, timeout=_MIN_INTERVAL)
                if not call.done() and not self._watched() <= keys:
                    return None
            return call.result()
        finally:
            call.cancel()

    def _answered(self, answer: Answer) -> float:
        """Stop the jobs that the answer names. Return the pause until the next call."""
        if answer.status == 200:
            self._failures = 0
            for entry in _entries(answer):
                lease = self._leases.get((entry.id, entry.lease_token))
                if lease is not None:
                    lease.stop("cancelled" if entry.cancel else "lost")
            return 0.0
        self._failures += 1
        if answer.is_temporary or answer.is_forbidden:  # other calls end a worker without a key
            return pause(self._failures, answer.retry_after)
        log.info("cancellations arrive with renewals only: %s", answer.reason())
        return _UNSUPPORTED_PAUSE


def _entries(answer: Answer) -> list[WatchedLease]:
    try:
        return msgspec.json.decode(answer.content, type=WatchAnswer).leases
    except msgspec.DecodeError:
        return []
