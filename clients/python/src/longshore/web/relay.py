"""Routes that hand on what the token of a job or batch may read, as JSON and as events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .._http.events import Event, Stream, aevents
from ..client import Longshore
from ..errors import LongshoreError
from .events import EventResponse, last_event, public
from .problems import HEADERS, answer, problem
from .reading import impatient, is_token, read

Handler = Callable[[Request, str], Awaitable[Response]]

_PARAMETERS = ("wait", "after", "limit", "jobs")


def relay_routes(ls: Longshore, prefix: str, logs: bool = False) -> list[Route]:
    """Return the routes of jobs and batches."""
    reader = impatient(ls)

    def reading(path: str) -> Handler:
        async def read_json(request: Request, token: str) -> Response:
            given = request.query_params.items()
            params = {name: value for name, value in given if name in _PARAMETERS}
            found = await read(ls, path.format(request.path_params["id"]), token, params)
            return JSONResponse(public(found.json()), found.status, HEADERS)

        return read_json

    async def no_log(_: Request, __: str) -> Response:
        detail = "the application does not show the logs of jobs: routes(ls, logs=True) does"
        return answer(403, "Forbidden", detail)

    async def job_events(request: Request, token: str) -> Response:
        job = reader.job(request.path_params["id"], token=token)
        return EventResponse(job, last_event(request), logs=logs)

    async def batch_events(request: Request, token: str) -> Response:
        batch = BatchEvents(
            reader, request.path_params["id"], token, "jobs" in request.query_params
        )
        return EventResponse(batch, last_event(request))

    read_log = reading("/v1/jobs/{}/log") if logs else no_log
    handlers = {
        "/jobs/{id:int}": reading("/v1/jobs/{}"),
        "/jobs/{id:int}/log": read_log,
        "/jobs/{id:int}/events": job_events,
        "/batches/{id:int}": reading("/v1/batches/{}"),
        "/batches/{id:int}/results": reading("/v1/batches/{}/results"),
        "/batches/{id:int}/events": batch_events,
    }
    return [Route(prefix + path, with_token(handler)) for path, handler in handlers.items()]


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
