"""Calls that stay in this program: a job has the number of its call only.

So a lambda or closure can be called, and arguments and results can be any objects. The price is
that no other program can run such a job: its kind has a random name, and it expires after a day.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import re
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from ..client import Longshore
from ..errors import Fatal
from ..task import Call
from ..worker.capture import echoed

_MAX_SHOWN = 200
_EXPIRES = "24h"
#: A call may take longer than the server's default for an attempt: a program waits for it.
TIMEOUT = "24h"


class LocalCall:
    """A call of a function, and what came of it."""

    def __init__(self, call: Callable[[], Any], shown: str) -> None:
        self.call = call
        self.shown = shown
        self.value: Any = None
        self.error: BaseException | None = None

    def result(self, _shown: Any) -> Any:
        """Return the result, in place of what the server has of it."""
        return self.value

    def run(self) -> Any:
        """Call the function and keep its result."""
        try:
            # A program expects to see what its functions print.
            with echoed():
                value = self.call()
            self.value = asyncio.run(_result(value)) if inspect.isawaitable(value) else value
        except BaseException as error:
            self.error = error
            raise
        return self.value


async def _result(value: Awaitable[Any]) -> Any:
    return await value


class LocalCalls:
    """A task whose jobs are calls of this program."""

    def __init__(self, app: Longshore, name: str) -> None:
        self._app = app
        self._calls: dict[int, LocalCall] = {}
        self._numbers = itertools.count()
        random = uuid.uuid4().hex[:8]
        self._task = app.task(name=kind(name, random), expires=_EXPIRES, timeout=TIMEOUT)(
            self._function()
        )

    def add(self, call: LocalCall, tag: str = "") -> Call[Any]:
        """Return a call to submit. Its result is the object that the function returns."""
        number = next(self._numbers)
        self._calls[number] = call
        task = self._task.options(tags=[tag] if tag else None, truncate_result=True)
        # The server has only a copy of the result, for people to see.
        return replace(task.s(number, call.shown), decode=call.result)

    def _function(self) -> Callable[[int, str], Any]:
        """Return the function of the task. `shown` is in the payload for people to see."""

        def run(call: int, shown: str) -> Any:  # noqa: ARG001
            return self.shown(self.take(call).run())

        return run

    def take(self, number: int) -> Any:
        """Return a call, which is known only once."""
        call = self._calls.pop(number, None)
        if call is None:
            raise Fatal("this call was started before, and its outcome was lost", "lost_call")
        return call

    def shown(self, value: Any) -> Any:
        """Return a copy of a result for the server: as JSON, or as a text."""
        try:
            return self._app.codec.encode(value)
        except (TypeError, ValueError):
            return short(value)


def kind(name: str, suffix: str) -> str:
    """Return the kind of a function's jobs, such as `fast.resize-1f0c9a3e`."""
    plain = re.sub(r"[^a-z0-9._-]+", "", name.lower()) or "lambda"
    return f"fast.{plain[:40]}-{suffix}"


def short(value: Any) -> str:
    """Return the text of an object, for people to see."""
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."
