"""The core of a worker: leases jobs, passes them to pools, and reports what became of them.

It lives on an event loop of its own, which no task can block.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from longshore.codec import dumps
from longshore.errors import LongshoreError, Unavailable
from longshore.task import Failure, Mode

from .attempt import Outcome, failed
from .clock import Clock
from .lease import Lease
from .polls import Poller, chunks
from .pools import CoroutinePool, Pool, ProcessPool, ThreadPool
from .reports import Report, Reports, encode
from .server import Server, pause
from .settings import Settings
from .watch import Watch

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
            ProcessPool(settings.processes, self.finish),
        ]
        self._pollers = [
            Poller(
                pool,
                server=server,
                settings=settings,
                clock=self._clock,
                confirm=self._reports.renew,
                begin=self._begin,
                end=self.end,
            )
            for pool in pools
        ]
        self._background: list[asyncio.Task[None]] = []
        self._polls: list[asyncio.Task[None]] = []
        self._polled: list[tuple[Poller, tuple[str, ...], bool]] = []

    def stop(self) -> None:
        """Lease nothing more, and end once the running jobs have ended. Called from any thread, also
        from a signal handler.
        """
        try:
            self._loop.call_soon_threadsafe(self._stopping.set)
        except RuntimeError:  # it has ended
            pass

    def end(self, error: LongshoreError) -> None:
        """End because the server refuses this worker."""
        if self.error is None:
            self.error = error
        self._stopping.set()
        self._changed.set()

    def finish(self, lease: Lease, outcome: Outcome) -> None:
        """Take the outcome of an attempt. Called from any thread."""
        try:
            self._loop.call_soon_threadsafe(self._finished, lease, outcome)
        except RuntimeError:  # the worker has ended, and released the job
            pass

    async def run(self) -> None:
        """Run jobs until the worker is stopped, then wait for those that run."""
        self._start(self._keep_polling)
        try:
            await self._stopping.wait()
        finally:
            await self._close()

    async def run_until_idle(self) -> None:
        """Run jobs until there are none to lease and all outcomes are stored."""
        self._start()
        try:
            await self._poll_until_idle()
        finally:
            await self._close()

    def _start(self, *duties: Callable[[], Awaitable[None]]) -> None:
        for poller in self._pollers:
            if self._kinds(poller):
                poller.pool.start()
        self._warn_of_missing_places()
        for duty in (self._reports.run, self._watch.run, self._tick, *duties):
            self._background.append(asyncio.create_task(_kept_alive(duty)))

    def _warn_of_missing_places(self) -> None:
        sizes = {poller.pool.mode: poller.pool.size for poller in self._pollers}
        for mode, option in _OPTIONS.items():
            kinds = sorted(k for k, task in self._app.tasks.items() if task.mode == mode)
            if kinds and not sizes[mode]:
                log.warning("%s=0: this worker does not run %s", option, ", ".join(kinds))

    def _kinds(self, poller: Poller) -> list[str]:
        """Return the kinds of the tasks that a pool runs; none if it has no places."""
        if poller.pool.size == 0:
            return []
        return [kind for kind, task in self._app.tasks.items() if task.mode == poller.pool.mode]

    async def _tick(self) -> None:
        while True:
            self._clock.tick()
            now = time.monotonic()
            for lease in list(self._leases.values()):
                reason = lease.overdue(now)
                if reason is not None:
                    lease.stop(reason)
            await asyncio.sleep(_TICK)

    async def _keep_polling(self) -> None:
        """Keep a call for leases open for each pool, and start anew when tasks were added."""
        while not self._stopping.is_set():
            wanted: list[tuple[Poller, tuple[str, ...], bool]] = []
            for poller in self._pollers:
                groups = chunks(self._kinds(poller))
                wanted += [(poller, group, len(groups) == 1) for group in groups]
            if wanted != self._polled:
                await self._stop_polling()
                self._polled = wanted
                for poller, group, is_alone in wanted:
                    run = _kept_alive(partial(poller.run, group, is_alone))
                    self._polls.append(asyncio.create_task(run))
            await asyncio.sleep(_TICK)

    async def _stop_polling(self) -> None:
        polls, self._polls = self._polls, []
        for poll in polls:
            poll.cancel()
        await asyncio.gather(*polls, return_exceptions=True)

    async def _poll_until_idle(self) -> None:
        failures, failing_since = 0, time.monotonic()
        while not self._stopping.is_set():
            self._changed.clear()
            is_busy = bool(self._leases) or self._reports.unanswered > 0
            found = 0
            for poller in self._pollers:
                for group in chunks(self._kinds(poller)):
                    answer, begun = await poller.poll_now(group)
                    found += begun
                    if answer.status == 200:
                        failures, failing_since = 0, time.monotonic()
                        continue
                    failures += 1
                    if time.monotonic() - failing_since > self._app.session.give_up:
                        self.end(Unavailable(f"no jobs can be leased: {answer.reason()}"))
                    await asyncio.sleep(pause(failures, answer.retry_after))
            if not found and not is_busy and not failures:
                return
            if not found and is_busy:
                await self._wait_for_change(0.1)

    async def _wait_for_change(self, timeout: float) -> None:
        try:
            await asyncio.wait_for(self._changed.wait(), timeout)
        except asyncio.TimeoutError:
            pass

    def _begin(self, pool: Pool, lease: Lease) -> None:
        task = self._app.tasks.get(lease.job.kind)
        self._leases[lease.key] = lease
        self.count += 1
        if task is None or self._stopping.is_set():
            self._release(lease)
            return
        lease.on_note = lambda: self._reports.note(lease)
        self._watch.begun()
        pool.submit(lease, task)

    def _finished(self, lease: Lease, outcome: Outcome) -> None:
        for poller in self._pollers:
            if poller.pool.mode == lease.mode:
                poller.room.give(1)
        self._changed.set()
        if self._leases.get(lease.key) is not lease:
            return  # it was released before, because the worker ends
        elapsed = time.monotonic() - lease.taken_at
        reason = lease.stop_reason()
        if reason == "lost":
            del self._leases[lease.key]
            log.warning("%s %s, but its lease is lost: not reported", lease, outcome.summary)
        elif outcome.action != "stopped":
            self._report(lease, outcome, f"{_in_time(outcome.summary, elapsed)}")
        elif reason == "timeout":
            message = f"the attempt took longer than its timeout of {lease.job.timeout}"
            timed_out = failed(Failure("timeout", message))
            self._report(lease, timed_out, _in_time(timed_out.summary, elapsed))
        else:
            self._release(lease)

    def _report(self, lease: Lease, outcome: Outcome, summary: str) -> None:
        del self._leases[lease.key]
        lease.is_reported = True
        note = lease.notes.take()
        content = encode(lease, outcome.action, outcome.fields, note.log if note else "")
        self._reports.add(Report(lease, content, summary))

    def _release(self, lease: Lease) -> None:
        """Give a job back. A job that has begun may have had an effect, which matters if it may run
        only once.
        """
        del self._leases[lease.key]
        lease.is_reported = True
        note = lease.notes.take()
        fields = dumps({"begun": lease.has_begun})
        content = encode(lease, "release", fields, note.log if note else "")
        why = {
            "cancelled": "was cancelled",
            "expired": "was stopped, because its lease was not renewed in time",
            "drain": "was released, because the worker ends",
        }
        summary = why.get(lease.stop_reason() or "drain", "was released")
        self._reports.add(Report(lease, content, summary))

    async def _close(self) -> None:
        if self.error is None:
            await self._drain()
        for lease in list(self._leases.values()):
            lease.stop("lost")
        for poller in self._pollers:
            poller.pool.close()
        await self._stop_polling()
        for duty in self._background:
            duty.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self._app.session.aclose()

    async def _drain(self) -> None:
        """Wait for running jobs, stop those that take longer than the grace period, and release
        those that do not stop.
        """
        self._stopping.set()
        await self._stop_polling()
        if self._leases:
            log.info("waiting up to %g s for %d jobs", self._settings.grace, len(self._leases))
        if not await self._until_ended(self._settings.grace):
            for lease in list(self._leases.values()):
                lease.stop("drain")
            if not await self._until_ended(_STOP_TIMEOUT):
                self._kill_processes()
                await self._until_ended(_KILL_TIMEOUT)
        for lease in list(self._leases.values()):
            self._release(lease)
        await self._flush()

    def _kill_processes(self) -> None:
        for poller in self._pollers:
            if poller.pool.mode == "process":
                poller.pool.close()

    async def _until_ended(self, timeout: float) -> bool:
        end_at = time.monotonic() + timeout
        while self._leases and self.error is None and time.monotonic() < end_at:
            self._changed.clear()
            await self._wait_for_change(end_at - time.monotonic())
        return not self._leases

    async def _flush(self) -> None:
        end_at = time.monotonic() + _FLUSH_TIMEOUT
        while self._reports.unanswered and self.error is None:
            if time.monotonic() > end_at:
                count = self._reports.unanswered
                log.error("%d outcomes were not stored; their jobs run again", count)
                return
            await asyncio.sleep(0.01)


async def _kept_alive(duty: Callable[[], Awaitable[None]]) -> None:
    """Run a duty, and start it again if it fails: without it, all leases would expire."""
    while True:
        try:
            await duty()
            return
        except Exception:
            log.exception("a duty of the worker failed and is started again")
            await asyncio.sleep(1)


def _in_time(summary: str, elapsed: float) -> str:
    what, separator, why = summary.partition(": ")
    return f"{what} in {elapsed:.2f} s{separator}{why}"
