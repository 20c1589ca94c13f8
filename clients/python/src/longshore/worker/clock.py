"""Notices that the program did not run for a while."""

from __future__ import annotations

import time


class Clock:
    """Counts the times at which the event loop stood still, because the program was suspended or the
    machine slept.

    A job that was leased in such a time has a lease of unknown age: it may have been granted at the
    start of a long pause. Its lease is renewed before the job starts.
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
