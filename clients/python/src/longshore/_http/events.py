"""Streams of events, which reconnect by themselves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx2

from longshore.codec.text import loads
from longshore.errors import Unavailable

from .message import Request, Response, refusal
from .patience import Patience, is_temporary, retry_after
from .session import Session

# The server sends a comment after 15 s without an event. A connection that is silent for longer
# than this (with the margin of the session) is broken.
SILENCE = 25.0
# An event has the payload and the result of a job at most.
MAX_EVENT_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True)
class Event:
    """An event of a job or batch.

    `id` is the position in the stream, from which it can go on; `kind` is the name of the
    event, such as "state" or "progress".
    """

    id: str
    kind: str
    data: Any


class Stream:
    """The position in one stream of events, over all of its connections."""

    def __init__(
        self,
        session: Session,
        path: str,
        is_last: Callable[[Event], bool],
        after: str | None = None,
        params: dict[str, str | int] | None = None,
        key: str | None = None,
    ) -> None:
        self._path = path
        self._is_last = is_last
        self._last_id = after or ""
        self._params = params or {}
        self._key = key
        self._patience = Patience(session.give_up)
        self._url = session.url
        self.is_over = False

    def request(self) -> Request:
        """Returns the request that goes on where the stream has come to."""
        headers = {"accept": "text/event-stream"}
        if self._last_id:
            headers["last-event-id"] = self._last_id
        return Request(
            "GET", self._path, params=self._params, headers=headers, wait=SILENCE, key=self._key
        )

    def take(self, sent: httpx2.ServerSentEvent) -> Event | None:
        """Returns the event that the server sent; None for one without data, such as `retry`."""
        self._patience.reset()
        self._last_id = sent.id or self._last_id
        if not sent.data:
            return None
        event = Event(self._last_id, sent.event, loads(sent.data))
        self.is_over = self._is_last(event)
        return event

    def refused(self, response: Response) -> float:
        """Takes an answer without events, and returns the pause before the next try."""
        if response.status == 204:
            self.is_over = True
            return 0.0
        if not is_temporary(response):
            raise refusal(response)
        return self._pause(refusal(response), retry_after(response))

    def broken(self, error: Exception | None = None) -> float:
        """Takes the end of a connection, and returns the pause before the next one."""
        return self._pause(error)

    def _pause(self, cause: Exception | None, asked: float | None = None) -> float:
        pause = self._patience.next_pause(asked)
        if pause is None:
            raise Unavailable(
                f"GET {self._url}{self._path} was not answered within"
                f" {self._patience.give_up:g} s: {cause or type(cause).__name__}"
            ) from cause
        return pause


def events(session: Session, stream: Stream) -> Iterator[Event]:
    """Yields the events of a stream until its end, over any number of connections."""
    while not stream.is_over:
        try:
            with session.stream(stream.request()) as answer:
                if answer.status_code == 200:
                    for sent in httpx2.EventSource(answer, MAX_EVENT_BYTES):
                        if event := stream.take(sent):
                            yield event
                        if stream.is_over:
                            return
                    pause = stream.broken()
                else:
                    pause = stream.refused(_response(answer, answer.read()))
        except httpx2.TransportError as error:
            pause = stream.broken(error)
        time.sleep(pause)


async def aevents(session: Session, stream: Stream) -> AsyncIterator[Event]:
    """Like `events`, on the running event loop."""
    while not stream.is_over:
        try:
            async with session.astream(stream.request()) as answer:
                if answer.status_code == 200:
                    async for sent in httpx2.EventSource(answer, MAX_EVENT_BYTES):
                        if event := stream.take(sent):
                            yield event
                        if stream.is_over:
                            return
                    pause = stream.broken()
                else:
                    pause = stream.refused(_response(answer, await answer.aread()))
        except httpx2.TransportError as error:
            pause = stream.broken(error)
        await asyncio.sleep(pause)


def _response(answer: httpx2.Response, content: bytes) -> Response:
    return Response(answer.status_code, answer.headers, content)
