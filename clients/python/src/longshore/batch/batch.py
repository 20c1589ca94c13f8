"""A handle on a batch."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, cast, overload

from longshore import blocking
from longshore._http.events import Event, aevents, events
from longshore.duration import Duration
from longshore.errors import JobError
from longshore.job import Job
from longshore.outcome import parse_time

from .core import LEFT, Core, check_errors
from .counts import Counts
from .pieces import Decoders

if TYPE_CHECKING:
    from longshore.client import Longshore
    from longshore.task.call import Call

R = TypeVar("R")


class Batch(Generic[R]):
    """A handle on a batch: jobs that were submitted together.

    Its attributes are those of the batch when it was last read: by the submission, or by `refresh`,
    `wait`, `events` and `cancel`.
    """

    def __init__(
        self,
        app: Longshore,
        data: Mapping[str, Any],
        ids: list[int] | None = None,
        decoders: Decoders | None = None,
        token: str | None = None,
    ) -> None:
        self.id: int = data["id"]
        self._app = app
        self._core = Core(app, data, ids, decoders, token)

    def __repr__(self) -> str:
        counts = self.counts
        return f"<Batch {self.id} {counts.final} of {counts.total} final>"

    @property
    def name(self) -> str | None:
        """The name of the batch."""
        return cast("str | None", self._core.data["name"])

    @property
    def counts(self) -> Counts:
        """The number of its jobs by state."""
        return Counts.of(self._core.data)

    @property
    def total(self) -> int:
        """The number of its jobs."""
        return int(self._core.data["total"])

    @property
    def open(self) -> bool:
        """Whether more jobs can be added."""
        return bool(self._core.data.get("open", False))

    @property
    def created_at(self) -> datetime:
        """The time of the submission."""
        return cast(datetime, parse_time(self._core.data["created_at"]))

    @property
    def finished_at(self) -> datetime | None:
        """The time at which the last job became final; None while any is not."""
        return parse_time(self._core.data["finished_at"])

    @property
    def then(self) -> Job[Any] | None:
        """The follow-up job, once it was submitted."""
        then: dict[str, Any] = self._core.data.get("then") or {}
        return self._app.job(then["job"]) if "job" in then else None

    def to_dict(self) -> dict[str, Any]:
        """Returns the batch as the server last described it."""
        return dict(self._core.data)

    # Jobs and results.

    @property
    def jobs(self) -> list[Job[R]]:
        """Handles on its jobs in the order of submission.

        Of a batch that was submitted elsewhere, the ids are read first; use `ajobs` for that on
        an event loop.
        """
        return self._app.session.run(self._core.jobs())

    async def ajobs(self) -> list[Job[R]]:
        """Like `jobs`, on the running event loop."""
        return await self._app.session.arun(self._core.jobs())

    @overload
    def results(
        self, errors: Literal["raise"] = "raise", timeout: Duration | None = None
    ) -> Iterator[R]: ...
    @overload
    def results(
        self, errors: Literal["return"], timeout: Duration | None = None
    ) -> Iterator[R | JobError]: ...
    def results(
        self, errors: Literal["raise", "return"] = "raise", timeout: Duration | None = None
    ) -> Iterator[Any]:
        """Yields the results in the order of submission, as they become known.

        Raises the error of the first job that has none; with `errors="return"` the errors are
        yielded in their place. A job that was deleted meanwhile has the error `JobDeleted` if this
        handle has submitted it; a handle that was made later does not know of it.
        """
        check_errors(errors)
        return self._results(errors, timeout)

    def _results(self, errors: str, timeout: Duration | None) -> Iterator[Any]:
        self._check_blocking("results", "async for result in batch.aresults()", timeout)
        reader = self._core.pages(timeout)
        while page := self._app.session.run(reader.next()):
            for row in page:
                yield self._app.session.run(self._core.result_of(row, errors))

    @overload
    def aresults(
        self, errors: Literal["raise"] = "raise", timeout: Duration | None = None
    ) -> AsyncIterator[R]: ...
    @overload
    def aresults(
        self, errors: Literal["return"], timeout: Duration | None = None
    ) -> AsyncIterator[R | JobError]: ...
    def aresults(
        self, errors: Literal["raise", "return"] = "raise", timeout: Duration | None = None
    ) -> AsyncIterator[Any]:
        """Like `results`, on the running event loop."""
        check_errors(errors)
        return self._aresults(errors, timeout)

    async def _aresults(self, errors: str, timeout: Duration | None) -> AsyncIterator[Any]:
        reader = self._core.pages(timeout)
        while page := await self._app.session.arun(reader.next()):
            for row in page:
                yield await self._app.session.arun(self._core.result_of(row, errors))

    def as_completed(self) -> Iterator[tuple[int, Job[R]]]:
        """Yields each job with its place in the batch, from 0, as it becomes final.

        A job that is retried meanwhile is yielded again when it ends again.
        """
        self._check_blocking("as_completed", "async for place, job in batch.aas_completed()")
        for event in events(self._app.session, self._core.stream(None, jobs=True)):
            if event.kind == "job":
                ended = self._app.session.run(self._core.ended(event.data))
                if ended is not None:
                    yield ended

    async def aas_completed(self) -> AsyncIterator[tuple[int, Job[R]]]:
        """Like `as_completed`, on the running event loop."""
        async for event in aevents(self._app.session, self._core.stream(None, jobs=True)):
            if event.kind == "job":
                ended = await self._app.session.arun(self._core.ended(event.data))
                if ended is not None:
                    yield ended

    # Waiting.

    def wait(self, timeout: Duration | None = None) -> Counts:
        """Waits for the end of the batch and returns its counts. Raises `WaitTimeout`."""
        self._check_blocking("wait", "await batch.await_()", timeout)
        return self._app.session.run(self._core.wait(timeout))

    async def await_(self, timeout: Duration | None = None) -> Counts:
        """Like `wait`, on the running event loop."""
        return await self._app.session.arun(self._core.wait(timeout))

    def refresh(self) -> Batch[R]:
        """Reads the batch again and returns this handle."""
        self._app.session.run(self._core.send(self._core.request("GET")))
        return self

    async def arefresh(self) -> Batch[R]:
        """Like `refresh`, on the running event loop."""
        await self._app.session.arun(self._core.send(self._core.request("GET")))
        return self

    def events(self, after: str | None = None, *, jobs: bool = False) -> Iterator[Event]:
        """Yields the events of the batch until its end, over restarts of the server.

        A `batch` event has the batch; with `jobs=True` there is also a `job` event for each job
        that becomes final. `after` is the id of an event from which to go on.
        """
        self._check_blocking("events", "async for event in batch.aevents()")
        return events(self._app.session, self._core.stream(after, jobs))

    def _check_blocking(self, call: str, instead: str, timeout: Duration | None = None) -> None:
        """Looks at a call that waits here for the end of the batch."""
        if self._core.data["finished_at"] is None:
            blocking.check(call, f"batch {self.id}", instead, self._left, timeout)

    def _left(self) -> Iterator[blocking.Work]:
        for state in LEFT if self._core.may_list else ():
            cursor: str | None = ""
            while cursor is not None:
                page = self._app.session.run(self._core.page(cursor, state))
                yield from map(blocking.Work.of, page["jobs"])
                cursor = page["next_cursor"]

    def aevents(self, after: str | None = None, *, jobs: bool = False) -> AsyncIterator[Event]:
        """Like `events`, on the running event loop."""
        return aevents(self._app.session, self._core.stream(after, jobs))

    def token(self, expires_in: Duration | None = None, *, give_up: Duration | None = None) -> str:
        """Returns a token with which a browser can read this batch, by default for an hour.

        `give_up` overrides that of the client.
        """
        return self._app.session.run(self._core.make_token(expires_in, give_up))

    async def atoken(self, expires_in: Duration | None = None) -> str:
        """Like `token`, on the running event loop."""
        return await self._app.session.arun(self._core.make_token(expires_in))

    # Changing.

    def cancel(self) -> Counts:
        """Cancels its jobs, and returns its counts. Running jobs are asked to stop."""
        return self._app.session.run(self._core.send(self._core.request("POST", "/cancel"))).counts

    async def acancel(self) -> Counts:
        """Like `cancel`, on the running event loop."""
        return (
            await self._app.session.arun(self._core.send(self._core.request("POST", "/cancel")))
        ).counts

    def retry_failed(self) -> int:
        """Queues its failed jobs again, and returns how many these are."""
        return self._app.session.run(self._core.retry())

    async def aretry_failed(self) -> int:
        """Like `retry_failed`, on the running event loop."""
        return await self._app.session.arun(self._core.retry())

    def add(self, calls: Iterable[Call[R]], *, key: str | None = None) -> list[Job[R]]:
        """Adds jobs to a batch that is open, and returns handles on them.

        With a `key`, the same jobs can be added again safely.
        """
        return self._app.session.run(self._core.add(calls, key))

    async def aadd(self, calls: Iterable[Call[R]], *, key: str | None = None) -> list[Job[R]]:
        """Like `add`, on the running event loop."""
        return await self._app.session.arun(self._core.add(calls, key))

    def close(self) -> None:
        """Ends the additions: the batch is finished once all of its jobs are final."""
        self._app.session.run(self._core.send(self._core.request("POST", "/close")))

    async def aclose(self) -> None:
        """Like `close`, on the running event loop."""
        await self._app.session.arun(self._core.send(self._core.request("POST", "/close")))
