from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from longshore import Longshore
from longshore.testing import Server
from longshore.web import job_html, view
from longshore.web.markup import Markup
from web.browser import PRESS, Browser, is_installed
from web.jobs import echo, lease, report, submit, work
from web.pages import page_app, served

pytestmark = pytest.mark.skipif(not is_installed(), reason="chromium is not installed")

AXE = Path(__file__).parents[4] / "tests" / "browser" / "chromium" / "axe.min.js"
HTMX = ["htmx-2.min.js", "htmx-4.min.js", "-htmx-4.min.js"]
# How a page fetches the states: by htmx, or by server-sent events, with which htmx is of no
# importance.
WAYS: list[tuple[str | None, bool]] = [
    ("htmx-2.min.js", False),
    ("htmx-4.min.js", False),
    ("-htmx-4.min.js", False),
    (None, True),
    ("htmx-2.min.js", True),
    ("htmx-4.min.js", True),
]


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    with Browser() as browser:
        yield browser


@view
def answer(result: str) -> Markup:
    return Markup(f"<b>{result}</b><button hx-get=/pages hx-swap=outerHTML>more</button>")


@pytest.mark.parametrize(("htmx", "sse"), WAYS)
def test_a_page_shows_progress_and_then_the_answer(
    ls: Longshore, browser: Browser, htmx: str | None, sse: bool
) -> None:
    job = submit(ls, "work", remote=True)
    html = job_html(job, answer, poll=0.1, sse=sse)
    with served(page_app(ls, lambda: html, htmx)) as url:
        browser.open(url)
        leased = lease(ls, "work")
        browser.until(lambda: "running" in browser.text())
        report(ls, leased, "renew", progress={"percent": 40, "message": "step 2"})
        browser.until(lambda: "40 %, step 2" in browser.text())
        assert browser.run("return document.querySelector('progress').value") == 40
        report(ls, leased, "complete", result="the joke")
        browser.until(lambda: "the joke" in browser.text())
        assert browser.run("return document.querySelector('progress')") is None
        if htmx:
            # What a view returns may use htmx itself, as soon as htmx has seen it.
            browser.until(lambda: browser.run(PRESS, "more") is False or None)
            browser.until(lambda: "page two" in browser.text())
        assert browser.messages() == []


@pytest.mark.parametrize(("htmx", "sse"), WAYS)
def test_a_page_goes_on_after_restarts_of_both_servers(
    longshore_server: Server, ls: Longshore, browser: Browser, htmx: str | None, sse: bool
) -> None:
    job = submit(ls, "work", remote=True)
    html = job_html(job, poll=0.1, sse=sse)
    app = page_app(ls, lambda: html, htmx)
    with served(app) as url:
        browser.open(url)
        leased = lease(ls, "work")
        browser.until(lambda: "running" in browser.text())
    # The application is away, and the job server as well when it is back.
    longshore_server.kill()
    with served(app, int(url.rsplit(":", 1)[1])):
        browser.until(lambda: "cannot be reached" in browser.text(), 60)
        longshore_server.start()
        report(ls, leased, "complete", result="after the restart")
        browser.until(lambda: "after the restart" in browser.text(), 60)
    browser.messages()


@pytest.mark.parametrize("sse", [False, True])
def test_a_page_shows_a_batch(ls: Longshore, browser: Browser, sse: bool) -> None:
    batch = ls.batch([echo(1), work(), echo(2)])
    html = job_html(batch, poll=0.1, sse=sse)
    with served(page_app(ls, lambda: html, "htmx-4.min.js")) as url:
        browser.open(url)
        browser.until(lambda: "2 of 3 done" in browser.text())
        report(ls, lease(ls, "work"), "complete", result=1)
        browser.until(lambda: "3 of 3 done" in browser.text())
        assert browser.run("return document.querySelector('progress')") is None


def test_a_view_keeps_its_own_target_inside_of_an_element_with_another(
    ls: Longshore, browser: Browser
) -> None:
    html = job_html(submit(ls, "echo", "inside"), poll=0.1)
    outer = f"<div hx-target='#other'>{html}</div><p id=other>untouched</p>"
    for htmx in HTMX:
        with served(page_app(ls, lambda: outer, htmx)) as url:
            browser.open(url)
            browser.until(lambda: "inside" in browser.text())
            assert "untouched" in browser.text()


def test_the_error_page_of_a_proxy_is_not_shown_in_place_of_a_job(
    ls: Longshore, browser: Browser
) -> None:
    html = job_html(submit(ls, "echo", "at last"), poll=0.1)
    for htmx in HTMX:
        app = page_app(ls, lambda: html, htmx, fail_first=3)
        with served(app) as url:
            browser.open(url)
            browser.until(lambda: "at last" in browser.text())
    browser.messages()


def test_a_stream_ends_when_its_element_leaves_the_page(ls: Longshore, browser: Browser) -> None:
    html = job_html(submit(ls, "work", remote=True), sse=True)
    app = page_app(ls, lambda: html)
    with served(app) as url:
        browser.open(url)
        browser.until(lambda: app.state.streams == 1)
        browser.run("document.querySelector('longshore-job').remove()")
        browser.until(lambda: app.state.streams == 0)


def violations(browser: Browser) -> list[str]:
    """Return the rules of accessibility that the page breaks."""
    browser.run(AXE.read_text(encoding="utf-8"))
    browser.run("axe.run().then(found => { window.found = found.violations.map(one => one.id) })")
    found: list[str] | None = None
    while found is None:
        found = browser.run("return window.found || null")
    return found


def test_a_view_can_be_used_with_a_screen_reader(ls: Longshore, browser: Browser) -> None:
    job = submit(ls, "work", remote=True)
    html = f"<h1>Report</h1>{job_html(job, poll=0.1, label='The report')}"
    with served(page_app(ls, lambda: html, "htmx-2.min.js")) as url:
        browser.open(url)
        leased = lease(ls, "work")
        report(ls, leased, "renew", progress={"percent": 40})
        browser.until(lambda: "40 %" in browser.text())
        assert violations(browser) == []
        report(ls, leased, "fail", error={"message": "no paper"}, retryable=False)
        browser.until(lambda: "failed: no paper" in browser.text())
        browser.run("delete window.found")
        assert violations(browser) == []
