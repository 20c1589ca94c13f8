"""Requests, responses, and the operations that are made of them."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from longshore.codec.text import dumps, is_object, loads
from longshore.errors import Conflict, ErrorItem, LongshoreError, NotAllowed, NotFound, Refused

T = TypeVar("T")

_NO_BODY = object()
_PROBLEM = "urn:longshore:problem:"
_HINT = "is this the address of a Longshore server?"
MAX_KEY = 255


@dataclass(frozen=True)
class Request:
    """One request.

    `wait` is how long the server may hold it, in seconds; `give_up` overrides how long it is
    repeated without an answer; `key` overrides the API key of the session.
    """

    method: str
    path: str
    body: Any = _NO_BODY
    params: Mapping[str, str | int] = field(default_factory=dict[str, "str | int"])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    wait: float = 0.0
    give_up: float | None = None
    key: str | None = None

    def content(self) -> bytes | None:
        """Returns the body as JSON text, or None if there is none. Bytes are JSON text already."""
        if self.body is _NO_BODY:
            return None
        return self.body if isinstance(self.body, bytes) else dumps(self.body)


@dataclass(frozen=True)
class Response:
    """One answer.

    `is_repeated` says that an earlier try of the request got no answer, so it may have had its
    effect before.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes = b""
    is_repeated: bool = False

    @property
    def is_ok(self) -> bool:
        """Whether the request was accepted."""
        return 200 <= self.status < 300

    def json(self) -> Any:
        """Returns the body as a JSON value.

        Raises the error that the body describes if the request was refused.
        """
        if not self.is_ok:
            raise refusal(self)
        try:
            return loads(self.content)
        except ValueError as error:
            raise LongshoreError(
                f"the answer ({self.status}) is not JSON: {_HINT} {self.content[:100]!r}"
            ) from error

    def described(self, *names: str) -> dict[str, Any]:
        """Returns the object in the body, which has at least fields of these names."""
        data = self.json()
        if not is_object(data) or not all(name in data for name in names):
            raise LongshoreError(
                f"the answer ({self.status}) is not one of Longshore: {_HINT}"
                f" {self.content[:100]!r}"
            )
        return data

    def check(self) -> None:
        """Raises the error that the body describes if the request was refused."""
        if not self.is_ok:
            raise refusal(self)


def key_header(key: str) -> str:
    """Returns an idempotency key as the server takes it.

    That is 1 to 255 visible ASCII characters; of any other text, a hash.
    """
    if not key:
        raise ValueError("an idempotency key must not be empty")
    if len(key) <= MAX_KEY and all("!" <= character <= "~" for character in key):
        return key
    return f"sha256-{hashlib.sha256(key.encode()).hexdigest()}"


def random_key() -> str:
    """Returns an idempotency key for one submission."""
    return uuid.uuid4().hex


Operation = Generator[Request, Response, T]
"""Yields requests, receives their responses, and returns a value."""


def refusal(response: Response) -> Refused:
    """Returns the error that an answer describes, of the class for its status."""
    try:
        problem = loads(response.content)
    except ValueError:
        problem = None
    if is_object(problem) and str(problem.get("type", "")).startswith(_PROBLEM):
        fields: dict[str, Any] = problem
    else:
        # Of a proxy, or of another server at this address.
        text = response.content[:200].decode(errors="replace").strip()
        fields = {"detail": f"the answer is not one of Longshore: {_HINT} {text}".strip()}
    errors: list[dict[str, Any]] = fields.get("errors") or []
    kinds: dict[int, type[Refused]] = {
        401: NotAllowed,
        403: NotAllowed,
        404: NotFound,
        409: Conflict,
    }
    return kinds.get(response.status, Refused)(
        response.status,
        str(fields.get("type", "")).removeprefix(_PROBLEM),
        str(fields.get("title", "")),
        str(fields.get("detail", "")),
        [ErrorItem(str(item.get("pointer", "")), str(item.get("detail", ""))) for item in errors],
    )
