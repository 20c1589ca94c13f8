"""A handle on a job."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from . import blocking
from ._http import Operation, Request, Response
from ._http.deadline import Deadline
from ._http.events import Event, Stream, aevents, events
from .duration import Duration, in_words, seconds, to_json
from .errors import (
    JobError,
    LongshoreError,
    Unavailable,
    WaitTimeout,
)
from .outcome import FINAL, Progress, State, job_error, parse_time

if TYPE_CHECKING:
    from .client import Longshore

R_co = TypeVar("R_co", covariant=True)


class Job(Generic[R_co]):
    """A handle on a job.

    Its attributes are those of the job when it was last read: by the submission, or by `refresh`,
    `wait`, `result` and `cancel`. A handle from `Longshore.job(id)` has only its `id` before.
    """

    def __init__(
        self,
        app: Longshore,
        job_id: int,
        data: dict[str, Any] | None = None,
        decode: Callable[[Any], R_co] | None = None,
        *,
        token: str | None = None,
    ) -> None:
        self.id = job_id
        self._app = app
        self._data: dict[str, Any] = {} if data is None else data
        self._decode = decode
        self._token = token

    def __repr__(self) -> str:
        known = " ".join(str(self._data[name]) for name in ("kind", "state") if name in self._data)
        return f"<Job {self.id} {known}>".replace(" >", ">")

    # What is known of the job.

    def _get(self, name: str) -> Any:
        try:
            return self._data[name]
        except KeyError:
            raise LongshoreError(
                f"{name} of job {self.id} is not known yet: call refresh() or arefresh() first"
            ) from None

    @property
    def kind(self) -> str:
        """The kind: the name of its task."""
        return str(self._get("kind"))

    @property
    def queue(self) -> str:
        """The queue."""
        return str(self._get("queue"))

    @property
    def state(self) -> State:
        """The state."""
        return cast("State", self._get("state"))

    @property
    def is_final(self) -> bool:
        """Whether the job is completed, failed or cancelled."""
        return self.state in FINAL

    @property
    def attempt(self) -> int:
        """The number of attempts that started and count."""
        return int(self._get("attempt"))

    @property
    def max_attempts(self) -> int:
        """The maximum number of attempts."""
        return int(self._get("max_attempts"))

    @property
    def progress(self) -> Progress | None:
        """The latest progress that the attempt reported."""
        progress = self._get("progress")
        if progress is None:
            return None
        return Progress(progress.get("percent", 0.0), progress.get("message", ""))

    @property
    def tags(self) -> list[str]:
        """The tags of its submission."""
        return list(self._data.get("tags") or ())

    @property
    def metadata(self) -> dict[str, Any]:
        """The metadata of its submission."""
        return dict(self._data.get("metadata") or {})

    @property
    def batch_id(self) -> int | None:
        """The id of its batch, if it has one."""
        return cast("int | None", self._get("batch"))

    @property
    def created_at(self) -> datetime:
        """The time of the submission."""
        return cast(datetime, parse_time(self._get("created_at")))

    @property
    def started_at(self) -> datetime | None:
        """The start of the latest attempt."""
        return parse_time(self._get("started_at"))

    @property
    def finished_at(self) -> datetime | None:
        """The time at which it became final."""
        return parse_time(self._get("finished_at"))

    @property
    def error(self) -> JobError | None:
        """Why the job has no result, or why its last attempt failed; None if nothing went wrong."""
        return None if self._get("error") is None else job_error(self.id, self._data)

    @property
    def then(self) -> Job[Any] | None:
        """The follow-up job, if this job had completed when it was last read; else None."""
        # A job that was read and has no follow-up has no such field.
        then: dict[str, Any] = self._data.get("then") or {}
        if "kind" not in self._data:
            self._get("then")
        return self._app.job(then["job"]) if "job" in then else None

    def to_dict(self) -> dict[str, Any]:
        """Returns the job as the server last described it."""
        return dict(self._data)

    # Reading and waiting.

    def result(self, timeout: Duration | None = None) -> R_co:
        """Waits for the end of the job and returns its result.

        Raises `JobFailed`, `JobCancelled`, or `WaitTimeout` if it is not final within the
        timeout.
        """
        self._check_blocking("result", "await job", timeout)
        return self._app.session.run(self._result(timeout))

    async def aresult(self, timeout: Duration | None = None) -> R_co:
        """Like `result`, on the running event loop."""
        return await self._app.session.arun(self._result(timeout))

    def __await__(self) -> Generator[Any, Any, R_co]:
        return self.aresult().__await__()

    def wait(self, timeout: Duration | None = None) -> Job[R_co]:
        """Waits for the end of the job and returns this handle. Raises `WaitTimeout`."""
        self._check_blocking("wait", "await job.await_()", timeout)
        return self._app.session.run(self._wait(timeout))

    async def await_(self, timeout: Duration | None = None) -> Job[R_co]:
        """Like `wait`, on the running event loop."""
        return await self._app.session.arun(self._wait(timeout))

    def refresh(self) -> Job[R_co]:
        """Reads the job again and returns this handle."""
        return self._app.session.run(self._read())

    async def arefresh(self) -> Job[R_co]:
        """Like `refresh`, on the running event loop."""
        return await self._app.session.arun(self._read())

    def log(self) -> str:
        """Returns the log of the job; of a long one the last part."""
        return self._app.session.run(self._log())

    async def alog(self) -> str:
        """Like `log`, on the running event loop."""
        return await self._app.session.arun(self._log())

    def events(self, after: str | None = None) -> Iterator[Event]:
        """Yields the events of the job until its end, over restarts of the server.

        `after` is the id of an event from which to go on.
        """
        self._check_blocking("events", "async for event in job.aevents()")
        return events(self._app.session, self._stream(after))

    def _check_blocking(self, call: str, instead: str, timeout: Duration | None = None) -> None:
        """Looks at a call that waits here for the end of the job."""
        if not self._has_result():
            blocking.check(call, f"job {self.id}", instead, self._left, timeout)

    def _left(self) -> list[blocking.Work]:
        self.refresh()
        return [] if self.is_final else [blocking.Work.of(self._data)]

    def aevents(self, after: str | None = None) -> AsyncIterator[Event]:
        """Like `events`, on the running event loop."""
        return aevents(self._app.session, self._stream(after))

    def token(self, expires_in: Duration | None = None, *, give_up: Duration | None = None) -> str:
        """Returns a token with which a browser can read this job, by default for an hour.

        `give_up` overrides that of the client.
        """
        return self._app.session.run(self._make_token(expires_in, give_up))

    async def atoken(self, expires_in: Duration | None = None) -> str:
        """Like `token`, on the running event loop."""
        return await self._app.session.arun(self._make_token(expires_in))

    # Changing.

    def cancel(self) -> None:
        """Cancels the job.

        A running attempt is asked to stop. A job that is completed or failed stays as it is.
        """
        self._app.session.run(self._cancel())

    async def acancel(self) -> None:
        """Like `cancel`, on the running event loop."""
        await self._app.session.arun(self._cancel())

    def retry(self) -> None:
        """Queues a final job again, or one that waits for its next attempt at once."""
        self._app.session.run(self._retry())

    async def aretry(self) -> None:
        """Like `retry`, on the running event loop."""
        await self._app.session.arun(self._retry())

    def delete(self) -> None:
        """Deletes a final job."""
        self._app.session.run(self._delete())

    async def adelete(self) -> None:
        """Like `delete`, on the running event loop."""
        await self._app.session.arun(self._delete())

    # The operations.

    def _request(self, method: str, part: str = "", **fields: Any) -> Request:
        return Request(method, f"/v1/jobs/{self.id}{part}", key=self._token, **fields)

    def _take(self, response: Response) -> Job[R_co]:
        self._data = response.described("id", "state")
        return self

    def _read(self) -> Operation[Job[R_co]]:
        return self._take((yield self._request("GET")))

    def _wait(self, timeout: Duration | None) -> Operation[Job[R_co]]:
        deadline = Deadline(timeout)
        while not self._has_result():
            is_last = deadline.is_over
            request = self._request(
                "GET",
                params={"wait": f"{deadline.wait():.3f}s"},
                wait=deadline.wait(),
                give_up=deadline.give_up(self._app.session.give_up),
            )
            try:
                self._take((yield request))
            except Unavailable as error:
                if not deadline.is_over:
                    raise
                raise self._timeout(timeout) from error
            if is_last and not self._has_result():
                raise self._timeout(timeout)
        return self

    def _has_result(self) -> bool:
        return self._data.get("state") in FINAL and "result" in self._data

    def _timeout(self, timeout: Duration | None) -> WaitTimeout:
        state, detail = self._data.get("state"), self._data.get("waiting_detail")
        if state is None:
            return WaitTimeout(f"job {self.id} could not be read within {in_words(timeout)}")
        waits_for = f": {detail}" if detail else ""
        return WaitTimeout(f"job {self.id} is still {state} after {in_words(timeout)}{waits_for}")

    def _result(self, timeout: Duration | None) -> Operation[R_co]:
        yield from self._wait(timeout)
        if self.state != "completed":
            raise job_error(self.id, self._data)
        decode = self._decode or self._app.decoder_of(self.kind)
        return decode(self._data["result"])

    def _log(self) -> Operation[str]:
        return str((yield self._request("GET", "/log")).json()["text"])

    def _make_token(
        self, expires_in: Duration | None, give_up: Duration | None = None
    ) -> Operation[str]:
        body = {} if expires_in is None else {"expires_in": to_json(expires_in)}
        within = None if give_up is None else seconds(give_up)
        request = self._request("POST", "/token", body=body, give_up=within)
        return str((yield request).json()["token"])

    def _cancel(self) -> Operation[None]:
        response = yield self._request("POST", "/cancel")
        if response.status == 409:
            response = yield self._request("GET")
        self._take(response)

    def _retry(self) -> Operation[None]:
        response = yield self._request("POST", "/retry")
        if response.status == 409 and response.is_repeated:
            response = yield self._request("GET")
        self._take(response)

    def _delete(self) -> Operation[None]:
        response = yield self._request("DELETE")
        if not (response.status == 404 and response.is_repeated):
            response.check()

    def _stream(self, after: str | None) -> Stream:
        return Stream(
            self._app.session, f"/v1/jobs/{self.id}/events", self._see, after=after, key=self._token
        )

    def _see(self, event: Event) -> bool:
        """Keeps what an event says, and returns whether it is the last one."""
        if event.kind == "state":
            self._data = {**self._data, **event.data}
            if event.data["state"] in FINAL:
                return True
            self._data.pop("result", None)
        elif event.kind == "progress":
            self._data["progress"] = event.data
        return event.kind == "gone"
