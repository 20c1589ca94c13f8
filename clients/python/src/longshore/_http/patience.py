"""How long a request is repeated, and the pauses between its tries."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import replace

import httpx2

from longshore.errors import LongshoreError, Unavailable

from .message import Request, Response, refusal

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 2.0
#: After this time the log says that the server does not answer, in seconds.
_SILENCE = 1.0

log = logging.getLogger("longshore")


class Patience:
    """Counts the time in which something does not work, and the pauses between tries.

    The time counts from the first failure, not from the start of the request, because a long poll
    may have waited for long before its connection broke.
    """

    def __init__(self, give_up: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.give_up = give_up
        self._clock = clock
        self._deadline: float | None = None
        self.failing_for = 0.0
        self._pause = FIRST_PAUSE

    def next_pause(self, asked: float | None = None) -> float | None:
        """Returns the pause before the next try, in seconds, or None if the time is over.

        `asked` is the pause that the server asked for.
        """
        now = self._clock()
        if self._deadline is None:
            self._deadline = now + self.give_up
        self.failing_for = now - (self._deadline - self.give_up)
        if now >= self._deadline:
            return None
        pause = asked if asked is not None else self._pause * random.uniform(0.8, 1.2)
        self._pause = min(self._pause * 2, LONGEST_PAUSE)
        return min(pause, self._deadline - now)

    def reset(self) -> None:
        """Starts anew, because something has worked."""
        self._deadline = None
        self._pause = FIRST_PAUSE


class Tries:
    """The tries of one request.

    A driver passes it each outcome, and gets the pause before the next try, or None if the
    request is over; then `result()` returns or raises its outcome.
    """

    def __init__(self, request: Request, url: str, give_up: float) -> None:
        self._request = request
        self._url = url
        self._patience = Patience(give_up if request.give_up is None else request.give_up)
        self._outcome: Response | Exception | None = None
        self._may_have_had_effect = False
        self._has_warned = False

    def answered(self, response: Response) -> float | None:
        """Takes an answer."""
        self._outcome = replace(response, is_repeated=self._may_have_had_effect)
        if not is_temporary(response):
            return None
        self._may_have_had_effect |= response.status in (408, 500, 502, 504)
        return self._patience.next_pause(retry_after(response))

    def failed(self, error: httpx2.TransportError) -> float | None:
        """Takes an error of the connection."""
        self._outcome = error
        if isinstance(error, httpx2.UnsupportedProtocol | httpx2.LocalProtocolError):
            return None
        not_sent = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
        self._may_have_had_effect |= not isinstance(error, not_sent)
        pause = self._patience.next_pause()
        if pause is not None and self._patience.failing_for >= _SILENCE and not self._has_warned:
            self._has_warned = True
            log.warning(
                "%s does not answer, trying for %g s; is `longshore serve` running?",
                self._url,
                self._patience.give_up,
            )
        return pause

    def result(self) -> Response:
        """Returns the answer, or raises why there is none."""
        outcome, what = self._outcome, f"{self._request.method} {self._url}{self._request.path}"
        if isinstance(outcome, httpx2.UnsupportedProtocol | httpx2.LocalProtocolError):
            raise LongshoreError(f"{what} cannot be sent: {outcome}") from outcome
        if isinstance(outcome, Response) and (
            not is_temporary(outcome) or outcome.status in (408, 429)
        ):
            return outcome
        cause = refusal(outcome) if isinstance(outcome, Response) else outcome
        raise Unavailable(
            f"{what} was not answered within {self._patience.give_up:g} s:"
            f" {cause or type(cause).__name__}"
        ) from cause


def is_temporary(response: Response) -> bool:
    """Whether the same request may be accepted later."""
    if response.status == 500:
        return b"outcome-unknown" in response.content[:4096]
    return response.status in (408, 429, 502, 503, 504, 507)


def retry_after(response: Response) -> float | None:
    """Returns the seconds that the server asks to wait, or None if it says nothing."""
    try:
        return max(0.0, float(response.headers["retry-after"]))
    except (KeyError, ValueError):
        return None
