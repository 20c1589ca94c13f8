"""One attempt: decode the arguments, run the function of the task, encode the outcome."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Generator
from datetime import datetime
from inspect import isasyncgen, isgenerator
from typing import Any, Literal, NamedTuple

from longshore.codec import dumps, loads
from longshore.context import Context, Reporter, job_key, running
from longshore.errors import BadPayload, BadResult, Stopped
from longshore.task import Failure, Task, text_of

from .capture import captured
from .leases import LeasedJob

AnyTask = Task[..., Any]

log = logging.getLogger("longshore.worker")


class Outcome(NamedTuple):
    """How an attempt ended: the fields of its report as a JSON object, and a summary for people."""

    action: Literal["complete", "fail", "stopped"]
    fields: bytes
    summary: str


STOPPED = Outcome("stopped", b"{}", "stopped")


def run(job: LeasedJob, task: AnyTask, reporter: Reporter) -> Outcome:
    """Run the function of a task in this thread."""
    context = _context(job, reporter)
    try:
        args, kwargs = _arguments(job, task, context)
        with running(context), captured(reporter):
            value = task.fn(*args, **kwargs)
            if isgenerator(value):
                value = _exhaust(value, context)
        return _completed(task, value)
    except Stopped:
        return STOPPED
    except BaseException as error:
        return _failed(task, error, context)


async def arun(job: LeasedJob, task: AnyTask, reporter: Reporter) -> Outcome:
    """Run the coroutine function of a task on the running event loop."""
    context = _context(job, reporter)
    try:
        args, kwargs = _arguments(job, task, context)
        with running(context), captured(reporter):
            value = task.fn(*args, **kwargs)
            value = await (_aexhaust(value, context) if isasyncgen(value) else value)
        return _completed(task, value)
    except Stopped:
        return STOPPED
    except BaseException as error:
        if reporter.stop_reason() is not None and _is_cancellation(error):
            return STOPPED
        return _failed(task, error, context)


def broken(error: BaseException) -> Outcome:
    """Return the outcome of an attempt that the worker could not run, and log why."""
    log.error("an attempt cannot be run", exc_info=error)
    message = f"the worker cannot run the attempt: {type(error).__name__}: {text_of(error)}"
    return failed(Failure("worker_error", message))


def failed(failure: Failure) -> Outcome:
    """Return the outcome of an attempt that failed."""
    error: dict[str, Any] = {"code": failure.code, "message": failure.message}
    if failure.traceback:
        error["traceback"] = failure.traceback
    fields: dict[str, Any] = {"error": error, "retryable": failure.retryable}
    if failure.retryable and failure.retry_in is not None:
        fields["retry_in"] = failure.retry_in
    if failure.retryable and not failure.counts:
        fields["counts"] = False
    return Outcome("fail", dumps(fields), f"failed: {failure.message}")


def _context(job: LeasedJob, reporter: Reporter) -> Context:
    return Context(
        job_id=job.id,
        kind=job.kind,
        queue=job.queue,
        attempt=job.attempt,
        max_attempts=job.max_attempts,
        reporter=reporter,
        deadline=_time(job.deadline_at),
        metadata=job.metadata or {},
        batch_id=job.batch,
        lease_token=job.lease_token,
        idempotency_key=job_key(job.id, bytes(job.payload)),
    )


def _time(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None
    except ValueError:
        return None


def _arguments(
    job: LeasedJob, task: AnyTask, context: Context
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    try:
        return task.decode_arguments(loads(bytes(job.payload)), context)
    except BadPayload:
        raise
    except Exception as error:  # of an annotation, or of a decoder of the application
        raise BadPayload(f"{task.kind}: {type(error).__name__}: {error}") from error


def _completed(task: AnyTask, value: Any) -> Outcome:
    try:
        fields = dumps({"result": task.checked_result(value)})
    except (BadResult, TypeError, ValueError, RecursionError) as error:
        return failed(Failure("bad_result", str(error), retryable=False))
    return Outcome("complete", fields, "completed")


def _failed(task: AnyTask, error: BaseException, context: Context) -> Outcome:
    try:
        return failed(task.classify(error, context))
    except Exception as second:  # of an attribute that the task has changed, for example
        message = f"{type(error).__name__}, which cannot be reported: {text_of(second)}"
        retryable = isinstance(error, task.retry_on)
        return failed(Failure("bad_exception", message, retryable=retryable))


def _exhaust(generator: Generator[Any, Any, Any], context: Context) -> Any:
    """Run a generator to its end, and return its result.

    That is what it returns, or a list of what it yielded if that is None. Texts that it yields are
    lines of the log.
    """
    yielded: list[Any] = []
    try:
        while True:
            value = next(generator)
            yielded.append(value)
            _log_yielded(value, context)
    except StopIteration as end:
        return yielded if end.value is None else end.value
    finally:
        generator.close()


async def _aexhaust(generator: AsyncIterator[Any], context: Context) -> list[Any]:
    """Run an asynchronous generator to its end and return a list of what it yielded."""
    yielded: list[Any] = []
    close: Callable[[], Any] = getattr(generator, "aclose")  # noqa: B009
    try:
        async for value in generator:
            yielded.append(value)
            _log_yielded(value, context)
    finally:
        await close()
    return yielded


def _log_yielded(value: Any, context: Context) -> None:
    context.check()
    if isinstance(value, str):
        context.log(value)


def _is_cancellation(error: BaseException) -> bool:
    import asyncio

    return isinstance(error, asyncio.CancelledError)
