"""Reads a job or batch with the token of a browser, and with no other right."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from inspect import isawaitable
from typing import Any, cast

from .._http import Request, Response
from ..batch import Counts
from ..client import Longshore
from ..errors import LongshoreError, NotAllowed, NotFound, Unavailable
from .links import ViewLink
from .markup import Shown, to_html
from .views import View, show_text

#: How long one request of a page waits for a server that does not answer, in seconds.
PATIENCE = 3.0

_log = logging.getLogger("longshore.web")


def is_token(text: str) -> bool:
    """Return whether a text has the form of a read token. API keys are not accepted from a page."""
    return re.fullmatch(r"lt_[A-Za-z0-9._-]{1,1000}", text) is not None


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


async def show(ls: Longshore, link: ViewLink, render: View) -> Shown:
    """Read a job or batch and return what a page shows of it, whatever happens."""
    try:
        data = (await read(ls, f"/v1{link.place}", link.token)).json()
    except (NotAllowed, NotFound, Unavailable) as error:
        return missing(link, error)
    return await shown(ls, link, data, render)


def missing(link: ViewLink, error: LongshoreError) -> Shown:
    """Return what a page shows of a job or batch that cannot be read."""
    if isinstance(error, Unavailable):
        return blank(link, "away")
    return blank(link, "gone" if isinstance(error, NotFound) else "expired")


def blank(link: ViewLink, state: str) -> Shown:
    """Return what a page shows of a job or batch of which it knows the state only."""
    return Shown(link.id, state, link.label, what=link.what)


async def shown(ls: Longshore, link: ViewLink, data: Mapping[str, Any], render: View) -> Shown:
    """Return what a page shows of a job or batch that was read."""
    if link.what == "batch":
        return await _batch(link, data, render)
    state = str(data["state"])
    if state == "completed":
        result = partial(ls.decoder_of(str(data["kind"])), data.get("result"))
        return await _completed(link, result, render)
    if state in {"failed", "cancelled"}:
        error = cast("Mapping[str, Any]", data.get("error") or {})
        return replace(blank(link, state), message=_reason(state, error))
    progress = cast("Mapping[str, Any]", data.get("progress") or {})
    percent, message = progress.get("percent"), progress.get("message") or ""
    return replace(blank(link, state), percent=percent, message=message)


async def _batch(link: ViewLink, data: Mapping[str, Any], render: View) -> Shown:
    """Return what a page shows of a batch: how many of its jobs have ended, also at the end."""
    counts = Counts.of(data)
    if data["finished_at"] is None:
        text = _counted(counts)
        return replace(blank(link, "running"), percent=counts.percent, message=text)
    result: Any = _counted(counts) if render is show_text else counts
    return await _completed(link, lambda: result, render)


def _counted(counts: Counts) -> str:
    others = {"failed": counts.failed, "cancelled": counts.cancelled}
    text = "".join(f", {number} {state}" for state, number in others.items() if number)
    return f"{counts.final} of {counts.total} done{text}"


def _reason(state: str, error: Mapping[str, Any]) -> str:
    message, code = str(error.get("message") or ""), str(error.get("code") or "")
    # A cancelled job says so already; one that expired has more to say.
    return "" if state == code == "cancelled" else message or code


async def _completed(link: ViewLink, result: Callable[[], Any], render: View) -> Shown:
    try:
        content = render(result())
        if isawaitable(content):
            content = await content
        return replace(blank(link, "completed"), answer=to_html(content))
    except Exception:
        # The page asks once more each second, so an error of the view must be the last thing it
        # shows.
        _log.exception("the result of %s %s cannot be shown", link.what, link.id)
        return replace(blank(link, "failed"), message="The result cannot be shown.")
