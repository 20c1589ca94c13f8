"""The routes of the server that the client uses, on a store."""

from __future__ import annotations

import re
from typing import Any

from .._http import Request, Response
from ..codec import dumps, loads
from . import row as rows
from .store import FINAL, Row, Steps, Store

_JOB = re.compile(r"/v1/jobs/(\d+)(?:/(\w+))?")
_BATCH = re.compile(r"/v1/batches/(\d+)(?:/(\w+))?")


def handle(store: Store, request: Request) -> Steps[Response]:
    """Answers one request."""
    content = request.content()
    body = loads(content) if content else {}
    key = request.headers.get("idempotency-key")
    if key is not None and key in store.keys:
        return store.keys[key]
    response = yield from _route(store, request, body)
    if key is not None:
        store.keys[key] = response
    return response


def _route(store: Store, request: Request, body: Any) -> Steps[Response]:
    if request.path == "/v1/jobs" and request.method == "POST":
        return answer(202, (yield from store.submit(body)))
    if request.path == "/v1/jobs":
        batch = store.batches.get(int(request.params["batch"]), {"ids": []})
        return answer(200, {"jobs": store.jobs_of(batch)[::-1], "next_cursor": None})
    if request.path == "/v1/batches":
        batch = yield from store.create_batch(body)
        return answer(202, {**store.described(batch), "job_ids": batch["ids"]})
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
        case "token":
            return answer(201, {"token": "lt_inline"})
        case "cancel" if row["state"] == "running":
            row["cancel_requested"] = True
        case "cancel" if row["state"] in ("completed", "failed"):
            return problem(409, f"job {row['id']} is {row['state']}")
        case "cancel":
            rows.cancel(row, "the job was cancelled")
        case "retry":
            more = max(row["max_attempts"], row["attempt"] + 1)
            row.update(state="queued", result=None, error=None, max_attempts=more)
            yield from store.run(row)
        case _:
            return problem(404, f"there is no action {action} inline")
    return answer(200, row)


def _batch(store: Store, batch: Row, request: Request, body: Any, action: str) -> Steps[Response]:
    jobs = store.jobs_of(batch)
    match action:
        case "GET":
            pass
        case "jobs" if batch["open"]:
            before = len(batch["ids"])
            yield from store.add(batch, body["jobs"])
            added = batch["ids"][before:]
            return answer(202, {"batch": store.described(batch), "job_ids": added})
        case "jobs":
            return problem(409, f"batch {batch['id']} is closed")
        case "close":
            batch["open"] = False
            yield from store.finish(batch)
        case "results":
            return _results(store, jobs, request)
        case "token":
            return answer(201, {"token": "lt_inline"})
        case "cancel":
            for job in jobs:
                if job["state"] not in FINAL:
                    rows.cancel(job, "the job was cancelled")
        case "retry":
            failed = [job for job in jobs if job["state"] == "failed"]
            for job in failed:
                job.update(state="queued", error=None, max_attempts=job["attempt"] + 1)
                yield from store.run(job)
            return answer(200, {**store.described(batch), "retried": len(failed)})
        case _:
            return problem(404, f"there is no action {action} inline")
    return answer(200, store.described(batch))


def _results(store: Store, jobs: list[Row], request: Request) -> Response:
    left = [job for job in jobs if job["id"] > int(request.params.get("after", 0))]
    page = left[: int(request.params.get("limit", 200))]
    if page and request.wait:
        store.check_final(page[0])
    next_after = page[-1]["id"] if len(page) < len(left) else None
    return answer(200, {"results": page, "next_after": next_after})


def stream(store: Store, path: str) -> bytes | None:
    """Returns the events of a job or batch as the server sends them: one with its state."""
    if match := _JOB.fullmatch(path):
        row = store.jobs.get(int(match[1]))
        return None if row is None else _event("state", row)
    if match := _BATCH.fullmatch(path):
        batch = store.batches.get(int(match[1]))
        if batch is not None:
            jobs = b"".join(_event("job", job) for job in store.jobs_of(batch))
            return jobs + _event("batch", store.described(batch))
    return None


def _event(kind: str, data: Row) -> bytes:
    return b"id: 1\nevent: %s\ndata: %s\n\n" % (kind.encode(), dumps(data))


def answer(status: int, body: Any) -> Response:
    """Returns an answer with a JSON body."""
    return Response(status, {}, dumps(body))


def problem(status: int, detail: str) -> Response:
    """Returns a refusal."""
    return answer(status, {"type": "urn:longshore:problem:inline", "detail": detail})
