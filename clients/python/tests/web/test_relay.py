from __future__ import annotations

import time
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from longshore import Event, Longshore
from longshore._http import Request as ApiRequest
from longshore.testing import Server
from longshore.web import event_response, routes
from web.jobs import echo, lease, report, submit
from web.pages import page_app, served


def get(url: str, **params: str) -> httpx2.Response:
    return httpx2.get(url, params=params, timeout=30)


def test_a_job_is_read_with_its_token_and_without_its_payload(ls: Longshore, relay: str) -> None:
    job = submit(ls, "echo", {"secret": 1}).wait()
    answer = get(f"{relay}/jobs/{job.id}", token=job.token())
    assert answer.status_code == 200
    assert answer.json()["result"] == {"secret": 1}
    assert "payload" not in answer.json()
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["jobs/{}", "jobs/{}/log", "jobs/{}/events", "jobs/{}/view"])
def test_no_route_answers_without_a_token(ls: Longshore, relay: str, path: str) -> None:
    job = submit(ls, "echo")
    assert get(f"{relay}/{path.format(job.id)}").status_code == 401
    assert get(f"{relay}/{path.format(job.id)}", token="ls_key").status_code == 401


def test_the_token_of_one_job_does_not_read_another(ls: Longshore, relay: str) -> None:
    mine, other = submit(ls, "echo", "mine"), submit(ls, "echo", "other").wait()
    for path in ("", "/log", "/events"):
        assert get(f"{relay}/jobs/{other.id}{path}", token=mine.token()).status_code == 403
    page = get(f"{relay}/jobs/{other.id}/view", token=mine.token())
    assert "other" not in page.text
    assert "expired" in page.text


def test_a_token_that_nobody_signed_is_refused(ls: Longshore, relay: str) -> None:
    job = submit(ls, "echo")
    assert get(f"{relay}/jobs/{job.id}", token="lt_x").status_code == 401
    assert get(f"{relay}/jobs/{job.id}/events", token="lt_x").status_code == 401


def test_the_key_of_the_application_is_not_used_for_a_browser(longshore_server: Server) -> None:
    # Before the first key every request is allowed, so only a server with keys shows the
    # difference.
    ls = longshore_server.client
    body = {"name": "app", "scopes": ["admin", "submit", "read"]}
    key = ls.session.send(ApiRequest("POST", "/v1/keys", body=body)).json()["secret"]
    with Longshore(ls.url, key=key) as keyed:
        job = submit(keyed, "echo", 7).wait()
        with served(Starlette(routes=routes(keyed))) as url:
            relay = f"{url}/longshore/jobs/{job.id}"
            assert get(relay).status_code == 401
            assert get(relay, token="lt_x").status_code == 401
            assert get(relay, token=key).status_code == 401
            assert get(relay, token=job.token()).json()["result"] == 7


def test_a_wait_is_handed_on(ls: Longshore, relay: str) -> None:
    job = submit(ls, "sleep", {"duration": "500ms"})
    assert (
        get(f"{relay}/jobs/{job.id}", token=job.token(), wait="10s").json()["state"] == "completed"
    )


def data_of(sent: httpx2.ServerSentEvent) -> Any:
    return sent.json()


def read_events(url: str, token: str, after: str = "") -> list[tuple[str, Any, str]]:
    headers = {"last-event-id": after} if after else {}
    with httpx2.stream("GET", url, params={"token": token}, headers=headers, timeout=30) as answer:
        if answer.status_code != 200:
            return []
        return [(sent.event, data_of(sent), sent.id or "") for sent in httpx2.EventSource(answer)]


def test_the_events_of_a_job_end_with_its_result_and_a_mark(ls: Longshore, relay: str) -> None:
    job = submit(ls, "echo", "hello")
    events = read_events(f"{relay}/jobs/{job.id}/events", job.token())
    assert events[-2][1]["result"] == "hello"
    assert events[-1][0] == "end"


def test_a_browser_that_has_seen_the_end_is_answered_with_204(ls: Longshore, relay: str) -> None:
    job = submit(ls, "echo").wait()
    url, token = f"{relay}/jobs/{job.id}/events", job.token()
    last = read_events(url, token)[-2][2]
    answer = httpx2.get(url, params={"token": token}, headers={"last-event-id": last}, timeout=30)
    assert answer.status_code == 204


def test_a_browser_that_reconnects_gets_only_what_is_new(
    ls: Longshore, relay_with_logs: str
) -> None:
    job = submit(ls, "work", remote=True)
    leased = lease(ls, "work")
    report(ls, leased, "renew", log="first line")
    url, token = f"{relay_with_logs}/jobs/{job.id}/events", job.token()
    with httpx2.stream("GET", url, params={"token": token}, timeout=30) as answer:
        seen = next(sent for sent in httpx2.EventSource(answer) if sent.event == "log")
    assert data_of(seen)["text"] == "first line\n"
    report(ls, leased, "complete", result=1, log="second line")
    later = read_events(url, token, seen.id or "")
    assert [data["text"] for event, data, _ in later if event == "log"] == ["second line\n"]


def test_a_page_gets_no_log_traceback_or_worker_of_a_job(
    ls: Longshore, relay: str, relay_with_logs: str
) -> None:
    job = submit(ls, "work", remote=True)
    body = {"kinds": ["work"], "wait": "10s", "worker": "secret-host"}
    answer = ls.session.send(ApiRequest("POST", "/v1/leases", body=body, wait=10)).json()
    report(ls, answer["jobs"][0], "renew", log="secret-line")
    error = {"code": "broken", "message": "shown", "traceback": "secret-trace", "data": "secret-x"}
    report(ls, answer["jobs"][0], "fail", error=error, retryable=False)
    token = job.token()
    page = get(f"{relay}/jobs/{job.id}", token=token)
    assert page.json()["error"]["message"] == "shown"
    assert len(page.json()["attempts"]) == 1
    events = read_events(f"{relay}/jobs/{job.id}/events", token)
    assert events[-2][1]["error"]["code"] == "broken"
    assert "secret-" not in page.text + repr(events)
    assert get(f"{relay}/jobs/{job.id}/log", token=token).status_code == 403
    assert "secret-line" in get(f"{relay_with_logs}/jobs/{job.id}/log", token=token).text


@pytest.mark.parametrize("token", ["lt_\u00e9", "lt_a\nb", "lt_", "lt_" + "x" * 2000])
def test_an_odd_token_is_refused(relay: str, token: str) -> None:
    assert get(f"{relay}/jobs/1", token=token).status_code == 401


def test_odd_values_of_a_request_are_left_out(ls: Longshore, relay: str) -> None:
    job = submit(ls, "echo").wait()
    params = {"token": job.token()}
    url = f"{relay}/jobs/{job.id}"
    for header in ("\u00e9", "x" * 300):
        headers = [(b"last-event-id", header.encode("latin-1"))]
        assert httpx2.get(f"{url}/events", params=params, headers=headers).status_code == 200
    for poll in ("nan", "inf", "x"):
        assert get(f"{url}/view", **params, poll=poll).status_code == 200


@pytest.mark.parametrize(("mount", "prefix"), [("", ""), ("/longshore", "/longshore"), ("/a", "/")])
def test_the_routes_may_have_no_prefix_or_be_mounted(
    ls: Longshore, mount: str, prefix: str
) -> None:
    job = submit(ls, "echo", 7).wait()
    inner = routes(ls, prefix)
    path = mount + prefix.rstrip("/") + f"/jobs/{job.id}"
    app = Starlette(routes=[Mount(mount, routes=inner)] if mount else inner)
    with served(app) as url:
        assert get(url + path, token=job.token()).json()["result"] == 7
        assert get(f"{url}{path}/view", token=job.token()).status_code == 200


def test_a_stream_goes_on_over_a_restart_of_the_job_server(
    longshore_server: Server, ls: Longshore, relay: str
) -> None:
    job = submit(ls, "work", remote=True)
    leased = lease(ls, "work")
    with httpx2.stream(
        "GET", f"{relay}/jobs/{job.id}/events", params={"token": job.token()}, timeout=30
    ) as answer:
        events = iter(httpx2.EventSource(answer))
        assert next(events).event == "state"
        longshore_server.kill()
        longshore_server.start()
        report(ls, leased, "complete", result="after the restart")
        rest = [(sent.event, data_of(sent)) for sent in events]
    assert rest[-2][1]["result"] == "after the restart"
    assert rest[-1][0] == "end"


def test_a_page_that_opens_while_the_job_server_is_away_gets_the_events_later(
    longshore_server: Server, ls: Longshore, relay: str
) -> None:
    job = submit(ls, "echo", "kept")
    token = job.token()
    longshore_server.kill()
    with httpx2.stream(
        "GET", f"{relay}/jobs/{job.id}/events", params={"token": token}, timeout=30
    ) as answer:
        assert answer.status_code == 200
        longshore_server.start()
        events = [(sent.event, data_of(sent)) for sent in httpx2.EventSource(answer)]
    assert events[-2][1]["result"] == "kept"


def test_a_stream_ends_when_its_reader_leaves(ls: Longshore) -> None:
    job = submit(ls, "work", remote=True)
    app = page_app(ls, str)
    with served(app) as url:
        address = f"{url}/longshore/jobs/{job.id}/events"
        with httpx2.stream("GET", address, params={"token": job.token()}) as answer:
            chunks = answer.iter_text()
            assert "event: state" in next(chunks)
            assert app.state.streams == 1
        deadline = time.monotonic() + 10
        while app.state.streams:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_the_events_of_an_application_have_no_payload_and_no_webhook(ls: Longshore) -> None:
    job = submit(ls, "echo", {"secret": 1})

    def events(request: Request) -> Response:
        return event_response(job, request)

    with (
        served(Starlette(routes=[Route("/events", events)])) as url,
        httpx2.stream("GET", f"{url}/events", timeout=30) as answer,
    ):
        last = [data_of(sent) for sent in httpx2.EventSource(answer)][-2]
    assert last["result"] == {"secret": 1}
    assert "payload" not in last


def test_an_application_can_render_events(ls: Longshore) -> None:
    job = submit(ls, "echo", "line 1\nline 2")

    def render(event: Event) -> str | None:
        result: str | None = event.data.get("result")
        return result

    def events(request: Request) -> Response:
        return event_response(job, request, render)

    with (
        served(Starlette(routes=[Route("/events", events)])) as url,
        httpx2.stream("GET", f"{url}/events", timeout=30) as answer,
    ):
        sent = [(event.event, event.data) for event in httpx2.EventSource(answer)]
    assert sent == [("message", "line 1\nline 2"), ("end", "{}")]


def test_a_batch_is_read_with_its_token(ls: Longshore, relay: str) -> None:
    calls = [echo(n) for n in range(3)]
    batch, other = ls.batch(calls), ls.batch(calls)
    batch.wait()
    url, token = f"{relay}/batches/{batch.id}", batch.token()
    assert get(url, token=token).json()["counts"]["completed"] == 3
    page = get(f"{url}/results", token=token, limit="2").json()
    assert [row["result"] for row in page["results"]] == [0, 1]
    events = read_events(f"{url}/events", token)
    assert [event for event, _, _ in events] == ["batch", "end"]
    for path in ("", "/results", "/events"):
        assert get(f"{relay}/batches/{other.id}{path}", token=token).status_code == 403


def test_a_page_can_follow_each_job_of_a_batch(ls: Longshore, relay: str) -> None:
    batch = ls.batch([echo(n) for n in range(3)])
    params = {"token": batch.token(), "jobs": "true"}
    url = f"{relay}/batches/{batch.id}/events"
    with httpx2.stream("GET", url, params=params, timeout=30) as answer:
        events = [(sent.event, data_of(sent)) for sent in httpx2.EventSource(answer)]
    assert sorted(data["result"] for event, data in events if event == "job") == [0, 1, 2]
    assert events[-1][0] == "end"
