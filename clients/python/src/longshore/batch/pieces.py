"""The submission of a batch, in one request or in pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import Any

from longshore._http import Operation, Request, key_header, random_key
from longshore.codec import dumps
from longshore.errors import LongshoreError, Unavailable
from longshore.task import Task
from longshore.task.call import Call, follow_up
from longshore.task.options import callback_object

# The bounds of one request: the defaults of the server, with some room in the body.
MAX_JOBS = 10_000
MAX_BYTES = 24 * 1024 * 1024

Decoders = list[Callable[[Any], Any]]


@dataclass
class Submitted:
    """What has been submitted of a batch: what the server says of it, and its jobs in order."""

    data: dict[str, Any]
    ids: list[int]
    decoders: Decoders


@dataclass
class Piece:
    """The jobs of one request as JSON texts, and what decodes their results."""

    jobs: list[bytes]
    decoders: Decoders

    def body(self, **fields: Any) -> bytes:
        """Returns the body of the request: the jobs and some fields before them."""
        head = b"".join(dumps(name) + b":" + dumps(value) + b"," for name, value in fields.items())
        return b"{" + head + b'"jobs":[' + b",".join(self.jobs) + b"]}"


def pieces(calls: Iterable[Call[Any]]) -> Iterator[Piece]:
    """Yields calls in pieces that fit into a request each. There is at least one piece."""
    piece, size = Piece([], []), 0
    for index, call in enumerate(calls):
        text = _job(call, index)
        if len(piece.jobs) == MAX_JOBS or (piece.jobs and size + len(text) > MAX_BYTES):
            yield piece
            piece, size = Piece([], []), 0
        piece.jobs.append(text)
        piece.decoders.append(call.decode)
        size += len(text) + 1
    yield piece


def _job(call: Call[Any], index: int) -> bytes:
    if not isinstance(call, Call):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(
            f"call {index} of the batch is of the type {type(call).__name__}: a batch is made of"
            " calls, which task.s(...) makes"
        )
    if call.options.key is not None:
        raise TypeError(
            f"call {index} of the batch has a key, which is for single submissions: give a key to"
            " the batch"
        )
    return dumps(call.to_json())


def batch_fields(
    name: str | None,
    then: Call[Any] | Task[..., Any] | None,
    callback: str | Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Returns the fields of the submission of a batch, except for its jobs."""
    fields: dict[str, Any] = {}
    if name is not None:
        fields["name"] = name
    if then is not None:
        fields["then"] = follow_up(then, "batch")
    if callback is not None:
        fields["callback"] = callback_object(callback)
    return fields


def create(
    calls: Iterable[Call[Any]], fields: dict[str, Any], key: str | None, is_open: bool
) -> Operation[Submitted]:
    """Submits a batch.

    One that does not fit into a request is submitted open, piece by piece, and closed at the
    end. If its calls end with an error before that, the jobs of the pieces before are cancelled,
    unless it has a `key` with which it can go on.
    """
    sent_key = random_key() if key is None else key_header(key)
    parts = pieces(calls)
    first, second = next(parts), next(parts, None)
    if is_open or second is not None:
        fields = {**fields, "open": True}
    answer = yield _post("/v1/batches", first.body(**fields), sent_key)
    data = answer.described("id", "counts")
    submitted = Submitted(data, data.pop("job_ids"), first.decoders)
    if second is not None:
        try:
            yield from add(submitted, chain([second], parts), sent_key)
        except Exception as error:
            if key is None and not isinstance(error, Unavailable):
                yield from _give_up(data["id"])
            raise
        if not is_open:
            submitted.data = (yield Request("POST", f"/v1/batches/{data['id']}/close")).json()
    return submitted


def _give_up(batch_id: int) -> Operation[None]:
    """Cancels the jobs of a batch of which nobody will have a handle.

    The batch stays open for now: closing it would submit its follow-up if all jobs have completed.
    """
    with suppress(LongshoreError):
        yield Request("POST", f"/v1/batches/{batch_id}/cancel")


def add(submitted: Submitted, parts: Iterable[Piece], key: str) -> Operation[None]:
    """Adds pieces to an open batch, each with a key that is derived from the first."""
    for number, piece in enumerate(parts, start=1):
        path = f"/v1/batches/{submitted.data['id']}/jobs"
        answer = (yield _post(path, piece.body(), derived_key(key, number))).json()
        submitted.data = answer["batch"]
        submitted.ids += answer["job_ids"]
        submitted.decoders += piece.decoders


def derived_key(key: str, number: int) -> str:
    """Returns the key of a further piece."""
    return key_header(f"{key}-{number}")


def _post(path: str, body: bytes, key: str) -> Request:
    return Request("POST", path, body=body, headers={"idempotency-key": key})
