"""Views in applications that are mounted below a path."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from html import unescape
from importlib import import_module
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from longshore import Longshore
from longshore.web import JobView, job_html, mounts, routes
from longshore.web.mounts import Unasked
from web.jobs import submit

fasthtml: Any = import_module("fasthtml.common")


@pytest.fixture(autouse=True)
def no_roots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what the routes of other tests have seen."""
    monkeypatch.setattr(mounts, "_last_roots", {})
    monkeypatch.setattr(mounts, "_unasked", Unasked())


def client_of(app: Any, **options: Any) -> Any:
    return TestClient(app, **options)


def pages(ls: Longshore) -> list[Route]:
    def page(_: Request) -> HTMLResponse:
        return HTMLResponse(job_html(submit(ls, "work", remote=True)))

    async def apage(_: Request) -> HTMLResponse:
        return HTMLResponse(str(await JobView(submit(ls, "work", remote=True))))

    return [Route("/page", page), Route("/apage", apage)]


def starlette(ls: Longshore) -> Any:
    return Starlette(routes=[Mount("/app", routes=[*routes(ls), *pages(ls)])])


def nested(ls: Longshore) -> Any:
    inner = Starlette(routes=[*routes(ls), *pages(ls)])
    return Starlette(routes=[Mount("/a", routes=[Mount("/pp", inner)])])


def outside(ls: Longshore) -> Any:
    """The routes are at the top, and the pages are mounted."""
    return Starlette(routes=[*routes(ls), Mount("/app", routes=pages(ls))])


def fast_html(ls: Longshore) -> Any:
    inner = fasthtml.FastHTML(secret_key="test", routes=[*routes(ls), *pages(ls)])
    return Starlette(routes=[Mount("/app", inner)])


def fast_api(ls: Longshore) -> Any:
    app = FastAPI()
    app.mount("/app", FastAPI(routes=[*routes(ls), *pages(ls)]))
    return app


@pytest.mark.parametrize("page", ["page", "apage"])
@pytest.mark.parametrize(
    ("make", "at"),
    [
        (starlette, "/app"),
        (nested, "/a/pp"),
        (outside, "/app"),
        (fast_html, "/app"),
        (fast_api, "/app"),
    ],
)
def test_a_view_of_a_mounted_application_finds_its_routes(
    ls: Longshore, make: Callable[[Longshore], Any], at: str, page: str
) -> None:
    with client_of(make(ls)) as client:
        html = client.get(f"{at}/{page}").text
        for _ in range(2):
            answer = client.get(unescape(re.findall('hx-get="([^"]+)"', html)[0]))
            assert (answer.status_code, "waiting" in answer.text) == (200, True)
            html = answer.text


def test_a_proxy_may_take_the_path_away(ls: Longshore) -> None:
    with client_of(Starlette(routes=[*routes(ls), *pages(ls)]), root_path="/api") as client:
        html = client.get("/page").text
        assert 'hx-get="/api/longshore/jobs/' in html
        address = unescape(re.findall('hx-get="/api([^"]+)"', html)[0])
        assert 'hx-get="/api/longshore/jobs/' in client.get(address).text


def test_a_view_whose_routes_are_never_asked_warns_once(
    ls: Longshore, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.WARNING, "longshore.web")
    now = 100.0
    monkeypatch.setattr(mounts, "_unasked", Unasked(lambda: now))
    app = Starlette(routes=[Mount("/app", routes=[*pages(ls), *routes(ls)])])
    with client_of(app) as client:
        client.get("/app/page")
        assert caplog.text == ""
        for _ in range(2):
            now += 6
            client.get("/app/page")
        assert caplog.text.count("no page has asked for a job below /longshore/ yet") == 1
        client.get("/app/else")
        assert 'hx-get="/app/longshore/' in client.get("/app/page").text
