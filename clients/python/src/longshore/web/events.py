"""The events of a job or batch, handed on to a browser."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from functools import partial
from typing import Any, Protocol, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from .._http.events import Event
from ..codec import is_list
from ..errors import NotAllowed, Refused, Unavailable
from . import sse
from .problems import problem

Render = Callable[[Event], str | None]

_HIDDEN = {"payload", "callback", "then", "worker"}
# Of an error, the page gets the code and the message. The rest is for the operators.
_HIDDEN_OF_ERRORS = {"traceback", "data", "response", "worker", "exit"}

#: How long to wait for the first event, which decides about the status of the answer, in seconds.
FIRST_EVENT = 2.0


class Source(Protocol):
    """A job or a batch."""

    def aevents(self, after: str | None = None) -> AsyncIterator[Event]:
        """Return its events after the one with this id."""
        ...


def event_response(
    source: Source, request: Request, render: Render | None = None, *, logs: bool = False
) -> Response:
    """Send the events of a job or batch to a browser, until the last one or until it leaves.

    A browser that reconnects gets what is new since the event that it saw last. The stream goes on
    when the job server is restarted. The application checks before who may see the job or batch.

    Without `render` the events are those of the HTTP API, without the payload, tracebacks and
    worker of the job, and only with `logs=True` with its log. `render` gets all events. It returns
    the text of an event, such as HTML, or None to leave the event out; such events have no name, so
    that they can be swapped into a page. In both cases an event named `end` follows the
    last one.
    """
    return EventResponse(source, last_event(request), render, logs)


def last_event(request: Request) -> str | None:
    """Return the id of the event that the browser saw last, unless it is none of ours."""
    text = request.headers.get("last-event-id", "")
    return text if re.fullmatch("[!-~]{1,200}", text) else None


class EventResponse(Response):
    """Decides about the status by the first event: 204 if there is nothing more to send."""

    def __init__(
        self,
        source: Source,
        after: str | None,
        render: Render | None = None,
        logs: bool = False,
    ) -> None:
        super().__init__()
        self._chunks = relayed(source, after, partial(_text, render=render, logs=logs))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer."""
        answer = await self._answer()
        await answer(scope, receive, send)

    async def _answer(self) -> Response:
        first = asyncio.ensure_future(anext(self._chunks, None))
        await asyncio.wait({first}, timeout=FIRST_EVENT)
        if not first.done():
            return sse.response(sse.kept_alive(_after(first, self._chunks)))
        try:
            if first.result() is None:
                return Response(status_code=204, headers=sse.HEADERS)
        except Refused as error:
            return problem(error)
        return sse.response(sse.kept_alive(_after(first, self._chunks)))


async def _after(
    first: asyncio.Future[str | None], rest: AsyncGenerator[str, None]
) -> AsyncGenerator[str, None]:
    """Yield the first chunk and then the others."""
    try:
        chunk = await first
        if chunk is not None:
            yield chunk
            async for chunk in rest:
                yield chunk
    finally:
        first.cancel()
        await asyncio.wait({first})
        await rest.aclose()


async def relayed(
    source: Source, after: str | None, text_of: Callable[[Event], str]
) -> AsyncGenerator[str, None]:
    """Yield the events of a job or batch as text, over restarts of the server."""
    is_begun = False
    while True:
        try:
            async with aclosing(closed(source.aevents(after=after))) as events:
                async for event in events:
                    after = event.id or after
                    is_begun = True
                    yield text_of(event)
        except Unavailable:
            # The client has tried for `give_up` already.
            yield sse.COMMENT
            continue
        except NotAllowed:
            if not is_begun:
                raise
            # The token of the page has expired in the meantime.
            yield sse.message("{}", "expired")
        break
    if is_begun:
        yield sse.message("{}", "end")


async def closed(events: AsyncIterator[Event]) -> AsyncGenerator[Event, None]:
    """Yield events; close their connection when this is closed."""
    try:
        async for event in events:
            yield event
    finally:
        if isinstance(events, AsyncGenerator):
            await events.aclose()


def public(data: Any) -> Any:
    """Return the data of a job or batch without what is for the application and its operators.

    That is the payload and the worker of a job, and the tracebacks of its attempts.
    """
    if not isinstance(data, dict):
        return data
    fields = {k: v for k, v in cast("dict[str, Any]", data).items() if k not in _HIDDEN}
    for name in ("attempts", "failures"):
        if isinstance(fields.get(name), list):
            fields[name] = [_without_details(item) for item in fields[name]]
    results = fields.get("results")
    if is_list(results):
        fields["results"] = [public(row) for row in results]
    if "error" in fields:
        fields["error"] = _without_details(fields["error"])
    return fields


def _without_details(data: Any) -> Any:
    if not isinstance(data, dict):
        return data
    fields = cast("dict[str, Any]", data)
    return {
        name: _without_details(value) if name == "error" else value
        for name, value in fields.items()
        if name not in _HIDDEN_OF_ERRORS
    }


def _text(event: Event, render: Render | None, logs: bool) -> str:
    if render is not None:
        text = render(event)
        return "" if text is None else sse.message(text, id=event.id or "")
    if event.kind == "log" and not logs:
        return ""
    data = json.dumps(public(event.data), ensure_ascii=False, separators=(",", ":"))
    return sse.message(data, event.kind, event.id or "")
