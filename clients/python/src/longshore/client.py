"""The client: one object for an application, with its tasks and its connection."""

from __future__ import annotations

import os
from collections.abc import (
    Callable,
    Generator,
    Iterable,
    Mapping,
)
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from ._http import Operation, Request, Session, key_header, random_key
from ._inline import InlineSession, Sent, Store
from .batch import Batch
from .batch.pieces import batch_fields, create
from .builtin import ChatTask, CommandTask, HttpTask, chat, command, http
from .codec import Codec
from .duration import Duration, seconds
from .job import Job
from .task import Call, Options, Task
from .task.decorator import TaskDecorator
from .task.registry import Registry

if TYPE_CHECKING:
    from typing_extensions import Self

P = ParamSpec("P")
R = TypeVar("R")
Y = TypeVar("Y")

DEFAULT_URL = "http://127.0.0.1:7373"


class Longshore:
    """One object for an application: the registry of its tasks, and the client of one server.

    `url` and `key` are by default those in `LONGSHORE_URL` and `LONGSHORE_KEY`. `queue` is the
    queue of tasks that name none. A request that gets no answer is repeated for `give_up` seconds.
    Nothing is connected before the first call. Methods with an `a` before their name are the same
    on the running event loop.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        key: str | None = None,
        queue: str = "default",
        give_up: Duration = 30,
        codec: Codec | None = None,
    ) -> None:
        self.url = url or os.environ.get("LONGSHORE_URL") or DEFAULT_URL
        key = os.environ.get("LONGSHORE_KEY") if key is None else key
        self.queue = queue
        self.codec = codec or Codec()
        self.session = Session(self.url, _checked_key(key), seconds(give_up))
        self._tasks = Registry()
        # The server has defaults for the kinds that it runs itself.
        options = Options(queue=None if queue == "default" else queue)
        self.chat = ChatTask(self, "chat", options)
        self.http = HttpTask(self, "http", options)
        self.command = CommandTask(self, "command", options)

    def __repr__(self) -> str:
        return f"<Longshore {self.url}>"

    # Tasks.

    @property
    def tasks(self) -> Mapping[str, Task[..., Any]]:
        """The tasks of this application, by kind."""
        return self._tasks

    @property
    def task(self) -> TaskDecorator:
        """The decorator that makes a function a task: `@ls.task`, or `@ls.task(retries=3)`.

        Its options are `name`, `queue`, `retries`, `backoff`, `retry_on`, `timeout`,
        `at_most_once`, `process`, `priority`, `expires` and `tags`.
        """
        return TaskDecorator(self, self._tasks, Options(queue=self.queue, retries=0))

    def decoder_of(self, kind: str) -> Callable[[Any], Any]:
        """Returns what decodes the results of a kind; those of unknown kinds stay JSON values."""
        task = self._tasks.get(kind)
        if task is not None:
            return task.decode_result
        return {"chat": chat.answer, "http": http.answer}.get(kind, command.output)

    # Jobs.

    def submit(self, call: Call[R]) -> Job[R]:
        """Submits a call. The job is on the server's disk when this returns."""
        return self.session.run(self._submit(call))

    async def asubmit(self, call: Call[R]) -> Job[R]:
        """Like `submit`, on the running event loop."""
        return await self.session.arun(self._submit(call))

    def job(self, job_id: int | str, *, token: str | None = None) -> Job[Any]:
        """Returns a handle on a job that exists, without reading it.

        With a `token` of the job, all requests of the handle have that as their only right.
        """
        return Job(self, _id("job", job_id), token=token)

    def _submit(self, call: Call[R]) -> Operation[Job[R]]:
        headers = {"idempotency-key": request_key(call.options.key)}
        response = yield Request("POST", "/v1/jobs", body=call.to_json(), headers=headers)
        data = response.described("id", "state")
        return Job(self, data["id"], data, call.decode)

    # Batches.

    def batch(
        self,
        calls: Iterable[Call[R]],
        *,
        name: str | None = None,
        key: str | None = None,
        then: Call[Any] | Task[..., Any] | None = None,
        callback: str | Mapping[str, Any] | None = None,
        open: bool = False,
    ) -> Batch[R]:
        """Submits calls as a batch, all or none of them up to 10,000.

        More calls are submitted in pieces. If that breaks off, the pieces before are submitted, and
        the same call with the same `key` goes on; without a `key`, they are cancelled if `calls`
        raises or a call is refused. `then` is submitted by the server when all jobs
        have completed; its first free parameter receives the list of results. More jobs can be
        added to an `open` batch, until it is closed.
        """
        return self.session.run(self._batch(calls, batch_fields(name, then, callback), key, open))

    async def abatch(
        self,
        calls: Iterable[Call[R]],
        *,
        name: str | None = None,
        key: str | None = None,
        then: Call[Any] | Task[..., Any] | None = None,
        callback: str | Mapping[str, Any] | None = None,
        open: bool = False,
    ) -> Batch[R]:
        """Like `batch`, on the running event loop."""
        return await self.session.arun(
            self._batch(calls, batch_fields(name, then, callback), key, open)
        )

    def get_batch(self, batch_id: int | str, *, token: str | None = None) -> Batch[Any]:
        """Reads a batch and returns a handle on it.

        With a `token` of the batch, all requests of the handle have that as their only right.
        """
        return self.session.run(self._get_batch(_id("batch", batch_id), token))

    async def aget_batch(self, batch_id: int | str, *, token: str | None = None) -> Batch[Any]:
        """Like `get_batch`, on the running event loop."""
        return await self.session.arun(self._get_batch(_id("batch", batch_id), token))

    def _batch(
        self,
        calls: Iterable[Call[R]],
        fields: dict[str, Any],
        key: str | None,
        is_open: bool,
    ) -> Operation[Batch[R]]:
        submitted = yield from create(calls, fields, key, is_open)
        return Batch(self, submitted.data, submitted.ids, submitted.decoders)

    def _get_batch(self, batch_id: int, token: str | None) -> Operation[Batch[Any]]:
        data = (yield Request("GET", f"/v1/batches/{batch_id}", key=token)).json()
        return Batch(self, data, token=token)

    # Tests.

    @contextmanager
    def inline(
        self,
        *,
        retries: bool = False,
        answers: Mapping[str, Callable[[Any], Any]] | None = None,
    ) -> Generator[Sent, None, None]:
        """Within the block, submissions run at once in this thread, without a server.

        For tests. Arguments and results are converted as for a real worker. Failed attempts are
        tried again, without pauses, only with `retries=True`. `answers` has functions from payload
        to result for kinds that the server runs, such as `{"chat": lambda payload: ...}`. Yields a
        list of what was submitted.
        """
        sent, session = Sent(), self.session
        self.session = InlineSession(Store(self, sent, retries, answers or {}))
        try:
            yield sent
        finally:
            self.session = session

    # The connection.

    def close(self) -> None:
        """Closes the connections of this process. Later calls open new ones."""
        self.session.close()

    async def aclose(self) -> None:
        """Closes the connections of the running event loop."""
        await self.session.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


def _id(what: str, value: int | str) -> int:
    """Returns an id, which may be the text of one. Raises ValueError that names it."""
    try:
        return int(value)
    except (TypeError, ValueError):
        raise ValueError(f"{value!r} is not the id of a {what}: ids are whole numbers") from None


def _checked_key(key: str | None) -> str | None:
    """Returns an API key without the white space that files and variables often have around it."""
    key = (key or "").strip()
    if not all("!" <= character <= "~" for character in key):
        raise ValueError("the API key must have visible ASCII characters only: copy it again")
    return key or None


def request_key(key: str | None) -> str:
    """Returns the idempotency key of a submission: the given one, or a random one."""
    return random_key() if key is None else key_header(key)
