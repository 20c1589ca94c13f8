"""Routes that show a job as HTML: once, and as a stream."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from contextlib import aclosing
from importlib.resources import files
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from ..client import Longshore
from ..errors import NotAllowed, NotFound, Unavailable
from . import sse
from .events import closed
from .links import PLURALS, ViewLink
from .markup import Shown, job_element
from .mounts import RootObserver, asked_prefix, note_asked
from .problems import HEADERS, answer
from .reading import blank, impatient, missing, show, shown
from .relay import BatchEvents, with_token
from .views import View, find_view

_SCRIPT = files("longshore.web").joinpath("job_view.js").read_bytes()


def view_routes(ls: Longshore, prefix: str) -> list[BaseRoute]:
    """Return the routes of `JobView`."""

    async def fragment(request: Request, token: str) -> Response:
        note_asked(prefix)
        link, view = link_of(request, token), find_view(request.query_params.get("view", ""))
        if view is None:
            return _unknown_view(link.view)
        now = await show(ls, link, view)
        attributes = {} if now.is_last else link.polling()
        return HTMLResponse(job_element(now, attributes), headers=HEADERS)

    async def stream(request: Request, token: str) -> Response:
        note_asked(prefix)
        link, view = link_of(request, token), find_view(request.query_params.get("view", ""))
        if view is None:
            return _unknown_view(link.view)
        return sse.response(sse.kept_alive(view_stream(ls, link, view)))

    async def script(_: Request) -> Response:
        headers = {"Cache-Control": "public, max-age=3600"}
        return Response(_SCRIPT, headers=headers, media_type="text/javascript")

    routes: list[BaseRoute] = [RootObserver(prefix), Route(f"{prefix}/job_view.js", script)]
    for plural in PLURALS.values():
        routes.append(Route(f"{prefix}/{plural}/{{id:int}}/view", with_token(fragment)))
        routes.append(Route(f"{prefix}/{plural}/{{id:int}}/stream", with_token(stream)))
    return routes


def link_of(request: Request, token: str) -> ViewLink:
    """Return what the address of a request says, with the prefix under which it was asked for."""
    given = request.query_params
    prefix, plural, _, _ = request.url.path.rsplit("/", 3)
    return ViewLink(
        id=int(request.path_params["id"]),
        token=token,
        view=given.get("view", ""),
        label=given.get("label", ""),
        poll=_poll(given.get("poll")),
        prefix=asked_prefix(request.scope, prefix),
        what="batch" if plural == PLURALS["batch"] else "job",
    )


def _poll(text: str | None) -> float:
    """Return the pause between two requests: between 0.1 s and a minute."""
    try:
        seconds = float(text or 1.0)
    except ValueError:
        return 1.0
    return min(max(seconds, 0.1), 60.0) if math.isfinite(seconds) else 1.0


def _unknown_view(name: str) -> Response:
    return answer(404, "Not Found", f"no view is called {name!r}; it needs the decorator @view")


async def view_stream(ls: Longshore, link: ViewLink, view: View) -> AsyncGenerator[str, None]:
    """Yield the HTML of a job after each change, and an event named `end` after the last one."""
    previous = ""
    async with aclosing(_states(ls, link, view)) as states:
        async for now in states:
            html = job_element(now)
            if html != previous:
                yield sse.message(html)
            previous = html
            if now.is_last:
                break
    yield sse.message("{}", "end")


async def _states(ls: Longshore, link: ViewLink, view: View) -> AsyncGenerator[Shown, None]:
    """Yield what a page shows of a job or batch after each of its events, over restarts of the
    server.
    """
    reader = impatient(ls)
    while True:
        try:
            async with aclosing(_data(reader, link)) as read:
                async for data in read:
                    yield await shown(ls, link, data, view) if data else blank(link, "gone")
            return
        except (Unavailable, NotAllowed, NotFound) as error:
            yield missing(link, error)


async def _data(ls: Longshore, link: ViewLink) -> AsyncGenerator[dict[str, Any] | None, None]:
    """Yield the job or batch after each of its events; None if it was deleted."""
    job = ls.job(link.id, token=link.token)
    source = job if link.what == "job" else BatchEvents(ls, link.id, link.token)
    async with aclosing(closed(source.aevents())) as events:
        async for event in events:
            if event.kind == "gone":
                yield None
            elif event.kind == "batch":
                yield event.data
            elif event.kind in {"state", "progress"}:
                yield job.to_dict()
