"""Learns below which path an application is mounted, for the addresses in its pages."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar

from starlette.routing import Match, Mount, Router
from starlette.types import Scope

from .links import is_mounted

#: A page asks for its jobs within this time, in seconds, if its addresses are right.
_FIRST_ASK = 5.0
#: Browsers take `//name`, and `/` with a backslash or a tab after it, for the address of a host.
_SAFE = re.compile(r"(?!//)[^\\\x00-\x1f]*")

_log = logging.getLogger("longshore.web")

#: The root path for each prefix, as the routes have seen it with the request that is handled. There
#: is no memory of other requests: their paths may be chosen by somebody else.
_roots: ContextVar[Mapping[str, str]] = ContextVar("longshore_roots")


class RootObserver(Mount):
    """The first of the routes. A router asks it for each request that no earlier route takes.

    It takes none. It is a mount because `include_router` of FastAPI makes plain routes of others.
    """

    def __init__(self, prefix: str) -> None:
        super().__init__(prefix, app=Router())
        self._prefix = prefix

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Note the path below which the router is mounted."""
        # FastAPI writes the prefix of `include_router` into the path of this mount.
        included = self.path.removesuffix(self._prefix)
        # A prefix with parameters would need their values, which other routes have.
        if scope["type"] == "http" and "{" not in included:
            root = safe_path(_root_of(scope) + included)
            _roots.set({**_roots.get({}), self._prefix: root})
        return Match.NONE, {}


def full_prefix(prefix: str) -> str:
    """Return the prefix of routes with the path below which their application is mounted.

    That is known from the request for the page if the routes come before that of the page. A prefix
    that is not one of the routes has that path already.
    """
    root = _roots.get({}).get(prefix)
    if root is None and is_mounted(prefix):
        _unasked.warn(prefix)
    return f"{root or ''}{prefix}"


def asked_prefix(scope: Scope, path: str) -> str:
    """Return the prefix that a browser has to use, from that of the path of a request for a job."""
    root = _root_of(scope)
    # A proxy may have taken this path away, which the browser needs.
    is_below = path == root or path.startswith(f"{root}/")
    return safe_path(path if is_below else root + path)


def note_asked(prefix: str) -> None:
    """Note that a page has found the routes below a prefix."""
    _unasked.asked.add(prefix)


def safe_path(path: str) -> str:
    """Return a path, or an empty text if a browser would take it for the address of a host."""
    return path if _SAFE.fullmatch(path) else ""


def _root_of(scope: Scope) -> str:
    return str(scope.get("root_path", "")).rstrip("/")


class Unasked:
    """Warns once if pages have views for a while, and none has asked for the state of its job."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first_at: float | None = None
        self.asked: set[str] = set()

    def warn(self, prefix: str) -> None:
        """Take notice of a view below a prefix whose path is not known from its request."""
        if prefix in self.asked:
            return
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
