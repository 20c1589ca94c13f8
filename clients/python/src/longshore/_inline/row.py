"""A job of `Longshore.inline()`, in the form in which the server describes jobs."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from longshore.task.failure import Failure

DEFAULT_ATTEMPTS = 5


def now() -> str:
    """Returns the current time as the server writes it."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def job_row(job_id: int, submission: dict[str, Any], batch: int | None) -> dict[str, Any]:
    """Returns a new job."""
    kept = ("metadata", "truncate_result")
    then = submission.get("then")
    row: dict[str, Any] = {
        "id": job_id,
        "kind": submission["kind"],
        "queue": submission.get("queue", "default"),
        "lane": submission.get("lane", "async"),
        "state": "queued",
        "priority": submission.get("priority", 0),
        "attempt": 0,
        "max_attempts": submission.get("max_attempts", DEFAULT_ATTEMPTS),
        "created_at": now(),
        "run_at": submission.get("run_at") or now(),
        "started_at": None,
        "finished_at": None,
        "cancel_requested": False,
        "payload": submission.get("payload"),
        "result": None,
        "error": None,
        "failures": [],
        "attempts": [],
        "progress": None,
        "tags": submission.get("tags", []),
        "batch": batch,
        **{name: submission[name] for name in kept if name in submission},
    }
    if then is not None:
        row["then"] = {"kind": then["kind"], "queue": then.get("queue", "default")}
    return row


def begin(row: dict[str, Any]) -> None:
    """Starts an attempt."""
    row.update(state="running", attempt=row["attempt"] + 1, started_at=now(), error=None)


def complete(row: dict[str, Any], result: Any) -> None:
    """Ends the job with a result."""
    progress = dict(row["progress"] or {}, percent=100.0)
    row.update(state="completed", result=result, finished_at=now(), progress=progress)


def fail(row: dict[str, Any], failure: Failure, is_last: bool) -> None:
    """Ends an attempt with an error, and the job if it was the last attempt."""
    error = {"code": failure.code, "message": failure.message}
    entry = {"attempt": row["attempt"], **error}
    attempt = {**entry, "state": "failed", "started_at": row["started_at"], "ended_at": now()}
    row["failures"].append({**entry, "at": now()})
    row["attempts"].append(
        {**attempt, "traceback": failure.traceback} if failure.traceback else attempt
    )
    row["error"] = error
    if is_last:
        row.update(state="failed", finished_at=now())


def cancel(row: dict[str, Any], message: str) -> None:
    """Cancels the job."""
    error = {"code": "cancelled", "message": message}
    row.update(state="cancelled", error=error, finished_at=now())
