"""Which server the functions of this package use."""

from __future__ import annotations

import threading
from dataclasses import replace

from ..client import Longshore
from ..worker import Worker

#: The queue of all jobs of this package.
QUEUE = "fast"
#: How long calls may go on when their worker is to stop, in seconds.
GRACE = 5

_lock = threading.Lock()
# One application at most.
_used: list[Longshore] = []


def use(ls: Longshore) -> None:
    """Use the server of this application from now on."""
    with _lock:
        _used[:] = [ls]


def used() -> Longshore:
    """Return the application in use: by default that of the environment."""
    with _lock:
        if not _used:
            _used.append(Longshore())
        return _used[0]


def private_worker(
    app: Longshore, *, threads: int = 0, processes: int = 0, coroutines: int = 0
) -> Worker:
    """Return a worker for the jobs of a private application.

    The server forgets their kinds, which only this run of the program uses.
    """
    worker = Worker(
        app,
        queues=[app.queue],
        threads=threads,
        processes=processes,
        coroutines=coroutines,
        grace=GRACE,
    )
    worker.settings = replace(worker.settings, learns_kinds=False)
    return worker


def private(ls: Longshore) -> Longshore:
    """Return an application of the same server that has no tasks yet."""
    return Longshore(
        ls.url, key=ls.session.key, queue=QUEUE, give_up=ls.session.give_up, codec=ls.codec
    )
