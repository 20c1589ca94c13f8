"""What the server says of a job: its state, its progress, and why it has no result."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple

from .errors import JobCancelled, JobError, JobFailed

State = Literal["scheduled", "queued", "running", "retrying", "completed", "failed", "cancelled"]
FINAL: tuple[State, ...] = ("completed", "failed", "cancelled")


class Progress(NamedTuple):
    """How far an attempt has come, as it reported."""

    percent: float
    message: str = ""


def job_error(job_id: int, data: Mapping[str, Any]) -> JobError:
    """Returns the error that describes why a job has no result."""
    error: Mapping[str, Any] = data.get("error") or {}
    code, message = error.get("code") or data["state"], error.get("message") or ""
    if data["state"] == "cancelled":
        return JobCancelled(job_id, code, message)
    attempts: list[Mapping[str, Any]] = data.get("attempts") or []
    none: Mapping[str, Any] = {}
    last = next((a for a in reversed(attempts) if a.get("state") == "failed"), none)
    return JobFailed(
        job_id,
        code,
        message,
        traceback=last.get("traceback"),
        data=last.get("data"),
        response=last.get("response"),
        attempts=attempts,
        failures=data.get("failures") or (),
    )


def parse_time(text: str | None) -> datetime | None:
    """Returns the time that the server wrote. Python 3.10 does not read the letter Z."""
    return None if text is None else datetime.fromisoformat(text.replace("Z", "+00:00"))
