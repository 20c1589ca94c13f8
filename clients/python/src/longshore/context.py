"""The context of a running task: which job it runs, and how it reports."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Protocol

from .errors import LongshoreError, Stopped


class Reporter(Protocol):
    """What carries the reports of a running task to the server.

    All methods return at once and may be called from any thread; a reporter sends at most two
    reports a second, the latest progress and all lines of the log.
    """

    def report_progress(self, percent: float, message: str) -> None:
        """Takes the progress of the attempt."""
        ...

    def report_log(self, text: str) -> None:
        """Takes one or more lines for the log of the job."""
        ...

    def stop_reason(self) -> str | None:
        """Returns why the task is to stop, or None while it is to go on."""
        ...


_NO_METADATA: Mapping[str, Any] = MappingProxyType({})


def job_key(job_id: int, payload: bytes) -> str:
    """Returns the idempotency key of a job, as the server makes it for its own calls.

    The id alone is not enough, because every database counts from 1: a service that remembers keys
    would take a new job for a different one with the same id in an older database.
    """
    return f"longshore-{job_id}-{hashlib.sha256(payload).hexdigest()[:16]}"


def random_key(job_id: int = 0) -> str:
    """Returns an idempotency key for a run without a server, whose ids and payloads come again."""
    return f"longshore-{job_id}-{uuid.uuid4().hex}"


@dataclass(frozen=True)
class Context:
    """The job that a task runs.

    `longshore.current()` returns it; a parameter of a task that is annotated with `Context`
    receives it.
    """

    job_id: int
    kind: str
    queue: str
    attempt: int
    max_attempts: int
    reporter: Reporter = field(repr=False, compare=False)
    deadline: datetime | None = None
    # Python 3.11 refuses a mapping proxy as a default.
    metadata: Mapping[str, Any] = field(default_factory=lambda: _NO_METADATA)
    batch_id: int | None = None
    lease_token: int = 0
    """The fencing token of this attempt, which rises with each lease of the job. A service that
    keeps the highest token can refuse what a worker does that was suspended past its lease."""
    idempotency_key: str = field(default_factory=random_key)
    """A key that is the same in all attempts of the job, for calls of other services. In a plain
    call it is a new one."""

    def progress(self, percent: float, message: str = "") -> None:
        """Reports progress from 0 to 100. Raises `Stopped` if the job is to stop."""
        self.check()
        if isinstance(percent, str):
            raise TypeError(f"progress({percent!r}): the percentage must be a number")
        self.reporter.report_progress(float(percent), str(message))

    def log(self, text: str) -> None:
        """Adds a line to the log of the job. Raises `Stopped` if the job is to stop."""
        self.check()
        self.reporter.report_log(text)

    @property
    def stopping(self) -> bool:
        """Whether the job is to stop: it was cancelled, its time is over, or its lease is lost."""
        return self.reporter.stop_reason() is not None

    def check(self) -> None:
        """Raises `Stopped` if the job is to stop."""
        reason = self.reporter.stop_reason()
        if reason is not None:
            raise Stopped(reason)


_current: ContextVar[Context] = ContextVar("longshore_context")


def current() -> Context:
    """Returns the context of the task that runs here."""
    try:
        return _current.get()
    except LookupError:
        raise LongshoreError(
            "no task runs here: current() works only inside a task. A thread that a task starts has"
            " its context if it runs in contextvars.copy_context().run(...)"
        ) from None


def is_running() -> bool:
    """Returns whether a task runs here."""
    return _current.get(None) is not None


@contextmanager
def running(context: Context) -> Generator[Context, None, None]:
    """Makes `current()` return this context within the block. For what runs tasks."""
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)
