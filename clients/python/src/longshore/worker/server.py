"""The calls of a worker to the server."""

from __future__ import annotations

import random
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import httpx2

from longshore._http import Request, Session
from longshore._http.clients import Clients
from longshore._http.message import Response, refusal
from longshore.errors import Refused

_LONGEST_PAUSE = 5.0
#: The server accepts late reports for 2 seconds after its start, so there must be several tries.
LONGEST_REPORT_PAUSE = 0.5


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
        client = await self._session.clients.aclient()
        return await self.post_with(client, path, content, timeout)

    def line(self) -> Line:
        """Return a connection for calls that the server holds."""
        return Line(self)

    async def post_with(
        self,
        client: httpx2.AsyncClient,
        path: str,
        content: bytes,
        timeout: float,
        extensions: dict[str, Any] | None = None,
    ) -> Answer:
        """Send one call over a certain HTTP client."""
        headers = self._session.headers(Request("POST", path))
        headers["content-type"] = "application/json"
        limits = httpx2.Timeout(timeout, connect=5.0)
        try:
            answer = await client.post(
                path, content=content, headers=headers, timeout=limits, extensions=extensions
            )
        except httpx2.RequestError as error:
            why = str(error) or type(error).__name__
            return Answer(0, f"no answer from {self.url}: {why}".encode())
        return Answer(answer.status_code, answer.content, _retry_after(answer.headers))


class Line:
    """A connection of its own for calls that the server holds, one after the other.

    If such a call were just cancelled, its answer could be on the way, with jobs that nobody runs
    until their leases expire. `hang_up` closes the connection in one direction only: an answer that
    the server has sent before still arrives; else the server ends the call and leases no jobs for
    it.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._clients = Clients(server.url)
        self._socket: Any = None
        self.is_calling = False
        self.is_ended = False

    async def post(self, path: str, content: bytes, timeout: float) -> Answer:
        """Send one call, once, as `Server.post` does."""
        client = await self._clients.aclient()
        self.is_calling = True
        try:
            return await self._server.post_with(
                client, path, content, timeout, {"trace": self._trace}
            )
        finally:
            self.is_calling = False

    def hang_up(self) -> bool:
        """Make no more calls. Return whether one is under way, which ends soon."""
        self.is_ended = True
        if not self.is_calling or self._socket is None:
            return False
        with suppress(OSError):  # the server has closed the connection
            self._socket.shutdown(socket.SHUT_WR)
        return True

    async def aclose(self) -> None:
        """Close the connection."""
        await self._clients.aclose()

    async def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Take notice of the connection, which the HTTP client makes when it needs one."""
        if event in ("connection.connect_tcp.complete", "connection.connect_unix_socket.complete"):
            self._socket = info["return_value"].get_extra_info("socket")


def pause(failures: int, retry_after: float, longest: float = _LONGEST_PAUSE) -> float:
    """Return the seconds until the next try.

    That is an exponential backoff with jitter, or what the server asks for if that is longer.
    """
    longest = min(longest, 0.1 * 2 ** min(failures, 10))
    return max(min(retry_after, 60.0), random.uniform(0.05, longest))


def _retry_after(headers: httpx2.Headers) -> float:
    try:
        return max(0.0, float(headers.get("retry-after", "0")))
    except ValueError:  # a date
        return 1.0
