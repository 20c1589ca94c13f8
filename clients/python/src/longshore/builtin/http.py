"""Calls of other servers."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from longshore.codec import dumps, known
from longshore.errors import BadResult
from longshore.task.call import Call
from longshore.task.submittable import Submittable

if TYPE_CHECKING:
    from longshore.job import Job


class HttpAnswer:
    """The answer of a called server.

    `body` is the JSON value, the text or the bytes of its body, or None if it is empty.
    `is_truncated` says that the body was cut. An answer may be a parameter of a task that follows a
    call: its JSON form is the result of the job.
    """

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str | list[str]],
        body: Any,
        is_truncated: bool = False,
    ) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.is_truncated = is_truncated

    def __repr__(self) -> str:
        return f"HttpAnswer(status={self.status}, headers={self.headers!r}, body={self.body!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HttpAnswer) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]


class HttpTask(Submittable):
    """Calls of other servers: `ls.http.submit("POST", "https://shop.example/hook", json={})`.

    `json` is the body as a JSON value, `content` is a body of text or bytes. With `provider` and
    `path` in place of a URL, a provider of the server's configuration lends its address and key.
    """

    def submit(
        self,
        method: str,
        url: str | None = None,
        *,
        json: Any = None,
        content: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        provider: str | None = None,
        path: str | None = None,
    ) -> Job[HttpAnswer]:
        """Submits a call. The job is on the server's disk when this returns."""
        return self.app.submit(
            self.s(
                method,
                url,
                json=json,
                content=content,
                headers=headers,
                provider=provider,
                path=path,
            )
        )

    async def asubmit(
        self,
        method: str,
        url: str | None = None,
        *,
        json: Any = None,
        content: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        provider: str | None = None,
        path: str | None = None,
    ) -> Job[HttpAnswer]:
        """Like `submit`, on the running event loop."""
        return await self.app.asubmit(
            self.s(
                method,
                url,
                json=json,
                content=content,
                headers=headers,
                provider=provider,
                path=path,
            )
        )

    delay = submit

    def s(
        self,
        method: str,
        url: str | None = None,
        *,
        json: Any = None,
        content: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        provider: str | None = None,
        path: str | None = None,
    ) -> Call[HttpAnswer]:
        """Returns a call that is not submitted yet, for batches and `then`."""
        if (url is None) == (provider is None):
            raise TypeError("http: give either a url, or a provider and a path")
        fields = {"method": method, "url": url, "provider": provider, "path": path}
        payload: dict[str, Any] = {k: v for k, v in fields.items() if v is not None}
        payload.update(self._body(json, content))
        if headers is not None:
            payload["headers"] = {**payload.get("headers", {}), **headers}
        return Call("http", payload, self.default_options, answer, is_remote=False)

    def _body(self, json: Any, content: str | bytes | None) -> dict[str, Any]:
        if json is not None and content is not None:
            raise TypeError("http: give either json or content, not both")
        if isinstance(content, bytes):
            return {"body_base64": base64.b64encode(content).decode()}
        if content is not None:
            return {"body": content}
        if json is None:
            return {}
        try:
            body = self.app.codec.encode(json)
        except TypeError as error:
            raise TypeError(f"http: the argument 'json': {error}") from error
        if isinstance(body, str):
            # The server sends a text as it is; as JSON it has quotes.
            return {"body": dumps(body).decode(), "headers": {"content-type": "application/json"}}
        return {"body": body}


def answer(result: Any) -> HttpAnswer:
    """Returns the answer in the result of an `http` job."""
    try:
        body = result["body"]
        if result.get("body_encoding") == "base64":
            body = base64.b64decode(body)
        return HttpAnswer(result["status"], result["headers"], body, result.get("truncated", False))
    except (KeyError, TypeError, ValueError) as error:
        raise BadResult(f"the result is not an answer of HTTP: {str(result)[:200]!r}") from error


def _encoded(answer: HttpAnswer) -> dict[str, Any]:
    """Returns an answer as the result of an `http` job."""
    result: dict[str, Any] = {"status": answer.status, "headers": dict(answer.headers)}
    if isinstance(answer.body, bytes):
        body = base64.b64encode(answer.body).decode()
        result |= {"body": body, "body_encoding": "base64"}
    else:
        result["body"] = answer.body
    return result | ({"truncated": True} if answer.is_truncated else {})


def _decoded(value: Any) -> HttpAnswer:
    try:
        return answer(value)
    except BadResult as error:
        raise ValueError(str(error)) from error


known.add(HttpAnswer, _encoded, _decoded)
