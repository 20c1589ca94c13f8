"""Notices calls that wait for a job in the thread of an event loop, which is blocked meanwhile."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from .errors import LongshoreError

_PACKAGE = str(Path(__file__).resolve().parent)

_log = logging.getLogger("longshore")


class Work(NamedTuple):
    """What a worker looks at to know whether a job is one of its own."""

    kind: str
    queue: str


class Host(NamedTuple):
    """A worker that runs coroutines on an event loop, and which ones."""

    loop: asyncio.AbstractEventLoop
    runs: Callable[[Work], bool]


_hosts: list[Host] = []
_warned: set[str] = set()


def add_host(loop: asyncio.AbstractEventLoop, runs: Callable[[Work], bool]) -> Host:
    """Note that a worker runs coroutines on an event loop."""
    host = Host(loop, runs)
    _hosts.append(host)
    return host


def remove_host(host: Host) -> None:
    """Note that this worker has ended."""
    _hosts.remove(host)


def check(call: str, what: str, instead: str, left: Callable[[], Iterable[Work]]) -> None:
    """Look at a call that is about to wait here for jobs, outside of a coroutine.

    Raises `LongshoreError` if the event loop that would be blocked has to run one of the jobs that
    are `left`. Warns about any other event loop, once for each place in the program.
    """
    loop = _running_loop()
    if loop is None:
        return
    hosts = [host for host in _hosts if host.loop is loop]
    work = list(left()) if hosts else []
    if any(host.runs(one) for host in hosts for one in work):
        raise LongshoreError(
            f"{call}() would wait for ever: it blocks the event loop on which the worker of this"
            f" program has to run {what}. Write `{instead}`"
        )
    place = _place()
    # A notebook runs each cell on an event loop that has nothing else to do.
    if place not in _warned and "ipykernel" not in sys.modules:
        _warned.add(place)
        _log.warning(
            "%s: %s() blocks the event loop until %s has ended: write `%s` in an `async def`",
            place,
            call,
            what,
            instead,
        )


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _place() -> str:
    """Return the file and line of the program that has called this package."""
    frame = sys._getframe()  # pyright: ignore[reportPrivateUsage]
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
