"""Applications with pages, served by uvicorn."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from longshore import Longshore
from longshore.web import routes

# FastHTML makes htmx 4 read `hx-on-click` as `hx-on:click`. So does a name with a hyphen before it.
META = """<meta name="htmx-config" content='{"metaCharacter": "-"}'>"""
ASSETS = Path(__file__).parent / "assets"


@contextmanager
def served(app: Any, port: int = 0) -> Generator[str]:
    """Serve an ASGI application and yield its address."""
    config = uvicorn.Config(
        app, port=port, log_level="warning", timeout_graceful_shutdown=1, ws="none"
    )
    server = uvicorn.Server(config)
    is_up = threading.Event()
    startup = server.startup

    async def announced(sockets: Any = None) -> None:
        await startup(sockets)
        is_up.set()

    server.startup = announced  # type: ignore[method-assign]
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    assert is_up.wait(20)
    try:
        bound = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{bound}"
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


class Counted:
    """Counts the streams of an application. The first requests for a view get an error."""

    def __init__(self, app: ASGIApp, fail_first: int) -> None:
        self.app = app
        self.fail_first = fail_first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        path = scope.get("path", "")
        if path.endswith("/view") and self.fail_first > 0:
            self.fail_first -= 1
            await HTMLResponse("<h1>502 Bad Gateway</h1>", 502)(scope, receive, send)
            return
        is_stream = path.endswith(("/stream", "/events"))
        state = scope["app"].state
        state.streams += is_stream
        try:
            await self.app(scope, receive, send)
        finally:
            state.streams -= is_stream


def page_app(
    ls: Longshore, content: Callable[[], str], htmx: str | None = None, fail_first: int = 0
) -> Starlette:
    """Return an application with one page, which has the routes of the pages and maybe htmx."""

    def page(request: Request) -> Response:
        script = f"{META}<script src=/{htmx.removeprefix('-')}></script>" if htmx else ""
        script = script if htmx and htmx.startswith("-") else script.removeprefix(META)
        return HTMLResponse(
            f"<!doctype html><html lang=en><title>Jobs</title><link rel=icon href=data:,>{script}"
            f"<main>{content()}</main>"
        )

    def more(request: Request) -> Response:
        return HTMLResponse("<p>page two</p>")

    def asset(request: Request) -> Response:
        name = request.path_params["name"]
        return Response((ASSETS / name).read_bytes(), media_type="text/javascript")

    own = [Route("/", page), Route("/pages", more), Route("/{name}", asset)]
    counted = Middleware(Counted, fail_first=fail_first)
    app = Starlette(routes=[*routes(ls), *own], middleware=[counted])
    app.state.streams = 0
    return app
