"""A session: sends requests to one server, and repeats those that got no answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

import httpx2

from longshore.errors import LongshoreError

from .clients import CONNECT_TIMEOUT, READ_TIMEOUT, Clients
from .drive import adrive, drive
from .message import Operation, Request, Response
from .patience import Tries

T = TypeVar("T")


class Session:
    """The connection to one server.

    Safe to use from many threads, after a fork, and from several event loops, one after the
    other or at once.
    """

    def __init__(self, url: str, key: str | None = None, give_up: float = 30.0) -> None:
        self.url = url.rstrip("/")
        self.key = key
        self.give_up = give_up
        self.clients = Clients(self.url)

    def run(self, operation: Operation[T]) -> T:
        """Runs an operation in this thread."""
        return drive(operation, self.send, LongshoreError)

    async def arun(self, operation: Operation[T]) -> T:
        """Runs an operation on the running event loop."""
        return await adrive(operation, self.asend, LongshoreError)

    def send(self, request: Request) -> Response:
        """Sends a request until it is answered.

        Raises `Unavailable` if it is not, for `give_up` seconds. Refusals are returned as they
        are.
        """
        tries = Tries(request, self.url, self.give_up)
        while True:
            try:
                answer = self.clients.client().request(**self._arguments(request))
            except httpx2.TransportError as error:
                pause = tries.failed(error)
            else:
                pause = tries.answered(_response(answer))
            if pause is None:
                return tries.result()
            time.sleep(pause)

    async def asend(self, request: Request) -> Response:
        """Like `send`, on the running event loop.

        If the calling task is cancelled, the connection is closed.
        """
        tries = Tries(request, self.url, self.give_up)
        while True:
            try:
                client = await self.clients.aclient()
                answer = await client.request(**self._arguments(request))
            except httpx2.TransportError as error:
                pause = tries.failed(error)
            else:
                pause = tries.answered(_response(answer))
            if pause is None:
                return tries.result()
            await asyncio.sleep(pause)

    @contextmanager
    def stream(self, request: Request) -> Generator[httpx2.Response, None, None]:
        """Sends a request once, and yields its answer before the body is read."""
        with self.clients.client().stream(**self._arguments(request)) as answer:
            yield answer

    @asynccontextmanager
    async def astream(self, request: Request) -> AsyncGenerator[httpx2.Response, None]:
        """Like `stream`, on the running event loop."""
        client = await self.clients.aclient()
        async with client.stream(**self._arguments(request)) as answer:
            yield answer

    def close(self) -> None:
        """Closes the connections of this process, except for those of event loops."""
        self.clients.close()

    async def aclose(self) -> None:
        """Closes the connections of the running event loop."""
        await self.clients.aclose()

    def headers(self, request: Request) -> dict[str, str]:
        """Returns the headers of a request."""
        headers = {"accept": "application/json", **request.headers}
        key = self.key if request.key is None else request.key
        if key:
            headers["authorization"] = f"Bearer {key}"
        return headers

    def _arguments(self, request: Request) -> dict[str, Any]:
        """Returns the arguments of `request` of an HTTP client."""
        content, headers = request.content(), self.headers(request)
        if content is not None:
            headers["content-type"] = "application/json"
        return {
            "method": request.method,
            "url": request.path,
            "content": content,
            "params": request.params or None,
            "headers": headers,
            "timeout": timeout(request.wait),
        }


def timeout(wait: float = 0.0) -> httpx2.Timeout:
    """Returns the timeouts of a request that the server may hold for `wait` seconds."""
    read = max(wait + 10.0, READ_TIMEOUT)
    return httpx2.Timeout(None, connect=CONNECT_TIMEOUT, read=read, write=READ_TIMEOUT)


def _response(answer: httpx2.Response) -> Response:
    return Response(answer.status_code, answer.headers, answer.content)
