"""Learns below which path an application is mounted, for the addresses in its pages."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar

from starlette.routing import Match, Route
from starlette.types import Scope

#: A page asks for its jobs within this time, in seconds, if its addresses are right.
_FIRST_ASK = 5.0

_log = logging.getLogger("longshore.web")

#: The root path for each prefix, as the routes have seen it with the request that is handled.
_roots: ContextVar[Mapping[str, str]] = ContextVar("longshore_roots")
_last_roots: dict[str, str] = {}


class FirstRoute(Route):
    """The first of the routes. A router asks it for each request that no earlier route takes."""

    def __init__(self, path: str, endpoint: object, prefix: str) -> None:
        super().__init__(path, endpoint)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        self._prefix = prefix

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Note the path below which the router is mounted."""
        if scope["type"] == "http":
            _last_roots[self._prefix] = root = str(scope.get("root_path", "")).rstrip("/")
            _roots.set({**_roots.get({}), self._prefix: root})
        return super().matches(scope)


def full_prefix(prefix: str) -> str:
    """Return the prefix of routes with the path below which their application is mounted.

    That is known from the request for the page, if the routes come before that of the page, or else
    from an earlier request. A prefix that is not one of the routes has that path already.
    """
    root = _roots.get({}).get(prefix, _last_roots.get(prefix))
    if root is None:
        _unasked.warn(prefix)
    return f"{root or ''}{prefix}"


class Unasked:
    """Warns once if pages have views for a while, and none has asked for the state of its job."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first_at: float | None = None

    def warn(self, prefix: str) -> None:
        """Take notice of a view below a prefix that no request has asked for."""
        now = self._clock()
        if self._first_at is None:
            self._first_at = now
        elif now - self._first_at > _FIRST_ASK:
            self._first_at = float("inf")
            _log.warning(
                "no page has asked for a job below %s/ yet: if the routes are mounted somewhere,"
                " put longshore.web.routes(ls) before the other routes there, or write JobView(job,"
                " prefix=...) with the whole path",
                prefix,
            )


_unasked = Unasked()
