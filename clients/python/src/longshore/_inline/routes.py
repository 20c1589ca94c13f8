"""The routes of the server that the client uses, on a store."""

from __future__ import annotations

import re
from typing import Any

from longshore._http import Request, Response
from longshore.codec import dumps, loads
from longshore.outcome import FINAL

from . import row as rows
from .checks import faults
from .store import Row, Steps, Store

_JOB = re.compile(r"/v1/jobs/(\d+)(?:/(\w+))?")
_BATCH = re.compile(r"/v1/batches/(\d+)(?:/(\w+))?")


def handle(store: Store, request: Request) -> Steps[Response]:
    """Answers one request."""
    content = request.content()
    body: Any = loads(content) if content else None
    key = request.headers.get("idempotency-key")
    wrong = faults(body)
    if wrong:
        return _invalid(wrong)
    if key is not None and key in store.keys:
        known, response = store.keys[key]
        return response if known == (request.path, body) else _reused()
    response = yield from _route(store, request, body)
    if key is not None and response.is_ok:
        store.keys[key] = (request.path, body), response
    return response


def _route(store: Store, request: Request, body: Any) -> Steps[Response]:
    if request.path == "/v1/jobs" and request.method == "POST":
        return answer(202, (yield from store.submit(body)))
    if request.path == "/v1/jobs":
        listed = store.jobs_of(store.batches[int(request.params["batch"])])
        return answer(200, {"jobs": listed[::-1], "next_cursor": None})
    if request.path == "/v1/batches":
        created = yield from store.create_batch(body)
        return answer(202, {**store.described(created), "job_ids": created["ids"]})
    if match := _JOB.fullmatch(request.path):
        row = store.jobs.get(int(match[1]))
        if row is not None:
            return (yield from _job(store, row, request, match[2] or request.method))
    if match := _BATCH.fullmatch(request.path):
        batch = store.batches.get(int(match[1]))
        if batch is not None:
            return (yield from _batch(store, batch, request, body, match[2] or request.method))
    return problem(404, f"{request.method} {request.path}: there is nothing like this inline")


def _job(store: Store, row: Row, request: Request, action: str) -> Steps[Response]:
    match action:
        case "GET":
            if request.wait:
                store.check_final(row)
        case "DELETE":
            del store.jobs[row["id"]]
            return Response(204, {})
        case "log":
            text = "".join(store.logs[row["id"]])
            return answer(200, {"from": 0, "to": len(text.encode()), "text": text})
        case "cancel" if row["state"] == "running":
            row["cancel_requested"] = True
        case "cancel" if row["state"] in ("completed", "failed"):
            return problem(409, f"job {row['id']} is {row['state']}")
        case "cancel":
            rows.cancel(row, "the job was cancelled")
        case "retry":
            yield from _run_again(store, row)
        case _:
            return other(action)
    return answer(200, row)


def _batch(store: Store, batch: Row, request: Request, body: Any, action: str) -> Steps[Response]:
    match action:
        case "GET":
            pass
        case "jobs":
            return (yield from _add(store, batch, body["jobs"]))
        case "close":
            batch["open"] = False
            yield from store.finish(batch)
        case "results":
            return _results(store, store.jobs_of(batch), request)
        case "cancel":
            for job in store.jobs_of(batch):
                if job["state"] not in FINAL:
                    rows.cancel(job, "the job was cancelled")
        case "retry":
            return (yield from _retry_failed(store, batch))
        case _:
            return other(action)
    return answer(200, store.described(batch))


def _add(store: Store, batch: Row, submissions: list[Row]) -> Steps[Response]:
    if not batch["open"]:
        return problem(409, f"batch {batch['id']} is closed")
    before = len(batch["ids"])
    yield from store.add(batch, submissions)
    return answer(202, {"batch": store.described(batch), "job_ids": batch["ids"][before:]})


def _retry_failed(store: Store, batch: Row) -> Steps[Response]:
    failed = [job for job in store.jobs_of(batch) if job["state"] == "failed"]
    for job in failed:
        yield from _run_again(store, job)
    return answer(200, {**store.described(batch), "retried": len(failed)})


def _run_again(store: Store, row: Row) -> Steps[None]:
    more = max(row["max_attempts"], row["attempt"] + 1)
    row.update(state="queued", result=None, error=None, max_attempts=more)
    yield from store.run(row)


def _results(store: Store, jobs: list[Row], request: Request) -> Response:
    left = [job for job in jobs if job["id"] > int(request.params.get("after", 0))]
    page = left[: int(request.params.get("limit", 200))]
    if page and request.wait:
        store.check_final(page[0])
    next_after = page[-1]["id"] if len(page) < len(left) else None
    return answer(200, {"results": page, "next_after": next_after})


def stream(store: Store, request: Request) -> bytes | None:
    """Returns the events of a job or batch as the server sends them: one with its state."""
    if match := _JOB.fullmatch(request.path):
        row = store.jobs.get(int(match[1]))
        return None if row is None else _event("state", row)
    if match := _BATCH.fullmatch(request.path):
        batch = store.batches.get(int(match[1]))
        if batch is not None:
            listed = store.jobs_of(batch) if "jobs" in request.params else []
            jobs = b"".join(_event("job", job) for job in listed)
            return jobs + _event("batch", store.described(batch))
    return None


def _event(kind: str, data: Row) -> bytes:
    return b"id: 1\nevent: %s\ndata: %s\n\n" % (kind.encode(), dumps(data))


def other(action: str) -> Response:
    """Answers an action of a job or batch that needs nothing of it."""
    if action == "token":
        return answer(201, {"token": "lt_inline"})
    return problem(404, f"there is no action {action} inline")


def answer(status: int, body: Any) -> Response:
    """Returns an answer with a JSON body."""
    return Response(status, {}, dumps(body))


def problem(status: int, detail: str, kind: str = "inline", **fields: Any) -> Response:
    """Returns a refusal."""
    return answer(status, {"type": f"urn:longshore:problem:{kind}", "detail": detail, **fields})


def _invalid(wrong: list[dict[str, str]]) -> Response:
    first = wrong[0]
    one = f"{first['pointer']}: {first['detail']}"
    detail = one if len(wrong) == 1 else f"{len(wrong)} fields are invalid; see errors"
    return problem(422, detail, "invalid", errors=wrong)


def _reused() -> Response:
    detail = "the idempotency key was used before with a different request"
    return problem(422, detail, "idempotency-key-reused")
