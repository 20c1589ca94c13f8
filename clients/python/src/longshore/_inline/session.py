"""A session without a server: it answers the requests of the client itself."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx2

from longshore._http import Request, Response, Session
from longshore._http.drive import adrive, drive

from .routes import handle, stream
from .runner import acall, call
from .store import Attempt, Store


class InlineSession(Session):
    """Runs submissions at once, in the calling thread or on the running event loop."""

    def __init__(self, store: Store) -> None:
        super().__init__("http://inline.invalid")
        self._store = store

    def send(self, request: Request) -> Response:
        """Answers a request; runs the jobs that it submits."""

        def perform(attempt: Attempt) -> Any:
            return call(attempt.task, attempt.payload, attempt.context)

        return drive(handle(self._store, request), perform, BaseException)

    async def asend(self, request: Request) -> Response:
        """Like `send`, on the running event loop."""

        async def perform(attempt: Attempt) -> Any:
            return await acall(attempt.task, attempt.payload, attempt.context)

        return await adrive(handle(self._store, request), perform, BaseException)

    @contextmanager
    def stream(self, request: Request) -> Generator[httpx2.Response, None, None]:
        """Answers a request for events."""
        yield self._events(request)

    @asynccontextmanager
    async def astream(self, request: Request) -> AsyncGenerator[httpx2.Response, None]:
        """Like `stream`, on the running event loop."""
        yield self._events(request)

    def _events(self, request: Request) -> httpx2.Response:
        options: dict[str, Any] = {"request": httpx2.Request("GET", self.url + request.path)}
        content = stream(self._store, request)
        if content is None or "last-event-id" in request.headers:
            return httpx2.Response(404 if content is None else 204, **options)
        return httpx2.Response(
            200, headers={"content-type": "text/event-stream"}, content=content, **options
        )
