"""Runs a coroutine step by step, and not a step further than its lease allows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any, Generic, TypeVar

R = TypeVar("R")


class Steps(Generic[R]):
    """An awaitable that looks before each step of a coroutine whether it is to stop.

    A worker that was suspended past a lease goes on at any step of its coroutines, before its own
    event loop has seen the time. The step that would come next raises `CancelledError` instead, so
    that it has no effect. What the coroutine does after that is its own cleaning up.
    """

    def __init__(
        self, begin: Callable[[], Coroutine[Any, Any, R]], stop_reason: Callable[[], object]
    ) -> None:
        self._begin = begin
        self._stop_reason = stop_reason
        #: Whether the coroutine was cancelled: it is cancelled once.
        self.is_stopped = False

    async def run(self) -> R:
        """Run the coroutine to its end, and return its result."""
        return await self

    def __await__(self) -> Generator[Any, Any, R]:
        coroutine = self._begin()
        step = partial(coroutine.send, None)
        while True:
            if self._is_over():
                step = partial(coroutine.throw, asyncio.CancelledError())
            try:
                awaited = step()
            except StopIteration as end:
                result: R = end.value
                return result
            try:
                step = partial(coroutine.send, (yield awaited))
            except GeneratorExit:
                coroutine.close()
                raise
            except BaseException as error:
                step = partial(coroutine.throw, error)

    def _is_over(self) -> bool:
        """Return whether the coroutine is to be cancelled before the next step."""
        if self.is_stopped or self._stop_reason() is None:
            return False
        self.is_stopped = True
        return True
