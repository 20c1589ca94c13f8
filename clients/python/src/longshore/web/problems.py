"""Errors of the routes for pages, as problem details (RFC 9457)."""

from __future__ import annotations

from starlette.responses import JSONResponse

from ..errors import LongshoreError, Refused

HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def problem(error: LongshoreError) -> JSONResponse:
    """Return the answer for an error of the server: what it said, or 503 if it said nothing."""
    if isinstance(error, Refused):
        return answer(error.status, error.title, error.detail)
    return answer(503, "Service Unavailable", "the job server cannot be reached")


def answer(status: int, title: str, detail: str) -> JSONResponse:
    """Return an error of these routes themselves."""
    return JSONResponse(
        {"title": title, "status": status, "detail": detail},
        status,
        HEADERS | ({"Retry-After": "1"} if status == 503 else {}),
        "application/problem+json",
    )
