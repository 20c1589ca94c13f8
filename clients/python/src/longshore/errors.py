"""All exceptions of the client.

`LongshoreError` is the base of what the client raises. `Fatal`, `Retry` and `Stopped` are for
tasks: a task raises the first two, and `Context.progress()` raises the third one in a task.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .duration import Duration, seconds


class LongshoreError(Exception):
    """Base class of all errors of the client."""


class Unavailable(LongshoreError):
    """The server gave no usable answer for `give_up` seconds, although the request was repeated.

    A submission may have been stored all the same. Submit it again with the same `key`.
    """


@dataclass(frozen=True)
class ErrorItem:
    """One invalid value of a request: where it is, as a JSON pointer, and what is wrong."""

    pointer: str
    detail: str


class Refused(LongshoreError):
    """The server refused the request; repeating it unchanged does not help."""

    def __init__(
        self,
        status: int,
        kind: str,
        title: str,
        detail: str,
        errors: Sequence[ErrorItem] = (),
    ) -> None:
        super().__init__(status, kind, title, detail, tuple(errors))
        self.status = status
        self.type = kind
        self.title = title
        self.detail = detail
        self.errors = list(errors)

    def __str__(self) -> str:
        lines = [f"{self.status} {self.detail or self.title}"]
        # The detail of a refusal with one error often says all of it.
        for item in self.errors:
            if item.detail not in lines[0] or item.pointer.strip("/") not in lines[0]:
                lines.append(f"  {item.pointer or 'body'}: {item.detail}")
        return "\n".join(lines)


class NotFound(Refused):
    """There is no such job, batch or route (404)."""


class NotAllowed(Refused):
    """The API key is missing or unknown, or it may not do this (401, 403)."""


class Conflict(Refused):
    """The state of the job or batch does not allow the action (409)."""


class JobError(LongshoreError):
    """A job has no result. The subclasses say why."""

    job_id: int


class JobFailed(JobError):
    """The job failed.

    `code` and `message` are those of the last attempt. `traceback`, `data` and `response` say more
    about it where there is something to say; `failures` lists the failed attempts.
    """

    # pickle passes the arguments by position.
    def __init__(
        self,
        job_id: int,
        code: str,
        message: str,
        traceback: str | None = None,
        data: Any = None,
        response: Mapping[str, Any] | None = None,
        attempts: Sequence[Mapping[str, Any]] = (),
        failures: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        super().__init__(
            job_id, code, message, traceback, data, response, tuple(attempts), tuple(failures)
        )
        self.job_id = job_id
        self.code = code
        self.message = message
        self.traceback = traceback
        self.data = data
        self.response = response
        self.attempts = list(attempts)
        self.failures = list(failures)

    def __str__(self) -> str:
        text = f"job {self.job_id} failed with {self.code}: {self.message}"
        return f"{text}\n\n{self.traceback.rstrip()}" if self.traceback else text


class JobCancelled(JobError):
    """The job was cancelled, or it expired before it started."""

    def __init__(self, job_id: int, code: str, message: str) -> None:
        super().__init__(job_id, code, message)
        self.job_id = job_id
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"job {self.job_id} was cancelled: {self.message or self.code}"


class JobDeleted(JobError):
    """The job was deleted, and its result with it: by a client, or when its retention was over."""

    def __init__(self, job_id: int) -> None:
        super().__init__(job_id)
        self.job_id = job_id

    def __str__(self) -> str:
        return f"job {self.job_id} was deleted, and its result with it"


class WaitTimeout(LongshoreError, TimeoutError):
    """The job or batch was not final within the given timeout. It goes on."""


class BadPayload(LongshoreError):
    """The payload of a job does not fit the parameters of its task."""


class BadResult(LongshoreError):
    """The result of a job does not fit the return annotation of its task."""


class Fatal(Exception):
    """Raised by a task whose job must not be tried again.

    `code` is a short text by which programs know the error. The server keeps 64 bytes of it.
    """

    def __init__(self, message: object = "", code: str = "fatal") -> None:
        if not isinstance(code, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"Fatal(code={code!r}): the code must be a text, such as 'no_user'")
        super().__init__(message, code)
        self.message = str(message)
        self.code = code or "fatal"

    def __str__(self) -> str:
        return self.message


class Retry(Exception):
    """Raised by a task whose job is to run again later.

    `after` is the pause, in seconds or as another duration; without it, the backoff of the task
    applies. With `counts=False` the attempt does not use up one of the retries.
    """

    def __init__(
        self,
        after: Duration | None = None,
        counts: bool = True,
        message: object = "",
    ) -> None:
        if after is not None:
            _check_pause(after)
        if not isinstance(counts, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"Retry(counts={counts!r}): must be True or False")
        super().__init__(after, counts, message)
        self.after = after
        self.counts = counts
        self.message = str(message)

    def __str__(self) -> str:
        return self.message or "the task asked for a retry"


def _check_pause(after: Duration) -> None:
    try:
        seconds(after)
    except (TypeError, ValueError) as error:
        raise type(error)(f"Retry(after={after!r}): {error}") from None


class Stopped(BaseException):
    """Raised inside a task by `progress()`, `log()` or `check()` when its job is to stop.

    It is not an `Exception`, so `except Exception` in a task does not swallow it.
    """
