"""Which server the functions of this package use."""

from __future__ import annotations

import threading

from ..client import Longshore

#: The queue of all jobs of this package.
QUEUE = "fast"

_lock = threading.Lock()
_used: Longshore | None = None


def use(ls: Longshore) -> None:
    """Use the server of this application from now on."""
    global _used
    with _lock:
        _used = ls


def used() -> Longshore:
    """Return the application in use: by default that of the environment."""
    global _used
    with _lock:
        if _used is None:
            _used = Longshore()
        return _used


def private(ls: Longshore) -> Longshore:
    """Return an application without tasks on the same server, so that its worker runs nothing else."""
    return Longshore(
        ls.url, key=ls.session.key, queue=QUEUE, give_up=ls.session.give_up, codec=ls.codec
    )
