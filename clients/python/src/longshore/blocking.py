"""Notices calls that wait for a job in the thread of an event loop, which is blocked meanwhile."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .duration import Duration
from .errors import LongshoreError

_PACKAGE = str(Path(__file__).resolve().parent)

_log = logging.getLogger("longshore")


class Work(NamedTuple):
    """What a worker looks at to know whether a job is one of its own."""

    kind: str
    queue: str
    #: The name of the worker that runs it now.
    worker: str | None = None

    @classmethod
    def of(cls, job: Mapping[str, Any]) -> Work:
        """Return that of a job as the server describes it."""
        # A job that waits for its next attempt has the name of its last worker.
        worker = job.get("worker") if job["state"] == "running" else None
        return cls(job["kind"], job["queue"], worker)


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


def check(
    call: str,
    what: str,
    instead: str,
    left: Callable[[], Iterable[Work]],
    timeout: Duration | None = None,
) -> None:
    """Look at a call that is about to wait here for jobs, outside of a coroutine.

    Raises `LongshoreError` if the call has no timeout and blocks the event loop that may have to
    run one of the jobs that are `left`. Warns otherwise, once for each place in the program.
    """
    loop = _running_loop()
    if loop is None:
        return
    hosts = [host for host in _hosts if host.loop is loop]
    work = left() if hosts and timeout is None else ()
    if any(host.runs(one) for one in work for host in hosts):
        raise LongshoreError(
            f"{call}() may wait for ever: it blocks the event loop on which the worker of this"
            f" program has to run {what}. Write `{instead}`"
        )
    place = _place()
    # A notebook runs each cell on an event loop that has nothing else to do.
    if place not in _warned and "ipykernel" not in sys.modules:
        _warned.add(place)
        _log.warning(
            "%s: %s() blocks the event loop until %s has ended%s: write `%s` in an `async def`",
            place,
            call,
            what,
            "" if timeout is None else ", or for its timeout",
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
