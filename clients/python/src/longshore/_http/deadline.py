"""The time by which a wait has to end."""

from __future__ import annotations

import time

from longshore.duration import Duration, seconds

# The longest time for which the server is asked to hold a request.
LONGEST_WAIT = 30.0


class Deadline:
    """Counts down a timeout; None is no timeout."""

    def __init__(self, timeout: Duration | None) -> None:
        self._end = None if timeout is None else time.monotonic() + seconds(timeout)

    @property
    def is_over(self) -> bool:
        """Whether the time has passed."""
        return self._end is not None and time.monotonic() >= self._end

    def wait(self) -> float:
        """Returns how long the server may hold the next request, in seconds."""
        return LONGEST_WAIT if self._end is None else min(self._left(), LONGEST_WAIT)

    def give_up(self, longest: float) -> float:
        """Returns how long the next request may be repeated without an answer."""
        return longest if self._end is None else min(self._left(), longest)

    def _left(self) -> float:
        return max(0.0, self._end - time.monotonic()) if self._end is not None else LONGEST_WAIT
