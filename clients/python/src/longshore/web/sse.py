"""Server-sent events to a browser."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from starlette.responses import StreamingResponse

#: After this time without an event a comment is sent, so that proxies keep the connection open.
KEEP_ALIVE = 15.0
COMMENT = ":\n\n"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def message(data: str, event: str = "", id: str = "") -> str:
    """Return an event as text."""
    lines = [f"id: {id}"] if id else []
    lines += [f"event: {event}"] if event else []
    lines += [f"data: {line}" for line in data.splitlines() or [""]]
    return "\n".join(lines) + "\n\n"


def response(chunks: AsyncGenerator[str, None]) -> StreamingResponse:
    """Return a response that sends events. It stops when the browser leaves."""
    return StreamingResponse(chunks, media_type="text/event-stream", headers=HEADERS)


async def kept_alive(
    chunks: AsyncGenerator[str, None], seconds: float = KEEP_ALIVE
) -> AsyncGenerator[str, None]:
    """Yield the chunks, and a comment whenever there is none for some seconds."""
    pending: asyncio.Task[str | None] | None = None
    try:
        while True:
            pending = pending or asyncio.create_task(_next(chunks))
            done, _ = await asyncio.wait({pending}, timeout=seconds)
            if not done:
                yield COMMENT
                continue
            chunk, pending = pending.result(), None
            if chunk is None:
                return
            yield chunk
    finally:
        if pending is not None:
            pending.cancel()
            await asyncio.wait({pending})
        await chunks.aclose()


async def _next(chunks: AsyncGenerator[str, None]) -> str | None:
    return await anext(chunks, None)
