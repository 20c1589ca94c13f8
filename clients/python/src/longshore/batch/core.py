"""What a handle on a batch knows, and the operations on the batch."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from longshore._http import Operation, Request, key_header, random_key
from longshore._http.deadline import Deadline
from longshore._http.events import Event, Stream
from longshore.duration import Duration, in_words, seconds, to_json
from longshore.errors import JobDeleted, JobError, Unavailable, WaitTimeout
from longshore.job import Job
from longshore.outcome import job_error

from .counts import Counts
from .pages import DELETED, Pages
from .pieces import Decoders, Submitted, add, pieces

if TYPE_CHECKING:
    from longshore.client import Longshore
    from longshore.task.call import Call


#: The states of jobs that have not ended, in the order in which jobs pass them.
LEFT = ("scheduled", "retrying", "queued", "running")


class Core:
    """What a handle knows of its batch.

    That is how the server described it last, the ids of its jobs if they were read, and what
    decodes the results of the jobs that this handle has submitted.
    """

    def __init__(
        self,
        app: Longshore,
        data: Mapping[str, Any],
        ids: list[int] | None,
        decoders: Decoders | None,
        token: str | None,
    ) -> None:
        self.data = dict(data)
        self._id: int = data["id"]
        self._app = app
        self._ids = ids
        self._own_ids = list(ids or ())
        self._decoders = decoders or []
        self._token = token

    @property
    def counts(self) -> Counts:
        """The number of its jobs by state."""
        return Counts.of(self.data)

    def request(self, method: str, part: str = "", **fields: Any) -> Request:
        """Returns a request for the batch, or for a part of it."""
        return Request(method, f"/v1/batches/{self._id}{part}", key=self._token, **fields)

    def send(self, request: Request) -> Operation[Core]:
        """Sends a request that is answered with the batch."""
        self.data = (yield request).json()
        return self

    def wait(self, timeout: Duration | None) -> Operation[Counts]:
        """Waits for the end of the batch."""
        deadline = Deadline(timeout)
        while self.data["finished_at"] is None:
            is_last = deadline.is_over
            request = self.request(
                "GET",
                params={"wait": f"{deadline.wait():.3f}s"},
                wait=deadline.wait(),
                give_up=deadline.give_up(self._app.session.give_up),
            )
            try:
                yield from self.send(request)
            except Unavailable as error:
                if not deadline.is_over:
                    raise
                raise self._timeout(timeout) from error
            if is_last and self.data["finished_at"] is None:
                raise self._timeout(timeout)
        return self.counts

    def _timeout(self, timeout: Duration | None) -> WaitTimeout:
        if self.counts.final == self.counts.total and self.data.get("open"):
            why = "it is open: close() it"
        else:
            why = f"{self.counts.final} of {self.counts.total} jobs have ended"
        return WaitTimeout(f"batch {self._id} was not finished after {in_words(timeout)}: {why}")

    def pages(self, timeout: Duration | None) -> Pages:
        """Returns a reader of the results from the start."""
        is_open = self.data.get("open", False)
        give_up = self._app.session.give_up
        return Pages(self._id, self._own_ids, is_open, timeout, give_up=give_up, token=self._token)

    def result_of(self, row: dict[str, Any], errors: str) -> Operation[Any]:
        """Returns the result of a job that is final; raises or returns the error of one without."""
        if row["state"] == "completed":
            return self._decoder(row["id"], row["kind"])(row["result"])
        error = yield from self._error_of(row)
        if errors == "raise":
            raise error
        return error

    def _error_of(self, row: dict[str, Any]) -> Operation[JobError]:
        """Returns why a job has no result. The job itself says more than the row of the batch."""
        if row["state"] == DELETED:
            return JobDeleted(row["id"])
        response = yield Request("GET", f"/v1/jobs/{row['id']}", key=self._token)
        job = response.json() if response.is_ok else row
        return job_error(row["id"], job if job["state"] == row["state"] else row)

    def _decoder(self, job_id: int, kind: str) -> Callable[[Any], Any]:
        decoder = self._own_decoder(job_id)
        return self._app.decoder_of(kind) if decoder is None else decoder

    def _own_decoder(self, job_id: int) -> Callable[[Any], Any] | None:
        place = place_of(job_id, self._own_ids)
        return None if place is None or place >= len(self._decoders) else self._decoders[place]

    def jobs(self) -> Operation[list[Job[Any]]]:
        """Returns handles on its jobs in the order of submission."""
        ids = yield from self._known_ids()
        return [self._job(job_id) for job_id in ids]

    def _job(self, job_id: int, data: Mapping[str, Any] | None = None) -> Job[Any]:
        known = {"batch": self._id, **(data or {})}
        return Job(self._app, job_id, known, self._own_decoder(job_id), token=self._token)

    def _known_ids(self) -> Operation[list[int]]:
        """Returns the ids of its jobs, which are read if the batch was submitted elsewhere."""
        if self._ids is None:
            self._ids = yield from self._read_ids()
        return self._ids

    def _read_ids(self) -> Operation[list[int]]:
        ids: list[int] = []
        cursor: str | None = ""
        while cursor is not None:
            page = yield from self.page(cursor)
            ids += [job["id"] for job in page["jobs"]]
            cursor = page["next_cursor"]
        return ids[::-1]

    @property
    def may_list(self) -> bool:
        """Whether this handle may list the jobs, which the token of a batch does not allow."""
        return self._token is None

    def page(self, cursor: str, state: str = "") -> Operation[dict[str, Any]]:
        """Returns a page of the list of its jobs, of one state if that is given."""
        params: dict[str, str | int] = {"batch": self._id, "limit": 200}
        params.update({"state": state} if state else {})
        params.update({"cursor": cursor} if cursor else {})
        page: dict[str, Any] = (
            yield Request("GET", "/v1/jobs", params=params, key=self._token)
        ).json()
        return page

    def ended(self, data: dict[str, Any]) -> Operation[tuple[int, Job[Any]] | None]:
        """Returns the place and a handle of a job that became final."""
        place = place_of(data["id"], (yield from self._known_ids()))
        if place is None:
            # Another handle has added the job.
            self._ids = yield from self._read_ids()
            place = place_of(data["id"], self._ids)
        return None if place is None else (place, self._job(data["id"], data))

    def stream(self, after: str | None, jobs: bool) -> Stream:
        """Returns a stream of its events."""
        params: dict[str, str | int] = {"jobs": "true"} if jobs else {}
        path = f"/v1/batches/{self._id}/events"
        # The end of the batch comes after those of all its jobs.
        return Stream(
            self._app.session, path, self._see, after=after, params=params, key=self._token
        )

    def _see(self, event: Event) -> bool:
        """Keeps what an event says, and returns whether it is the last one."""
        if event.kind == "batch":
            self.data = {**self.data, **event.data}
            return event.data["finished_at"] is not None
        return event.kind == "gone"

    def make_token(
        self, expires_in: Duration | None, give_up: Duration | None = None
    ) -> Operation[str]:
        """Makes a token for reading the batch."""
        body = {} if expires_in is None else {"expires_in": to_json(expires_in)}
        within = None if give_up is None else seconds(give_up)
        request = self.request("POST", "/token", body=body, give_up=within)
        token: str = (yield request).json()["token"]
        return token

    def retry(self) -> Operation[int]:
        """Queues its failed jobs again, and returns how many these are."""
        retried: int = 0
        after: int | None = 0
        while after is not None:
            # A call on a very large batch stops after a while and says where.
            yield from self.send(self.request("POST", "/retry", params={"after": after}))
            retried += self.data.pop("retried")
            after = self.data.pop("next_after", None)
        return retried

    def add(self, calls: Iterable[Call[Any]], key: str | None) -> Operation[list[Job[Any]]]:
        """Adds jobs while the batch is open, and returns handles on them."""
        submitted = Submitted(self.data, [], [])
        yield from add(submitted, pieces(calls), random_key() if key is None else key_header(key))
        self.data = submitted.data
        for job_id, decoder in zip(submitted.ids, submitted.decoders, strict=True):
            # A repeated addition returns jobs that are known, or were added before others.
            place = bisect_left(self._own_ids, job_id)
            if place_of(job_id, self._own_ids) is None:
                self._own_ids.insert(place, job_id)
                self._decoders.insert(place, decoder)
            if self._ids is not None and place_of(job_id, self._ids) is None:
                self._ids.insert(bisect_left(self._ids, job_id), job_id)
        return [self._job(job_id) for job_id in submitted.ids]


def check_errors(errors: str) -> None:
    """Raises ValueError if this is no way to treat the errors of jobs."""
    if errors not in ("raise", "return"):
        raise ValueError(f"errors={errors!r}: must be 'raise' or 'return'")


def place_of(job_id: int, ids: list[int]) -> int | None:
    """Returns the place of a job in a batch. Ids rise in the order of submission."""
    place = bisect_left(ids, job_id)
    return place if place < len(ids) and ids[place] == job_id else None
