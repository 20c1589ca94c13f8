"""Pages that show jobs: for Starlette, FastAPI, FastHTML and templates.

    app, rt = fast_app(routes=routes(ls))

    @rt("/start")
    def post():
        return JobView(make_report.submit(7))

`event_response` sends the events of a job or batch to a page as they are.
"""

from __future__ import annotations

from ..client import Longshore

try:
    from starlette.routing import BaseRoute
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "longshore.web needs Starlette: pip install 'longshore[starlette]'", name=error.name
    ) from error

from .events import event_response
from .job_view import JobView, ajob_html, job_html
from .links import PREFIX, mounted, path_of
from .markup import Markup
from .relay import relay_routes
from .view_routes import view_routes
from .views import view

__all__ = ["JobView", "Markup", "ajob_html", "event_response", "job_html", "routes", "view"]


def routes(ls: Longshore, prefix: str = PREFIX, *, logs: bool = False) -> list[BaseRoute]:
    """Return the routes with which pages read jobs and batches.

    Each request has the read token of one job or batch (`job.token()`), which is its only right:
    the key of the application is never used for a browser, so nobody can read other jobs by
    counting ids.

    - `/jobs/{id}`, `/jobs/{id}/log`, `/jobs/{id}/events` and `/batches/{id}`,
      `/batches/{id}/results`, `/batches/{id}/events`, each with `?token=`: as those of the
      HTTP API, without the payload, the worker and the tracebacks of a job, and only with
      `logs=True` with its log
    - what `JobView` asks for
    """
    prefix = path_of(prefix)
    mounted(prefix)
    return [*view_routes(ls, prefix), *relay_routes(ls, prefix, logs)]
