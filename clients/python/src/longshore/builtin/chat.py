"""Calls of model servers with the OpenAI chat-completions API."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, overload

from longshore.codec import Codec, is_object, known, loads
from longshore.errors import BadResult
from longshore.task.call import Call
from longshore.task.submittable import Submittable

from .schema import response_format

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletion

    from longshore.job import Job

T = TypeVar("T")

Messages = str | Sequence[Any]
"""One message of the user, or a list of messages as the API takes them."""


class ChatAnswer:
    """The answer of a model server. `raw` is its whole body.

    It may be a parameter of a task that follows a call: its JSON form is that body.
    """

    def __init__(self, raw: dict[str, Any]) -> None:
        self.raw = raw

    def __repr__(self) -> str:
        return f"ChatAnswer(raw={self.raw!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ChatAnswer) and self.raw == other.raw

    __hash__ = None  # type: ignore[assignment]

    @property
    def text(self) -> str:
        """The text of the first choice; empty if it has none, as a call of a tool has."""
        return self._message.get("content") or ""

    @property
    def usage(self) -> dict[str, Any]:
        """The tokens that the call used, as the model server counted them."""
        return self.raw.get("usage") or {}

    @property
    def finish_reason(self) -> str | None:
        """Why the model stopped, such as "stop" or "length"."""
        return self._choice.get("finish_reason")

    def completion(self) -> ChatCompletion:
        """Returns the answer as an object of the OpenAI library; needs `longshore[openai]`."""
        from openai.types.chat import ChatCompletion

        return ChatCompletion.model_validate(self.raw)

    def parse(self, kind: type[T], codec: Codec | None = None) -> T:
        """Reads the text as JSON of a type, and returns the value. Raises `BadResult`."""
        try:
            parsed: T = (codec or Codec()).decode(loads(_without_fence(self.text)), kind)
        except (TypeError, ValueError) as error:
            raise BadResult(
                f"the model's answer is not a {kind.__name__}: {error}: {self.text[:200]!r}"
            ) from error
        return parsed

    def __str__(self) -> str:
        return self.text

    @property
    def _choice(self) -> dict[str, Any]:
        choices: list[dict[str, Any]] = self.raw.get("choices") or [{}]
        return choices[0]

    @property
    def _message(self) -> dict[str, Any]:
        return self._choice.get("message") or {}


class ChatTask(Submittable):
    """Calls of a model server: `ls.chat.submit("Tell me a joke", model="gpt-4o")`.

    `provider` names a provider of the server's configuration; it may be left out if there is only
    one. All other arguments are sent to the model server as they are. With `parse=`, a pydantic
    model or a dataclass, the model is asked for JSON of this form, and the result is filled from
    it.
    """

    @overload
    def submit(
        self,
        messages: Messages,
        *,
        model: str,
        provider: str | None = None,
        parse: None = None,
        **body: Any,
    ) -> Job[ChatAnswer]: ...
    @overload
    def submit(
        self,
        messages: Messages,
        *,
        model: str,
        provider: str | None = None,
        parse: type[T],
        **body: Any,
    ) -> Job[T]: ...
    def submit(self, messages: Messages, **arguments: Any) -> Job[Any]:
        """Submits a call. The job is on the server's disk when this returns."""
        return self.app.submit(self._call(messages, **arguments))

    @overload
    async def asubmit(
        self,
        messages: Messages,
        *,
        model: str,
        provider: str | None = None,
        parse: None = None,
        **body: Any,
    ) -> Job[ChatAnswer]: ...
    @overload
    async def asubmit(
        self,
        messages: Messages,
        *,
        model: str,
        provider: str | None = None,
        parse: type[T],
        **body: Any,
    ) -> Job[T]: ...
    async def asubmit(self, messages: Messages, **arguments: Any) -> Job[Any]:
        """Like `submit`, on the running event loop."""
        return await self.app.asubmit(self._call(messages, **arguments))

    delay = submit

    @overload
    def s(
        self,
        messages: Messages,
        *,
        model: str,
        provider: str | None = None,
        parse: None = None,
        **body: Any,
    ) -> Call[ChatAnswer]: ...
    @overload
    def s(
        self,
        messages: Messages,
        *,
        model: str,
        provider: str | None = None,
        parse: type[T],
        **body: Any,
    ) -> Call[T]: ...
    def s(self, messages: Messages, **arguments: Any) -> Call[Any]:
        """Returns a call that is not submitted yet, for batches and `then`."""
        return self._call(messages, **arguments)

    def _call(
        self,
        messages: Messages,
        *,
        model: str,
        provider: str | None = None,
        parse: type[Any] | None = None,
        **body: Any,
    ) -> Call[Any]:
        payload = {"model": model, "messages": _messages(messages), **body}
        if provider is not None:
            payload["provider"] = provider
        if parse is not None:
            payload.setdefault("response_format", response_format(parse))
        encoded = {name: self._encode(name, value) for name, value in payload.items()}
        codec = self.app.codec
        decode = answer if parse is None else partial(_parsed, kind=parse, codec=codec)
        return Call("chat", encoded, self.default_options, decode, is_remote=False)

    def _encode(self, name: str, value: Any) -> Any:
        try:
            return self.app.codec.encode(value)
        except TypeError as error:
            raise TypeError(f"chat: the argument {name!r}: {error}") from error


def answer(result: Any) -> ChatAnswer:
    """Returns the answer in the result of a `chat` job."""
    if not is_object(result):
        raise BadResult(f"the answer of the model server is not an object: {str(result)[:200]!r}")
    return ChatAnswer(result)


def _decoded(value: Any) -> ChatAnswer:
    if not is_object(value):
        raise ValueError(f"expected the answer of a model server, got {type(value).__name__}")
    return ChatAnswer(value)


known.add(ChatAnswer, lambda answer: answer.raw, _decoded)


def _parsed(result: Any, kind: type[Any], codec: Codec) -> Any:
    return answer(result).parse(kind, codec)


def _messages(messages: Messages) -> list[Any]:
    if isinstance(messages, str):
        return [{"role": "user", "content": messages}]
    return [_message(message) for message in messages]


def _message(message: Any) -> Any:
    """Returns a message without fields that are None: an object of the OpenAI library has them."""
    dump: Callable[..., Mapping[str, Any]] | None = getattr(message, "model_dump", None)
    return message if dump is None else dump(mode="json", exclude_none=True)


def _without_fence(text: str) -> str:
    """Returns a text without the fence of Markdown that some models put around JSON."""
    text = text.strip()
    if text.startswith("```") and text.endswith("```") and "\n" in text:
        return text[text.index("\n") : -3]
    return text
