"""A leased job while this worker has it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from longshore.duration import seconds
from longshore.task import Mode

from .notes import Notes

StopReason = Literal["cancelled", "lost", "expired", "timeout", "drain"]
"""Why a job is to stop: it was cancelled; the server says that its lease is no longer held; its
lease was not renewed in time; the attempt has reached its deadline; the worker ends."""


log = logging.getLogger("longshore.worker")


class LeasedJob(msgspec.Struct):
    """A job as the server leases it.

    The payload is decoded where the job runs, so that an odd one harms only its own job.
    """

    id: int
    kind: str
    queue: str
    attempt: int
    max_attempts: int
    lease_token: int
    timeout: str = "5m"
    deadline_at: str | None = None
    batch: int | None = None
    metadata: dict[str, Any] | None = None
    payload: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"null"))


class Lease:
    """The right to run one attempt of a job, and the state of the attempt in this worker.

    It is the `Reporter` of the context of its task: tasks report from any thread. All else is
    called on the event loop of the worker. Times are of the monotonic clock.
    """

    def __init__(self, job: LeasedJob, mode: Mode, length: float, granted_at: float) -> None:
        self.job = job
        self.mode: Mode = mode
        self.length = length
        self.taken_at = granted_at
        # The server ends the attempt within about a second after its deadline. A report that is
        # sent at the deadline arrives before.
        self.deadline_at = granted_at + _timeout(job)
        self.expires_at = min(granted_at + length, self.deadline_at)
        self.notes = Notes()
        self.has_begun = False
        self.is_reported = False
        self.on_note: Callable[[], None] = _nothing
        self.on_stop: Callable[[], None] = _nothing
        self._reason: StopReason | None = None

    @property
    def key(self) -> tuple[int, int]:
        """What identifies the lease in reports and answers."""
        return self.job.id, self.job.lease_token

    def __str__(self) -> str:
        return f"job {self.job.id} {self.job.kind}"

    def report_progress(self, percent: float, message: str) -> None:
        """Take the progress of the attempt."""
        if self._reason != "lost":
            self.notes.set_progress(percent, message)
            self.on_note()

    def report_log(self, text: str) -> None:
        """Take one or more lines for the log of the job."""
        if self._reason != "lost":
            self.notes.add_log(text)
            self.on_note()

    def stop_reason(self) -> StopReason | None:
        """Return why the attempt is to stop, or None while it is to go on.

        The clock is read here too, because the event loop of a worker that was suspended may learn
        of the expiry later than the task, which must not go on.
        """
        return self._reason or self.overdue(time.monotonic())

    def overdue(self, now: float) -> StopReason | None:
        """Return whether the attempt has reached its deadline or the lease its expiry."""
        if now >= self.deadline_at:
            return "timeout"
        return "expired" if now >= self.expires_at else None

    def stop(self, reason: StopReason) -> None:
        """Ask the attempt to stop. The first reason counts, but a lease that is lost is lost."""
        if self.is_reported or self._reason == "lost":
            return
        is_first = self._reason is None
        if is_first or reason == "lost":
            self._reason = reason
        if is_first:
            try:
                self.on_stop()
            except Exception:  # the answers to other leases have to be read
                log.exception("%s cannot be stopped", self)

    def renewed(self, sent_at: float) -> None:
        """Note that a renewal which was sent at this time was accepted."""
        self.expires_at = min(max(self.expires_at, sent_at + self.length), self.deadline_at)


def _timeout(job: LeasedJob) -> float:
    try:
        return max(0.1, seconds(job.timeout))
    except ValueError:  # of a newer server: it enforces the deadline in any case
        return 10 * 365 * 86400.0


def _nothing() -> None:
    """The default of a callback."""
