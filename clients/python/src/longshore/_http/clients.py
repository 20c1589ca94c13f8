"""The HTTP clients of a session: one for all threads of a process, and one for each event loop."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import threading
import weakref
from collections.abc import AsyncGenerator
from typing import Any

import httpx2

_LIMITS = httpx2.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=30.0)
CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 15.0


class Clients:
    """Makes clients when they are first needed.

    Forgets those of another process, and of event loops that are closed.
    """

    def __init__(self, url: str) -> None:
        self._socket = url.removeprefix("unix:") if url.startswith("unix:") else None
        base_url = url if self._socket is None else "http://localhost"
        self._options: dict[str, Any] = {
            "base_url": base_url,
            "limits": _LIMITS,
            "trust_env": not _is_loopback(base_url),
            # Loading the certificates takes a tenth of a second. Redirects are not followed.
            "verify": not base_url.startswith("http:"),
        }
        self._lock = threading.Lock()
        self._client: httpx2.Client | None = None
        self._finalizer: weakref.finalize[..., Any] | None = None
        self._of_loops: dict[asyncio.AbstractEventLoop, tuple[httpx2.AsyncClient, _Guard]] = {}
        _all_clients.add(self)

    def client(self) -> httpx2.Client:
        """Returns the client for the threads of this process."""
        with self._lock:
            if self._client is None:
                transport = self._socket and httpx2.HTTPTransport(uds=self._socket, limits=_LIMITS)
                self._client = httpx2.Client(**self._options, transport=transport or None)
                # The finalizer keeps the client until the session is gone, and closes it at exit.
                self._finalizer = weakref.finalize(self, self._client.close)
            return self._client

    async def aclient(self) -> httpx2.AsyncClient:
        """Returns the client for the running event loop."""
        loop = asyncio.get_running_loop()
        with self._lock:
            entry = self._of_loops.get(loop)
            if entry is not None:
                return entry[0]
            for other in [other for other in self._of_loops if other.is_closed()]:
                del self._of_loops[other]
            transport = self._socket and httpx2.AsyncHTTPTransport(uds=self._socket, limits=_LIMITS)
            client = httpx2.AsyncClient(**self._options, transport=transport or None)
            guard = _close_with_loop(client)
            self._of_loops[loop] = client, guard
        await anext(guard)
        return client

    def close(self) -> None:
        """Closes the client of this process. Later requests make a new one."""
        with self._lock:
            client, self._client = self._client, None
            finalizer, self._finalizer = self._finalizer, None
        if finalizer is not None:
            finalizer.detach()
        if client is not None:
            client.close()

    async def aclose(self) -> None:
        """Closes the client of the running event loop."""
        with self._lock:
            entry = self._of_loops.pop(asyncio.get_running_loop(), None)
        if entry is not None:
            await entry[1].aclose()

    def forget(self) -> None:
        """Drops all clients without closing their connections.

        These belong to the process that this one was forked from. A thread of that process may have
        held a lock of its client, which nothing in this process releases: do not close it at exit.
        """
        if self._finalizer is not None:
            self._finalizer.detach()
        self._finalizer = None
        self._lock = threading.Lock()
        self._client = None
        self._of_loops = {}


_Guard = AsyncGenerator[None, None]


async def _close_with_loop(client: httpx2.AsyncClient) -> _Guard:
    """Closes the client when its loop shuts down: `asyncio.run` ends all generators of the loop."""
    try:
        yield
    finally:
        await client.aclose()


def _is_loopback(url: str) -> bool:
    """Whether a URL names this machine, so that no proxy of the environment is asked."""
    host = httpx2.URL(url).host
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


_all_clients: weakref.WeakSet[Clients] = weakref.WeakSet()


def _forget_all() -> None:
    for clients in list(_all_clients):
        clients.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
