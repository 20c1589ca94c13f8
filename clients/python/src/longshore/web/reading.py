"""Reads a job with the token of a browser, and with no other right."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from inspect import isawaitable
from typing import Any, cast

from .._http import Request, Response
from ..client import Longshore
from ..errors import LongshoreError, NotAllowed, NotFound, Unavailable
from .markup import Shown, to_html
from .views import View, show_text

#: How long one request of a page waits for a server that does not answer, in seconds.
PATIENCE = 3.0

_log = logging.getLogger("longshore.web")


def is_token(text: str) -> bool:
    """Return whether a text has the form of a read token. API keys are not accepted from a page."""
    return text.startswith("lt_")


async def read(
    ls: Longshore, path: str, token: str, params: Mapping[str, str] | None = None
) -> Response:
    """Send a `GET` request with a token in place of the key of the application."""
    wait = 60.0 if params and "wait" in params else 0.0
    request = Request("GET", path, params=params or {}, wait=wait, give_up=PATIENCE, key=token)
    return await ls.session.asend(request)


def impatient(ls: Longshore) -> Longshore:
    """Return a client with the connections of `ls` that says soon that the server is away."""
    reader = Longshore(ls.url, key="", give_up=PATIENCE)
    reader.session.clients = ls.session.clients
    return reader


async def show(
    ls: Longshore, job_id: int, token: str, render: View = show_text, label: str = ""
) -> Shown:
    """Read a job and return what a page shows of it, whatever happens."""
    try:
        job = (await read(ls, f"/v1/jobs/{job_id}", token)).json()
    except (NotAllowed, NotFound, Unavailable) as error:
        return missing(job_id, error, label)
    return await shown(ls, job, render, label)


def missing(job_id: int, error: LongshoreError, label: str = "") -> Shown:
    """Return what a page shows of a job that cannot be read."""
    if isinstance(error, Unavailable):
        return Shown(job_id, "away", label)
    return Shown(job_id, "gone" if isinstance(error, NotFound) else "expired", label)


async def shown(ls: Longshore, job: Mapping[str, Any], render: View, label: str = "") -> Shown:
    """Return what a page shows of a job that was read."""
    job_id, state = int(job["id"]), str(job["state"])
    if state == "completed":
        return await _completed(ls, job, render, label)
    if state in {"failed", "cancelled"}:
        error = cast("Mapping[str, Any]", job.get("error") or {})
        return Shown(job_id, state, label, message=_reason(state, error))
    progress = cast("Mapping[str, Any]", job.get("progress") or {})
    return Shown(job_id, state, label, progress.get("percent"), progress.get("message") or "")


def _reason(state: str, error: Mapping[str, Any]) -> str:
    message, code = str(error.get("message") or ""), str(error.get("code") or "")
    # A cancelled job says so already.
    return "" if state == code else message or code


async def _completed(ls: Longshore, job: Mapping[str, Any], render: View, label: str) -> Shown:
    job_id = int(job["id"])
    try:
        content = render(ls.decoder_of(str(job["kind"]))(job.get("result")))
        if isawaitable(content):
            content = await content
        return Shown(job_id, "completed", label, answer=to_html(content))
    except Exception:
        # The page asks once more each second, so an error of the view must be the last thing it
        # shows.
        _log.exception("the result of job %s cannot be shown", job_id)
        return Shown(job_id, "failed", label, message="The result cannot be shown.")
