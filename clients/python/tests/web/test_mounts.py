"""Views in applications that are mounted below a path."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from html import unescape
from importlib import import_module
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.testclient import TestClient

from longshore import Longshore
from longshore.web import JobView, job_html, mounts, routes
from longshore.web.links import PREFIX
from longshore.web.mounts import Unasked
from web.jobs import submit

fasthtml: Any = import_module("fasthtml.common")


@pytest.fixture(autouse=True)
def no_roots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what the pages of other tests have asked for."""
    monkeypatch.setattr(mounts, "_unasked", Unasked())


def client_of(app: Any, **options: Any) -> Any:
    return TestClient(app, **options)


def pages(ls: Longshore, prefix: str = PREFIX) -> list[BaseRoute]:
    def page(_: Request) -> HTMLResponse:
        return HTMLResponse(job_html(submit(ls, "work", remote=True), prefix=prefix))

    async def apage(_: Request) -> HTMLResponse:
        return HTMLResponse(str(await JobView(submit(ls, "work", remote=True), prefix=prefix)))

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


def included(ls: Longshore) -> Any:
    """FastAPI makes plain routes of those of a router."""
    inner = FastAPI()
    inner.include_router(APIRouter(routes=routes(ls)))
    inner.include_router(APIRouter(routes=pages(ls)))
    app = FastAPI()
    app.mount("/app", inner)
    return app


def included_below(ls: Longshore) -> Any:
    """The router has a prefix, below which the pages are not."""
    inner = FastAPI()
    inner.include_router(APIRouter(routes=routes(ls)), prefix="/api")
    inner.include_router(APIRouter(routes=pages(ls)))
    app = FastAPI()
    app.mount("/app", inner)
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
        (included, "/app"),
        (included_below, "/app"),
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


def test_a_proxy_may_take_a_path_away_with_which_other_paths_begin(ls: Longshore) -> None:
    app = Starlette(routes=[*routes(ls, prefix="/apiary"), *pages(ls, prefix="/apiary")])
    with client_of(app, root_path="/api") as client:
        html = client.get("/page").text
        address = unescape(re.findall('hx-get="/api(/apiary/[^"]+)"', html)[0])
        assert 'hx-get="/api/apiary/jobs/' in client.get(address).text


def test_other_requests_do_not_decide_where_a_page_asks(ls: Longshore) -> None:
    app = Starlette(routes=[Mount("/{tenant}", routes=[*pages(ls), *routes(ls)])])
    with client_of(app) as client:
        client.get("/evil/nothing")
        assert "evil" not in client.get("/acme/page").text


def test_each_page_asks_below_its_own_path(ls: Longshore) -> None:
    app = Starlette(routes=[Mount("/{tenant}", routes=[*routes(ls), *pages(ls)])])
    with client_of(app) as client:
        for tenant in ("evil", "acme", "evil"):
            html = client.get(f"/{tenant}/page").text
            assert f'hx-get="/{tenant}/longshore/jobs/' in html


@pytest.mark.parametrize("root", ["//evil.example", "/\\evil.example", "/\t/evil.example"])
def test_no_page_asks_another_host(ls: Longshore, root: str) -> None:
    """As below a mount with a parameter of the type `path`."""
    app = Starlette(routes=[*routes(ls), *pages(ls)])
    with client_of(app, root_path=root) as client:
        html = client.get("/page").text
        address = unescape(re.findall('hx-get="([^"]+)"', html)[0])
        assert address.startswith("/longshore/jobs/")
        assert 'hx-get="/jobs/' in client.get(address).text


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


def unmounted(ls: Longshore) -> Any:
    """The pages come first, so that their requests do not pass the routes."""
    return Starlette(routes=[*pages(ls), *routes(ls)])


def unmounted_included(ls: Longshore) -> Any:
    app = FastAPI(routes=pages(ls))
    app.include_router(APIRouter(routes=routes(ls)))
    return app


def with_whole_prefix(ls: Longshore) -> Any:
    """The pages say where the routes are."""
    inner = [*pages(ls, prefix="/app/longshore"), *routes(ls)]
    return Starlette(routes=[*pages(ls, prefix="/app/longshore"), Mount("/app", routes=inner)])


@pytest.mark.parametrize("make", [unmounted, unmounted_included, with_whole_prefix])
def test_a_view_whose_routes_are_asked_warns_of_nothing(
    ls: Longshore,
    make: Callable[[Longshore], Any],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.WARNING, "longshore.web")
    now = 100.0
    monkeypatch.setattr(mounts, "_unasked", Unasked(lambda: now))
    with client_of(make(ls)) as client:
        for _ in range(3):
            html = client.get("/page").text
            answer = client.get(unescape(re.findall('hx-get="([^"]+)"', html)[0]))
            assert (answer.status_code, "waiting" in answer.text) == (200, True)
            now += 6
    assert caplog.text == ""
