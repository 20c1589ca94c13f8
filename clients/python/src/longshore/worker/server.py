"""The calls of a worker to the server."""

from __future__ import annotations

import random
from typing import NamedTuple

import httpx2

from longshore._http import Request, Session
from longshore._http.message import Response, refusal
from longshore.errors import Refused

_LONGEST_PAUSE = 5.0


class Answer(NamedTuple):
    """The answer to a call. A call without an answer has the status 0, and why as its content."""

    status: int
    content: bytes
    retry_after: float = 0.0

    @property
    def is_temporary(self) -> bool:
        """Whether the same call may be accepted later: no answer, or one that is no decision."""
        return self.status == 0 or self.status >= 500 or self.status in (408, 429)

    @property
    def is_forbidden(self) -> bool:
        """Whether the server refuses the key of this worker."""
        return self.status in (401, 403)

    def refusal(self) -> Refused:
        """Return the error that the answer describes."""
        return refusal(Response(self.status, {}, self.content))

    def reason(self) -> str:
        """Return why the call was not accepted, for the log."""
        return str(self.refusal()) if self.status else self.content.decode(errors="replace")


class Server:
    """Sends calls over the HTTP client that the session has for the running event loop."""

    def __init__(self, session: Session) -> None:
        self.url = session.url
        self._session = session

    async def post(self, path: str, content: bytes, timeout: float) -> Answer:
        """Send one call, once. Errors of the connection become an answer with the status 0."""
        headers = self._session.headers(Request("POST", path))
        headers["content-type"] = "application/json"
        limits = httpx2.Timeout(timeout, connect=5.0)
        try:
            client = await self._session.clients.aclient()
            answer = await client.post(path, content=content, headers=headers, timeout=limits)
        except httpx2.RequestError as error:
            return Answer(0, f"no answer from {self.url}: {error or type(error).__name__}".encode())
        return Answer(answer.status_code, answer.content, _retry_after(answer.headers))


def pause(failures: int, retry_after: float) -> float:
    """Return the seconds until the next try.

    That is an exponential backoff with jitter, or what the server asks for if that is longer.
    """
    longest = min(_LONGEST_PAUSE, 0.1 * 2 ** min(failures, 10))
    return max(min(retry_after, 60.0), random.uniform(0.05, longest))


def _retry_after(headers: httpx2.Headers) -> float:
    try:
        return max(0.0, float(headers.get("retry-after", "0")))
    except ValueError:  # a date
        return 1.0
