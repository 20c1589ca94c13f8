"""The core of a worker: leases jobs, passes them to pools, and reports what became of them.

It lives on an event loop of its own, which no task can block.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from longshore.errors import LongshoreError, Refused
from longshore.task import Mode

from .attempt import Outcome
from .duty import kept_alive
from .leases import Lease
from .leases.clock import Clock
from .leases.poller import Poller
from .leases.polling import Polling
from .leases.reports import Reports
from .leases.settlement import release, settle
from .leases.watch import Watch
from .pools import CoroutinePool, Pool, ProcessPool, ThreadPool
from .server import Server
from .settings import Settings, processes_of, queues_of

if TYPE_CHECKING:
    from longshore.client import Longshore

_TICK = 0.25
_STOP_TIMEOUT = 2.0
_KILL_TIMEOUT = 1.0
_FLUSH_TIMEOUT = 5.0

_OPTIONS: dict[Mode, str] = {
    "thread": "threads",
    "coroutine": "coroutines",
    "process": "processes",
}

log = logging.getLogger("longshore.worker")


class Engine:
    """Runs the tasks of an application until it is stopped. Made on the event loop it lives on."""

    def __init__(
        self, app: Longshore, settings: Settings, tasks_loop: asyncio.AbstractEventLoop
    ) -> None:
        self.error: LongshoreError | None = None
        self.count = 0
        self._app = app
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._leases: dict[tuple[int, int], Lease] = {}
        self._stopping = asyncio.Event()
        self._changed = asyncio.Event()
        self._clock = Clock(min(2.0, settings.lease / 4))
        server = Server(app.session)
        self._reports = Reports(server, settings, self._leases, self.end)
        self._watch = Watch(server, self._leases)
        pools: list[Pool] = [
            ThreadPool(settings.threads, self.finish),
            CoroutinePool(settings.coroutines, self.finish, tasks_loop),
            ProcessPool(processes_of(app, settings), self.finish, self._end_from_thread),
        ]
        self._pollers: dict[Mode, Poller] = {
            pool.mode: self._poller(pool, server) for pool in pools
        }
        self._polling = Polling(app, server, list(self._pollers.values()), self.end)
        self._background: list[asyncio.Task[None]] = []

    def _poller(self, pool: Pool, server: Server) -> Poller:
        return Poller(
            pool,
            server=server,
            settings=self._settings,
            queues=lambda: queues_of(self._app, self._settings),
            clock=self._clock,
            confirm=self._reports.renew,
            begin=self._begin,
            end=self.end,
        )

    def stop(self) -> None:
        """Lease nothing more, and end once the running jobs have ended.

        Called from any thread, also from a signal handler.
        """
        with suppress(RuntimeError):  # it has ended
            self._loop.call_soon_threadsafe(self._stopping.set)

    def end(self, error: LongshoreError) -> None:
        """End because of an error. A worker that the server refuses reports nothing more."""
        if self.error is None:
            self.error = error
        self._stopping.set()
        self._changed.set()

    def _end_from_thread(self, error: LongshoreError) -> None:
        with suppress(RuntimeError):  # it has ended
            self._loop.call_soon_threadsafe(self.end, error)

    @property
    def _is_refused(self) -> bool:
        return isinstance(self.error, Refused)

    def finish(self, lease: Lease, outcome: Outcome) -> None:
        """Take the outcome of an attempt. Called from any thread."""
        with suppress(RuntimeError):  # the worker has ended, and released the job
            self._loop.call_soon_threadsafe(self._finished, lease, outcome)

    async def run(self) -> None:
        """Run jobs until the worker is stopped, then wait for those that run."""
        self._start(self._polling.run)
        try:
            await self._stopping.wait()
        finally:
            await self._close()

    async def run_until_idle(self) -> None:
        """Run jobs until there are none to lease and all outcomes are stored.

        It is an error if there are tasks that have no place to run, because their jobs would stay.
        """
        if missing := self._missing_places():
            self.end(LongshoreError("; ".join(missing)))
            return
        self._start()
        try:
            while not self._stopping.is_set():
                self._changed.clear()
                is_busy = bool(self._leases) or self._reports.unanswered > 0
                found = await self._polling.poll_now()
                if found or self._polling.is_failing:
                    continue
                if not is_busy:
                    break
                await self._wait_for_change(0.1)
        finally:
            await self._close()

    def _start(self, *duties: Callable[[], Awaitable[None]]) -> None:
        for poller in self._pollers.values():
            if self._polling.kinds(poller):
                poller.pool.start()
        for missing in self._missing_places():
            log.warning("%s", missing)
        self._say_start()
        for duty in (self._reports.run, self._watch.run, self._tick, *duties):
            self._background.append(asyncio.create_task(kept_alive(duty)))

    def _missing_places(self) -> list[str]:
        """Return for each pool without places which tasks the worker does not run."""
        missing: list[str] = []
        for mode, poller in self._pollers.items():
            kinds = sorted(k for k, task in self._app.tasks.items() if task.mode == mode)
            if kinds and not poller.pool.size:
                missing.append(f"{_OPTIONS[mode]}=0: this worker does not run {', '.join(kinds)}")
        return missing

    def _say_start(self) -> None:
        places = {_OPTIONS[mode]: poller.pool.size for mode, poller in self._pollers.items()}
        log.info(
            "worker %s of %s runs %s; %s; queues: %s",
            self._settings.name,
            self._app.url,
            ", ".join(sorted(self._app.tasks)) or "no tasks yet",
            ", ".join(f"{option}: {size}" for option, size in places.items()),
            ", ".join(queues_of(self._app, self._settings)) or "all",
        )

    async def _tick(self) -> None:
        """Stop jobs whose lease or time is over."""
        while True:
            self._clock.tick()
            now = time.monotonic()
            for lease in list(self._leases.values()):
                reason = lease.overdue(now)
                if reason is not None:
                    lease.stop(reason)
            await asyncio.sleep(_TICK)

    async def _wait_for_change(self, timeout: float) -> None:
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._changed.wait(), timeout)

    def _begin(self, pool: Pool, lease: Lease) -> None:
        """Run a leased job, in a place that the call for leases has taken."""
        task = self._app.tasks.get(lease.job.kind)
        if task is None or self._stopping.is_set():
            self._pollers[pool.mode].room.give(1)
            self._reports.add(release(lease))
            return
        self._leases[lease.key] = lease
        self.count += 1
        lease.on_note = lambda: self._reports.note(lease)
        self._watch.begun()
        pool.submit(lease, task)

    def _finished(self, lease: Lease, outcome: Outcome) -> None:
        self._pollers[lease.mode].room.give(1)
        self._changed.set()
        if self._leases.get(lease.key) is not lease:
            return  # it was released before, because the worker ends
        del self._leases[lease.key]
        report = settle(lease, outcome)
        if report is not None:
            self._reports.add(report)

    async def _close(self) -> None:
        if not self._is_refused:
            await self._drain()
        for lease in list(self._leases.values()):
            lease.stop("lost")
        for poller in self._pollers.values():
            poller.pool.close()
        await self._polling.stop()
        for duty in self._background:
            duty.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self._app.session.aclose()

    async def _drain(self) -> None:
        """Wait for running jobs, then stop those that run, and release those that do not stop."""
        self._stopping.set()
        await self._polling.stop()
        if self._leases:
            jobs = "1 job" if len(self._leases) == 1 else f"{len(self._leases)} jobs"
            log.warning("waiting up to %g s for %s", self._settings.grace, jobs)
        if not await self._until_ended(self._settings.grace):
            for lease in list(self._leases.values()):
                lease.stop("drain")
            if not await self._until_ended(_STOP_TIMEOUT):
                self._pollers["process"].pool.close()
                await self._until_ended(_KILL_TIMEOUT)
        for lease in list(self._leases.values()):
            del self._leases[lease.key]
            self._reports.add(release(lease))
        await self._flush()

    async def _until_ended(self, timeout: float) -> bool:
        end_at = time.monotonic() + timeout
        while self._leases and not self._is_refused and time.monotonic() < end_at:
            self._changed.clear()
            await self._wait_for_change(end_at - time.monotonic())
        return not self._leases

    async def _flush(self) -> None:
        """Wait until the server has all outcomes."""
        end_at = time.monotonic() + _FLUSH_TIMEOUT
        while self._reports.unanswered and not self._is_refused:
            if time.monotonic() > end_at:
                count = self._reports.unanswered
                log.error("%d outcomes were not stored; their jobs run again", count)
                return
            await asyncio.sleep(0.01)
