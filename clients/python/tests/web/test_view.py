from __future__ import annotations

import time
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import httpx2
import pytest

from longshore import Counts, Longshore, Unavailable
from longshore.testing import Server
from longshore.web import JobView, ajob_html, job_html, links, view
from longshore.web.job_view import warn_of_blocking
from longshore.web.links import ViewLink
from longshore.web.markup import to_html
from web.jobs import echo, lease, report, submit, work

# The types of FastHTML are partly unknown.
fasthtml: Any = import_module("fasthtml.common")
B, Div, NotStr, to_xml = fasthtml.B, fasthtml.Div, fasthtml.NotStr, fasthtml.to_xml


@view
def bold(result: str) -> object:
    return B(result)


@view
def broken(result: object) -> object:
    raise RuntimeError("no such column")


@view
async def later(result: str) -> str:
    return f"<{result}>"


def fragment(relay: str, html: str) -> str:
    """Return what the page gets when it asks for the next state."""
    address = html.split('hx-get="', 1)[1].split('"', 1)[0].replace("&amp;", "&")
    return httpx2.get(relay.removesuffix("/longshore") + address, timeout=30).text


def test_a_view_shows_a_bar_and_asks_again_until_the_job_is_final(
    ls: Longshore, relay: str
) -> None:
    job = submit(ls, "work", remote=True)
    first = str(JobView(job, label="The report"))
    assert '<progress role="progressbar" aria-label="The report" max="100"' in first
    leased = lease(ls, "work")
    report(ls, leased, "renew", progress={"percent": 42, "message": "page <3>"})
    running = fragment(relay, first)
    assert 'aria-valuenow="42"' in running
    assert "42 %, page &lt;3&gt;" in running
    report(ls, leased, "complete", result="a & b\n\n<i>c</i>")
    last = fragment(relay, running)
    assert "<p>a &amp; b</p><p>&lt;i&gt;c&lt;/i&gt;</p>" in last
    assert "hx-get" not in last


def test_a_failed_job_shows_its_error_as_text(ls: Longshore, relay: str) -> None:
    job = submit(ls, "work", remote=True)
    error = {"code": "oops", "message": "<script>alert(1)</script>"}
    report(ls, lease(ls, "work"), "fail", error=error, retryable=False)
    last = fragment(relay, job_html(job))
    assert 'role="alert"' in last
    assert "failed: &lt;script&gt;" in last
    assert "hx-get" not in last


def test_a_cancelled_job_says_so(ls: Longshore, relay: str) -> None:
    job = submit(ls, "work", remote=True)
    job.cancel()
    assert "<p>cancelled</p>" in fragment(relay, job_html(job))


def test_a_deleted_job_ends_its_view(ls: Longshore, relay: str) -> None:
    job = submit(ls, "echo").wait()
    html = job_html(job)
    job.delete()
    last = fragment(relay, html)
    assert "no longer stored" in last
    assert "hx-get" not in last


def test_a_view_waits_for_a_server_that_is_away(
    longshore_server: Server, ls: Longshore, relay: str
) -> None:
    html = job_html(submit(ls, "echo", "here"))
    longshore_server.kill()
    away = fragment(relay, html)
    assert "cannot be reached" in away
    longshore_server.start()
    assert "<p>here</p>" in fragment(relay, away)


@pytest.mark.parametrize(
    ("render", "shown"), [(bold, "<b>a&lt;b</b>"), (later, "<p>&lt;a&lt;b&gt;</p>")]
)
def test_a_registered_function_shows_the_result(
    ls: Longshore, relay: str, render: object, shown: str
) -> None:
    job = submit(ls, "echo", "a<b").wait()
    assert shown in fragment(relay, job_html(job, render))  # type: ignore[arg-type]


def test_a_view_that_raises_ends_with_an_error_and_a_log_entry(
    ls: Longshore, relay: str, caplog: pytest.LogCaptureFixture
) -> None:
    last = fragment(relay, job_html(submit(ls, "echo").wait(), broken))
    assert "The result cannot be shown." in last
    assert "hx-get" not in last
    assert "no such column" in caplog.text


def test_only_registered_functions_can_be_views(ls: Longshore, relay: str) -> None:
    job = submit(ls, "echo").wait()
    with pytest.raises(ValueError, match=r"@longshore\.web\.view"):
        JobView(job, lambda result: result)
    link = ViewLink(job.id, job.token(), "os:system")
    answer = httpx2.get(relay.removesuffix("/longshore") + link.fragment())
    assert answer.status_code == 404


def test_two_views_of_one_name_are_an_error() -> None:
    with pytest.raises(ValueError, match="two views have the name 'bold'"):
        view(name="bold")(later)


@dataclass
class Sum:
    value: int

    def __str__(self) -> str:
        return f"the sum is {self.value}"


def test_a_result_is_shown_as_its_task_returns_it(ls: Longshore, relay: str) -> None:
    @ls.task
    def add(a: int, b: int) -> Sum:
        return Sum(a + b)

    job = submit(ls, "add", remote=True)
    report(ls, lease(ls, "add"), "complete", result={"value": 3})
    assert add.kind == "add"
    assert "<p>the sum is 3</p>" in fragment(relay, job_html(job))


async def test_an_async_handler_awaits_its_view(ls: Longshore) -> None:
    job = submit(ls, "echo")
    shown = await JobView(job)
    assert "token=lt_" in str(shown)
    assert "token=lt_" in await ajob_html(job)
    # A view that nobody awaited works as well.
    assert "token=lt_" in str(JobView(job))


def test_fasthtml_and_templates_take_a_view_as_it_is(ls: Longshore) -> None:
    shown = JobView(submit(ls, "echo"))
    assert '<div><div class="longshore-job"' in to_xml(Div(shown), indent=False)
    assert to_html(shown) == str(shown)


def test_what_a_view_returns_is_escaped_unless_it_is_html() -> None:
    assert to_html("a<b") == "<p>a&lt;b</p>"
    assert to_html(Div("a<b")).strip() == "<div>a&lt;b</div>"
    assert to_html([B("a"), "b"]) == "<b>a</b><p>b</p>"
    assert to_html(NotStr("<hr>")) == "<hr>"
    assert to_html(None) == ""
    assert to_html({"a": "<"}) == "<p>{&#x27;a&#x27;: &#x27;&lt;&#x27;}</p>"


def test_a_view_without_its_routes_is_warned_of(
    ls: Longshore, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Other tests have routes without a prefix, which may be mounted anywhere.
    monkeypatch.setattr(links, "_mounted", {"/longshore"})
    JobView(submit(ls, "echo"), prefix="/elsewhere")
    assert "add longshore.web.routes(ls)" in caplog.text


def test_a_view_of_a_batch_shows_how_many_jobs_have_ended(ls: Longshore, relay: str) -> None:
    batch = ls.batch([echo(1), work()])
    for job in batch.jobs[:1]:
        job.wait()
    first = job_html(batch)
    assert "Batch" in first
    running = fragment(relay, first)
    assert 'aria-valuenow="50"' in running
    assert "50 %, 1 of 2 done" in running
    report(ls, lease(ls, "work"), "fail", error={"message": "no"}, retryable=False)
    last = fragment(relay, running)
    assert "<p>2 of 2 done, 1 failed</p>" in last
    assert "hx-get" not in last
    assert "<b>1</b>" in fragment(relay, job_html(batch, failed_jobs))


@view
def failed_jobs(counts: Counts) -> object:
    return B(str(counts.failed))


async def test_a_view_without_await_blocks_the_event_loop_for_seconds_only(
    longshore_server: Server, ls: Longshore, caplog: pytest.LogCaptureFixture
) -> None:
    warn_of_blocking.cache_clear()
    job, batch = submit(ls, "echo"), ls.batch([echo(1)])
    longshore_server.kill()
    begin = time.monotonic()
    for shown in (job, batch):
        with pytest.raises(Unavailable):
            str(JobView(shown))
    assert time.monotonic() - begin < 15
    assert caplog.text.count("await JobView(job)") == 1
