"""Runs generators of steps: the same steps in a thread, or on an event loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from functools import partial
from typing import TypeVar

Y = TypeVar("Y")
S = TypeVar("S")
T = TypeVar("T")


def drive(steps: Generator[Y, S, T], perform: Callable[[Y], S], caught: type[BaseException]) -> T:
    """Performs each step and sends its result back. Errors of the class `caught` are raised in
    the generator.
    """
    step = partial(next, steps)
    while True:
        try:
            wanted = step()
        except StopIteration as end:
            value: T = end.value
            return value
        try:
            step = partial(steps.send, perform(wanted))
        except caught as error:
            step = partial(steps.throw, error)


async def adrive(
    steps: Generator[Y, S, T], perform: Callable[[Y], Awaitable[S]], caught: type[BaseException]
) -> T:
    """Like `drive`, on the running event loop."""
    step = partial(next, steps)
    while True:
        try:
            wanted = step()
        except StopIteration as end:
            value: T = end.value
            return value
        try:
            step = partial(steps.send, await perform(wanted))
        except caught as error:
            step = partial(steps.throw, error)
