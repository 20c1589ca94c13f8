"""The jobs and batches of `Longshore.inline()`, and how they run."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from longshore._http import Response
from longshore.codec import dumps, loads
from longshore.context import Context, random_key
from longshore.errors import LongshoreError, Stopped
from longshore.job import Job
from longshore.outcome import FINAL
from longshore.task import Failure, Task

from . import row as rows
from .references import fill
from .runner import InlineReporter
from .sent import Sent, SentCall

if TYPE_CHECKING:
    from longshore.client import Longshore

T = TypeVar("T")

Row = dict[str, Any]

# How often a job may run inline without counting its attempt.
MAX_UNCOUNTED = 1000


@dataclass(frozen=True)
class Attempt:
    """An attempt to run.

    The driver calls the task and returns its result, or throws what it raises.
    """

    task: Task[..., Any]
    payload: Any
    context: Context


Steps = Generator[Attempt, Any, T]
"""Yields attempts, receives their results, and returns a value."""


class Store:
    """The jobs and batches of one `Longshore.inline()`."""

    def __init__(
        self,
        app: Longshore,
        sent: Sent,
        retries: bool,
        answers: Mapping[str, Callable[[Any], Any]],
    ) -> None:
        self.jobs: dict[int, Row] = {}
        self.batches: dict[int, Row] = {}
        self.logs: dict[int, list[str]] = {}
        #: The answers to requests with an idempotency key, with the path and body of the request.
        self.keys: dict[str, tuple[tuple[str, Any], Response]] = {}
        self._app = app
        self._sent = sent
        self._retries = retries
        self._answers: dict[str, Callable[[Any], Any]] = {
            "echo": lambda payload: payload,
            "sleep": lambda _: None,
            **answers,
        }
        self._thens: dict[int, Row] = {}
        self._idempotency_keys: dict[int, str] = {}
        self._last_job = 0

    def submit(self, submission: Row, batch: int | None = None) -> Steps[Row]:
        """Stores a job and runs it."""
        self._last_job += 1
        row = rows.job_row(self._last_job, loads(dumps(submission)), batch)
        self.jobs[row["id"]] = row
        self.logs[row["id"]] = []
        self._idempotency_keys[row["id"]] = random_key(row["id"])
        if "then" in submission:
            self._thens[row["id"]] = submission["then"]
        self._sent.calls.append(SentCall(row["kind"], row["payload"], dict(submission)))
        # The handle shows the row as it is, also after the block.
        self._sent.jobs.append(Job(self._app, row["id"], row))
        yield from self.run(row)
        return row

    def run(self, row: Row) -> Steps[None]:
        """Runs a job to its end, unless nothing here can run its kind."""
        task, answer = self._app.tasks.get(row["kind"]), self._answers.get(row["kind"])
        if answer is not None:
            self._answer(row, answer)
        elif task is not None:
            yield from self._run_task(row, task)
        else:
            return
        yield from self._follow_up(row, row["result"], self._thens.pop(row["id"], None), row)

    def _answer(self, row: Row, answer: Callable[[Any], Any]) -> None:
        rows.begin(row)
        try:
            rows.complete(row, loads(dumps(self._app.codec.encode(answer(row["payload"])))))
        except Exception as error:
            rows.fail(row, Failure(type(error).__name__.lower(), str(error)), is_last=True)

    def _run_task(self, row: Row, task: Task[..., Any]) -> Steps[None]:
        uncounted = 0
        while row["state"] not in FINAL:
            rows.begin(row)
            context = self._context(row)
            try:
                result = yield Attempt(task, loads(dumps(row["payload"])), context)
                rows.complete(row, loads(dumps(result)))
            except Stopped as stop:
                rows.cancel(row, str(stop))
            except Exception as error:
                failure = task.classify(error, context)
                uncounted += not failure.counts
                if self._retries and uncounted > MAX_UNCOUNTED:
                    raise LongshoreError(
                        f"job {row['id']} ({row['kind']}) raised Retry(counts=False)"
                        f" {uncounted} times: inline, without pauses, it would do so for ever."
                        " Test it with a server, or let the test change what the task waits for"
                    ) from error
                self._failed(row, failure)

    def _failed(self, row: Row, failure: Failure) -> None:
        may_retry = self._retries and failure.retryable
        if may_retry and not failure.counts:
            row["attempt"] -= 1
            return
        rows.fail(row, failure, not may_retry or row["attempt"] >= row["max_attempts"])

    def _context(self, row: Row) -> Context:
        return Context(
            job_id=row["id"],
            kind=row["kind"],
            queue=row["queue"],
            attempt=row["attempt"],
            max_attempts=row["max_attempts"],
            reporter=InlineReporter(row, self.logs[row["id"]]),
            deadline=None,
            metadata=row.get("metadata", {}),
            batch_id=row["batch"],
            lease_token=row["attempt"],
            idempotency_key=self._idempotency_keys[row["id"]],
        )

    def _follow_up(self, owner: Row, source: Any, then: Row | None, row: Row) -> Steps[None]:
        """Submits what follows a job or batch, if that has completed."""
        if then is None or row["state"] != "completed":
            return
        payload = fill(then.get("payload"), source)
        follower = yield from self.submit({**then, "payload": payload})
        owner["then"] = {**owner["then"], "job": follower["id"]}

    # Batches.

    def create_batch(self, body: Row) -> Steps[Row]:
        """Stores a batch and runs its jobs."""
        batch_id = len(self.batches) + 1
        batch: Row = {
            "id": batch_id,
            "name": body.get("name"),
            "created_at": rows.now(),
            "finished_at": None,
            "open": body.get("open", False),
            "ids": [],
        }
        if "then" in body:
            then = body["then"]
            batch["then"] = {"kind": then["kind"], "queue": then.get("queue", "default")}
            batch["follow_up"] = then
        self.batches[batch_id] = batch
        yield from self.add(batch, body["jobs"])
        return batch

    def add(self, batch: Row, submissions: list[Row]) -> Steps[None]:
        """Adds jobs to a batch and runs them."""
        for submission in submissions:
            job = yield from self.submit(submission, batch["id"])
            batch["ids"].append(job["id"])
        yield from self.finish(batch)

    def finish(self, batch: Row) -> Steps[None]:
        """Ends a batch that is closed and whose jobs are all final."""
        jobs = self.jobs_of(batch)
        if batch["open"] or any(job["state"] not in FINAL for job in jobs):
            return
        batch["finished_at"] = rows.now()
        if all(job["state"] == "completed" for job in jobs):
            results = [job["result"] for job in jobs]
            source = {**self.described(batch), "results": results}
            then = batch.pop("follow_up", None)
            yield from self._follow_up(batch, source, then, {"state": "completed"})

    def jobs_of(self, batch: Row) -> list[Row]:
        """Returns the jobs of a batch that are still stored."""
        return [self.jobs[job_id] for job_id in batch["ids"] if job_id in self.jobs]

    def described(self, batch: Row) -> Row:
        """Returns a batch as the server describes it."""
        states = ("scheduled", "queued", "running", "retrying", *FINAL)
        counts = dict.fromkeys(states, 0)
        for job in self.jobs_of(batch):
            counts[job["state"]] += 1
        fields = {name: batch[name] for name in batch if name not in ("ids", "follow_up")}
        return {**fields, "total": len(batch["ids"]), "counts": counts}

    def check_final(self, row: Row) -> None:
        """Refuses to wait for a job that nothing here can run."""
        if row["state"] not in FINAL:
            raise LongshoreError(
                f"job {row['id']} does not run inline, because {row['kind']!r} is no task of this"
                f" application: give its result with inline(answers={{{row['kind']!r}: ...}})"
            )
