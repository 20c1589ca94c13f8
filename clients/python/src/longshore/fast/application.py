"""Which server the functions of this package use."""

from __future__ import annotations

import threading

from ..client import Longshore

#: The queue of all jobs of this package.
QUEUE = "fast"

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


def private(ls: Longshore) -> Longshore:
    """Return an application of the same server that has no tasks yet."""
    return Longshore(
        ls.url, key=ls.session.key, queue=QUEUE, give_up=ls.session.give_up, codec=ls.codec
    )
