"""The results of a batch in the order of submission, page by page."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from longshore._http import Operation, Request
from longshore._http.deadline import Deadline
from longshore.duration import Duration, in_words
from longshore.errors import Unavailable, WaitTimeout
from longshore.outcome import FINAL

FIRST_LIMIT = 50
MAX_LIMIT = 1000
# How long the server may hold the question whether an open batch has more jobs.
OPEN_WAIT = 1.0
DELETED = "deleted"


class Pages:
    """Reads the results of a batch. It holds one page at a time."""

    def __init__(
        self,
        batch_id: int,
        known_ids: Sequence[int],
        is_open: bool,
        timeout: Duration | None,
        *,
        give_up: float,
        token: str | None = None,
    ) -> None:
        self._path = f"/v1/batches/{batch_id}"
        self._id = batch_id
        self._known_ids = known_ids
        self._last_id = 0
        self._is_open = is_open
        self._is_over = False
        self._is_complete = False
        self._timeout = timeout
        self._deadline = Deadline(timeout)
        self._give_up = give_up
        self._token = token
        self._after = 0
        self._limit = FIRST_LIMIT

    def next(self) -> Operation[list[dict[str, Any]]]:
        """Waits for the next jobs that are final, and returns them; an empty list at the end.

        Known jobs that the server has not any more are returned in their places, as `DELETED`.
        """
        while not self._is_over:
            is_last = self._deadline.is_over
            page = yield from self._read("/results", self._deadline.wait(), self._place())
            jobs: list[dict[str, Any]] = page["results"]
            final = list(takewhile(lambda job: job["state"] in FINAL, jobs))
            is_end = len(final) == len(jobs) and page["next_after"] is None
            self._is_complete = is_end
            self._is_over = is_end and not self._is_open
            if final:
                self._advance(final, len(jobs))
                return self._with_deleted(final)
            if is_end and self._is_open:
                # More jobs may come. Once the batch is closed, the results are read once more.
                batch = yield from self._read("", min(OPEN_WAIT, self._deadline.wait()))
                self._is_open = batch.get("open", False)
            if is_last and not self._is_over:
                raise self._error()
        return self._deleted_before(None)

    def _with_deleted(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        with_deleted: list[dict[str, Any]] = []
        for row in rows:
            with_deleted += self._deleted_before(row["id"])
            with_deleted.append(row)
        return with_deleted

    def _deleted_before(self, job_id: int | None) -> list[dict[str, Any]]:
        """Returns the known jobs between the last one read and this one, or the end."""
        # By id, because a repeated addition may add ids before those that were read.
        start = bisect_right(self._known_ids, self._last_id)
        end = None if job_id is None else bisect_left(self._known_ids, job_id)
        deleted = self._known_ids[start:end]
        self._last_id = job_id or max([self._last_id, *deleted])
        return [{"id": one, "state": DELETED} for one in deleted]

    def _place(self) -> dict[str, str | int]:
        return {"after": self._after, "limit": self._limit}

    def _advance(self, final: list[dict[str, Any]], read: int) -> None:
        """Goes on after the given jobs.

        Reads more at once if all of a page were final, and less if most were not, because those
        are read again.
        """
        self._after = final[-1]["id"]
        is_full = len(final) == read
        self._limit = min(self._limit * 4, MAX_LIMIT) if is_full else max(10, 2 * len(final))

    def _read(
        self, part: str, wait: float, place: dict[str, str | int] | None = None
    ) -> Operation[dict[str, Any]]:
        request = Request(
            "GET",
            self._path + part,
            params={**(place or {}), "wait": f"{wait:.3f}s"},
            wait=wait,
            give_up=self._deadline.give_up(self._give_up),
            key=self._token,
        )
        try:
            answer: dict[str, Any] = (yield request).json()
        except Unavailable as error:
            if self._deadline.is_over:
                raise self._error() from error
            raise
        return answer

    def _error(self) -> WaitTimeout:
        # All jobs have ended if there was nothing to wait for but the end of the additions.
        why = ": it is open: close() it" if self._is_complete else ""
        return WaitTimeout(
            f"not all results of batch {self._id} are known after {in_words(self._timeout)}{why}"
        )
