"""Applications with pages, served by uvicorn."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from longshore import Longshore
from longshore.web import routes

ASSETS = Path(__file__).parent / "assets"


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Serve an ASGI application and yield its address."""
    config = uvicorn.Config(
        app, port=0, log_level="warning", timeout_graceful_shutdown=1, ws="none"
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
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


Page = Callable[[], str]


def page_app(ls: Longshore, content: Page, htmx: str | None = None) -> Starlette:
    """Return an application with one page, which has the routes of the pages and maybe htmx."""

    def page(request: Request) -> Response:
        script = f"<script src=/{htmx}></script>" if htmx else ""
        return HTMLResponse(
            f"<!doctype html><html lang=en><title>Jobs</title><link rel=icon href=data:,>{script}"
            f"<main>{content()}</main>"
        )

    def asset(request: Request) -> Response:
        name = request.path_params["name"]
        return Response((ASSETS / name).read_bytes(), media_type="text/javascript")

    return Starlette(routes=[*routes(ls), Route("/", page), Route("/{name}", asset)])
