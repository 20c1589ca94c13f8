"""Runs one attempt of a task in this thread, or on the running event loop."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from collections.abc import AsyncIterator, Coroutine, Generator
from typing import Any, cast

from longshore.context import Context, running
from longshore.task import Task


class InlineReporter:
    """Keeps the reports of a task in the row of its job."""

    def __init__(self, row: dict[str, Any], log: list[str]) -> None:
        self._row = row
        self._log = log

    def report_progress(self, percent: float, message: str) -> None:
        """Keeps the progress."""
        percent = round(min(100.0, max(0.0, percent)), 2)
        self._row["progress"] = {"percent": percent, **({"message": message} if message else {})}

    def report_log(self, text: str) -> None:
        """Keeps lines."""
        self._log.append(text if text.endswith("\n") else text + "\n")

    def stop_reason(self) -> str | None:
        """Returns why the job is to stop."""
        return "the job was cancelled" if self._row["cancel_requested"] else None


def call(task: Task[..., Any], payload: Any, context: Context) -> Any:
    """Calls a task and returns its result as a JSON value."""
    with running(context):
        args, kwargs = task.decode_arguments(payload, context)
        value = task.fn(*args, **kwargs)
        if inspect.isasyncgen(value):
            value = wait_for(_collect_async(value, context))
        elif inspect.iscoroutine(value):
            value = wait_for(value)
        elif inspect.isgenerator(value):
            value = _collect(cast("Generator[Any, Any, Any]", value), context)
        return task.checked_result(value)


async def acall(task: Task[..., Any], payload: Any, context: Context) -> Any:
    """Like `call`, on the running event loop."""
    with running(context):
        args, kwargs = task.decode_arguments(payload, context)
        value = task.fn(*args, **kwargs)
        if inspect.isasyncgen(value):
            value = await _collect_async(value, context)
        elif inspect.iscoroutine(value):
            value = await value
        elif inspect.isgenerator(value):
            value = _collect(cast("Generator[Any, Any, Any]", value), context)
        return task.checked_result(value)


def _collect(generator: Generator[Any, Any, Any], context: Context) -> Any:
    """Returns what a generator returns, or the list of what it yields if it returns None."""
    yielded: list[Any] = []
    while True:
        try:
            value = next(generator)
        except StopIteration as end:
            return yielded if end.value is None else end.value
        yielded.append(_logged(value, context))


async def _collect_async(generator: AsyncIterator[Any], context: Context) -> list[Any]:
    return [_logged(value, context) async for value in generator]


def _logged(value: Any, context: Context) -> Any:
    """Logs a text that a generator yields."""
    if isinstance(value, str):
        context.log(value)
    return value


def wait_for(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Runs a coroutine on a new event loop, in a thread of its own if a loop runs here."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    outcome: list[Any] = []
    context = contextvars.copy_context()

    def run() -> None:
        try:
            outcome.append(context.run(asyncio.run, coroutine))
        except BaseException as error:
            outcome.append(_Raised(error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(outcome[0], _Raised):
        raise outcome[0].error
    return outcome[0]


class _Raised:
    def __init__(self, error: BaseException) -> None:
        self.error = error
