"""Duties of a worker that must go on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

_PAUSE = 1.0

log = logging.getLogger("longshore.worker")


async def kept_alive(duty: Callable[[], Awaitable[None]]) -> None:
    """Run a duty, and start it again if it fails: without it, all leases would expire."""
    while True:
        try:
            await duty()
        except Exception:
            log.exception("a duty of the worker failed and is started again")
            await asyncio.sleep(_PAUSE)
        else:
            return
