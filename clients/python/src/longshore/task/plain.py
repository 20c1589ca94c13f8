"""Plain calls of the function of a task, outside of a worker."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from typing import Any, cast

from longshore.context import Context, running


class _Nobody:
    """A reporter whose reports go nowhere."""

    def report_progress(self, percent: float, message: str) -> None:
        """Takes the progress of the call."""

    def report_log(self, text: str) -> None:
        """Takes lines."""

    def stop_reason(self) -> str | None:
        """Returns None: nobody stops a plain call."""
        return None


def context_of(kind: str, queue: str | None) -> Context:
    """Returns the context of a plain call. It has the id 0, because there is no job."""
    return Context(0, kind, queue or "default", 1, 1, _Nobody())


def call(fn: Callable[[], Any], context: Context) -> Any:
    """Calls a function, and runs what it returns, with a context."""
    with running(context):
        value = fn()
    if inspect.iscoroutine(value):
        return _awaited(value, context)
    if inspect.isgenerator(value):
        return _stepped(cast("Generator[Any, Any, Any]", value), context)
    if inspect.isasyncgen(value):
        return _astepped(cast("AsyncGenerator[Any, Any]", value), context)
    return value


async def _awaited(coroutine: Coroutine[Any, Any, Any], context: Context) -> Any:
    with running(context):
        return await coroutine


def _stepped(generator: Generator[Any, Any, Any], context: Context) -> Generator[Any, Any, Any]:
    """Runs each step of a generator with the context, which its caller does not see."""
    sent: Any = None
    try:
        while True:
            try:
                with running(context):
                    value = generator.send(sent)
            except StopIteration as end:
                return end.value
            sent = yield value
    finally:
        generator.close()


async def _astepped(
    generator: AsyncGenerator[Any, Any], context: Context
) -> AsyncGenerator[Any, Any]:
    sent: Any = None
    try:
        while True:
            try:
                with running(context):
                    value = await generator.asend(sent)
            except StopAsyncIteration:
                return
            sent = yield value
    finally:
        await generator.aclose()
