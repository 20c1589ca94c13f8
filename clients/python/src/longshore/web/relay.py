"""Routes that hand on what the token of a job or batch may read, as JSON and as events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .._http.events import Event, Stream, aevents
from ..client import Longshore
from ..errors import LongshoreError
from .events import EventResponse
from .problems import HEADERS, answer, problem
from .reading import impatient, is_token, read

Handler = Callable[[Request, str], Awaitable[Response]]

_PARAMETERS = ("wait", "after", "limit", "jobs")


def relay_routes(ls: Longshore, prefix: str) -> list[Route]:
    """Return the routes of jobs and batches."""
    reader = impatient(ls)

    async def read_json(request: Request, token: str) -> Response:
        path = "/v1" + request.url.path.split(prefix, 1)[1]
        params = {
            name: value for name, value in request.query_params.items() if name in _PARAMETERS
        }
        found = await read(ls, path, token, params)
        kind = found.headers.get("content-type", "application/json")
        return Response(found.content, found.status, HEADERS | {"content-type": kind})

    async def job_events(request: Request, token: str) -> Response:
        job = reader.job(request.path_params["id"], token=token)
        return EventResponse(job, request.headers.get("last-event-id"))

    async def batch_events(request: Request, token: str) -> Response:
        batch = BatchEvents(
            reader, request.path_params["id"], token, "jobs" in request.query_params
        )
        return EventResponse(batch, request.headers.get("last-event-id"))

    return [
        Route(f"{prefix}/jobs/{{id:int}}", with_token(read_json)),
        Route(f"{prefix}/jobs/{{id:int}}/log", with_token(read_json)),
        Route(f"{prefix}/jobs/{{id:int}}/events", with_token(job_events)),
        Route(f"{prefix}/batches/{{id:int}}", with_token(read_json)),
        Route(f"{prefix}/batches/{{id:int}}/results", with_token(read_json)),
        Route(f"{prefix}/batches/{{id:int}}/events", with_token(batch_events)),
    ]


class BatchEvents:
    """The events of a batch, read with a token."""

    def __init__(self, ls: Longshore, id: int, token: str, jobs: bool = False) -> None:
        self._session = ls.session
        self._path = f"/v1/batches/{id}/events"
        self._token = token
        self._params: dict[str, str | int] = {"jobs": "true"} if jobs else {}

    def aevents(self, after: str | None = None) -> AsyncIterator[Event]:
        """Return the events. The server says when there are no more."""
        stream = Stream(
            self._session, self._path, lambda _: False, after, self._params, self._token
        )
        return aevents(self._session, stream)


def with_token(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Return a handler that is called with the token of the request, its only right."""

    async def endpoint(request: Request) -> Response:
        token = request.query_params.get("token", "")
        if not is_token(token):
            detail = "the parameter token must have the read token of the job or batch"
            return answer(401, "Unauthorized", detail)
        try:
            return await handler(request, token)
        except LongshoreError as error:
            return problem(error)

    return endpoint
