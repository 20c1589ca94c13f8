"""`JobView`: shows a job on a page of FastHTML, Jinja or any other templates."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Generator
from functools import lru_cache
from typing import Any

from ..batch import Batch
from ..duration import Duration
from ..job import Job
from .links import PREFIX, ViewLink, What, check_mounted, path_of
from .markup import Markup, Shown, element, job_element
from .mounts import full_prefix
from .reading import PATIENCE, blank
from .views import View, view_name

#: A page that is left open must not go dead: so long a view can be read.
EXPIRES_IN = "24h"

_log = logging.getLogger("longshore.web")


class JobView:
    """Shows the state of a job with a progress bar, and then its result.

    Of a batch it shows how many jobs have ended; the view of a batch gets its `Counts`.
    The application needs the addresses of `routes`.

    - `render`: a function of the result, decorated with `@view`. By default the result is shown as
      text.
    - `poll`: seconds between two requests of htmx (2 or 4), which has to be in the page.
    - `sse`: show each change at once by server-sent events instead; needs no htmx.
    - `label`: name of the progress bar for screen readers.
    - `expires_in`: how long the page may read the job.
    - `prefix`: that of `routes`. The path below which the application is mounted is found if the
      routes come before that of the page; else it is a part of the prefix.

    FastHTML and Jinja (`{{ view }}`) take it as it is. `str()` returns its HTML. An `async def`
    handler writes `await JobView(job)`, so that the event loop does not wait for the token of the
    job.
    """

    def __init__(
        self,
        job: Job[Any] | Batch[Any],
        render: View = str,
        *,
        poll: float = 1.0,
        sse: bool = False,
        label: str = "",
        expires_in: Duration = EXPIRES_IN,
        prefix: str = PREFIX,
    ) -> None:
        self.job = job
        self._view = view_name(render)
        self._poll = poll
        self._sse = sse
        self._label = label
        self._expires_in = expires_in
        check_mounted(path_of(prefix))
        self._prefix = full_prefix(path_of(prefix))
        self._token = "" if _in_event_loop() else job.token(expires_in)

    def __await__(self) -> Generator[Any, Any, JobView]:
        """Ask for the token of the job without blocking the event loop."""
        return self._with_token().__await__()

    async def _with_token(self) -> JobView:
        self._token = self._token or await self.job.atoken(self._expires_in)
        return self

    def __html__(self) -> str:
        """Return the HTML."""
        if not self._token:
            if _in_event_loop():
                warn_of_blocking()
            self._token = self.job.token(self._expires_in, give_up=PATIENCE)
        what: What = "batch" if isinstance(self.job, Batch) else "job"
        link = ViewLink(
            self.job.id, self._token, self._view, self._label, self._poll, self._prefix, what
        )
        shown = blank(link, "queued")
        return stream_element(link, shown) if self._sse else job_element(shown, link.polling())

    def __ft__(self) -> Markup:
        """Return what FastHTML puts into the page."""
        return Markup(self.__html__())

    def __str__(self) -> str:
        return self.__html__()


def job_html(job: Job[Any] | Batch[Any], render: View = str, **options: Any) -> Markup:
    """Return the HTML of a `JobView`, for templates."""
    return Markup(JobView(job, render, **options).__html__())


async def ajob_html(job: Job[Any] | Batch[Any], render: View = str, **options: Any) -> Markup:
    """Return the HTML of a `JobView`, for templates."""
    return Markup((await JobView(job, render, **options)).__html__())


def stream_element(link: ViewLink, shown: Shown) -> str:
    """Return the element that shows a job by server-sent events, with its script."""
    script = element("script", {"src": link.script(), "type": "module"}, "")
    return element("longshore-job", {"src": link.stream()}, job_element(shown)) + script


@lru_cache(maxsize=1)
def warn_of_blocking() -> None:
    """Warn once about a view that blocks the event loop."""
    _log.warning(
        "a JobView without a token blocks the event loop while it asks the job server for one:"
        " write `await JobView(job)` in an `async def` handler"
    )


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
