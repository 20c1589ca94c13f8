"""What the pools have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from longshore.task import Mode
from longshore.worker.attempt import AnyTask, Outcome
from longshore.worker.leases import Lease

Finish = Callable[[Lease, Outcome], None]
"""Takes the outcome of an attempt. A pool calls it once for each lease, from any thread."""


class Pool(Protocol):
    """Runs up to `size` attempts at once.

    Its methods return at once and are called on the event loop of the worker.
    """

    mode: Mode
    size: int

    def start(self) -> None:
        """Make what runs attempts."""
        ...

    def submit(self, lease: Lease, task: AnyTask) -> None:
        """Run an attempt, and stop it when the lease says so. The pool has room for it."""
        ...

    def close(self) -> None:
        """End what is left. Attempts that cannot be ended lose their leases."""
        ...
