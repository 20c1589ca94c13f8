"""What an exception of a task means for its job."""

from __future__ import annotations

import re
import traceback as tracebacks
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from longshore.context import Context
from longshore.duration import seconds
from longshore.errors import BadPayload, Fatal, Retry

MAX_MESSAGE = 4000
MAX_TRACEBACK = 15_000
_PACKAGE = str(Path(__file__).resolve().parent.parent)


@dataclass(frozen=True)
class Failure:
    """A failed attempt, as a worker reports it.

    `retry_in` is a pause in seconds, or None for the backoff of the job; `counts` says whether
    the attempt uses up one of the retries.
    """

    code: str
    message: str
    traceback: str | None = None
    retryable: bool = True
    retry_in: float | None = None
    counts: bool = True


def classify(
    error: BaseException,
    retry_on: tuple[type[BaseException], ...],
    context: Context | None = None,
) -> Failure:
    """Returns what an exception of a task means for its job, and for the attempt of the context."""
    if isinstance(error, Fatal):
        return Failure(error.code, text_of(error) or error.code, _traceback(error), retryable=False)
    if isinstance(error, Retry):
        retry_in = None if error.after is None else seconds(error.after)
        text = text_of(error)
        if error.counts and context is not None and context.attempt >= context.max_attempts:
            retries = context.max_attempts - 1
            why = f"the task asked for a retry, but has none left (retries={retries})"
            text = f"{why}: {error.message}" if error.message else why
        return Failure("retry", text, None, True, retry_in, error.counts)
    if isinstance(error, BadPayload):
        return Failure("bad_payload", text_of(error), None, retryable=False)
    name, text = type(error).__name__, text_of(error)
    return Failure(
        code=_code(error),
        message=_shortened(f"{name}: {text}" if text else name, MAX_MESSAGE),
        traceback=_traceback(error),
        retryable=isinstance(error, retry_on),
    )


def _code(error: BaseException) -> str:
    """Returns the code of an exception.

    That is `error.code` if it is a text that may be one, else the name of the class: KeyError
    becomes key_error.
    """
    code = getattr(error, "code", None)
    if (
        isinstance(code, str)
        and 0 < len(code.encode(errors="replace")) <= 64
        and code.isprintable()
    ):
        return code
    name = type(error).__name__
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()[:64]


def text_of(error: BaseException) -> str:
    """Returns the text of an exception, also of one whose text cannot be read."""
    try:
        return _shortened(str(error), MAX_MESSAGE)
    except Exception as second:
        return f"(its text cannot be read: {type(second).__name__})"


def _traceback(error: BaseException) -> str:
    """Returns the traceback from the frame of the task on, without those of this package."""
    first = error.__traceback__
    while first is not None and _is_ours(first):
        first = first.tb_next
    lines = tracebacks.format_exception(type(error), error, first or error.__traceback__)
    return _shortened("".join(lines), MAX_TRACEBACK, end=0.8)


def _is_ours(entry: TracebackType) -> bool:
    return entry.tb_frame.f_code.co_filename.startswith(_PACKAGE)


def _shortened(text: str, limit: int, end: float = 0.5) -> str:
    """Returns a text of at most about `limit` bytes.

    Of a longer one it has the start and the end, with the given share for the end, which says
    more in a traceback.
    """
    encoded = text.encode("utf-8", "backslashreplace")
    if len(encoded) <= limit:
        return encoded.decode()
    tail = int(limit * end)
    omitted = f"\n[{len(encoded) - limit} bytes omitted]\n"
    start = encoded[: limit - tail].decode(errors="ignore")
    return start + omitted + encoded[-tail:].decode(errors="ignore")
