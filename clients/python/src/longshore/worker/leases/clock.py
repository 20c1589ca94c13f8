"""Notices that the program did not run for a while."""

from __future__ import annotations

import time


class Clock:
    """Counts the stalls: the times in which the event loop did not run.

    The program may have been suspended, or the machine has slept. A job that was leased then has a
    lease of unknown age, because the server may have granted it at the start of the stall. Such a
    lease is renewed before its job starts.
    """

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._last = time.monotonic()
        self.stalls = 0

    def tick(self) -> int:
        """Take notice of the time, several times a second. Return the number of stalls so far."""
        now = time.monotonic()
        if now - self._last > self._longest:
            self.stalls += 1
        self._last = now
        return self.stalls
