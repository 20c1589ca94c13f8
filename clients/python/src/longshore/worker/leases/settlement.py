"""What is reported of a lease whose attempt has ended."""

from __future__ import annotations

import logging
import time

from longshore.codec import dumps
from longshore.task import Failure
from longshore.worker.attempt import Outcome, failed

from .lease import Lease, StopReason
from .report import Report, encode

_RELEASED: dict[StopReason | None, str] = {
    "cancelled": "was cancelled",
    "expired": "was stopped, because its lease was not renewed in time",
    "drain": "was released, because the worker ends",
}

log = logging.getLogger("longshore.worker")


def settle(lease: Lease, outcome: Outcome) -> Report | None:
    """Return the report of an outcome, or None if the lease is lost."""
    reason = lease.stop_reason()
    if reason == "lost":
        lease.is_reported = True
        log.warning("%s %s, but its lease is lost: not reported", lease, outcome.summary)
        return None
    if outcome.action == "stopped":
        if reason != "timeout":
            return release(lease)
        message = f"the attempt took longer than its timeout of {lease.job.timeout}"
        outcome = failed(Failure("timeout", message))
    what, separator, why = outcome.summary.partition(": ")
    elapsed = time.monotonic() - lease.taken_at
    summary = f"{what} in {elapsed:.2f} s{separator}{why}"
    return _report(lease, outcome.action, outcome.fields, summary)


def release(lease: Lease) -> Report:
    """Return a report that gives a job back.

    A job that has begun may have had an effect, which matters if it may run only once.
    """
    summary = _RELEASED.get(lease.stop_reason(), "was released")
    return _report(lease, "release", dumps({"begun": lease.has_begun}), summary)


def _report(lease: Lease, action: str, fields: bytes, summary: str) -> Report:
    lease.is_reported = True
    note = lease.notes.take()
    return Report(lease, encode(lease, action, fields, note.log if note else ""), summary)
