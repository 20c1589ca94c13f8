"""A call of a task that was not yet submitted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from .options import Options, check_then

if TYPE_CHECKING:
    from .task import Task

R_co = TypeVar("R_co", covariant=True)

Source = Literal["job", "batch"]


@dataclass(frozen=True)
class FreeParameter:
    """The first parameter that a call leaves free.

    As the follow-up of a job or batch, the call receives the result there.
    """

    name: str
    is_required: bool
    is_variadic: bool = False

    def fill(self, payload: dict[str, Any], source: Source) -> dict[str, Any]:
        """Returns a payload with a reference to the result."""
        reference = (
            {"$from": "job"} if source == "job" else {"$from": "batch", "pointer": "/results"}
        )
        return {**payload, self.name: [reference] if self.is_variadic else reference}


@dataclass(frozen=True)
class Call(Generic[R_co]):
    """A kind, its payload and the options of its submission. `task.s(...)` makes one."""

    kind: str
    payload: Any
    options: Options = field(repr=False)
    decode: Callable[[Any], R_co] = field(repr=False, compare=False)
    is_remote: bool = True
    free: FreeParameter | None = field(default=None, repr=False)

    def to_json(self) -> dict[str, Any]:
        """Returns the submission. Raises TypeError if a required argument is missing."""
        if self.free is not None and self.free.is_required:
            raise TypeError(f"{self.kind}: the argument {self.free.name!r} is missing")
        return self._submission(self.payload)

    def to_follow_up(self, source: Source) -> dict[str, Any]:
        """Returns the submission of this call as the `then` of a job or batch."""
        payload = self.payload if self.free is None else self.free.fill(self.payload, source)
        if self.options.key is not None:
            raise TypeError(f"{self.kind}: a follow-up job is submitted once and takes no key")
        return self._submission(payload)

    def _submission(self, payload: Any) -> dict[str, Any]:
        submission: dict[str, Any] = {"kind": self.kind, "payload": payload}
        if self.is_remote:
            submission["lane"] = "remote"
        submission.update(self.options.to_json())
        if self.options.then is not None:
            submission["then"] = follow_up(self.options.then, "job")
        return submission


def follow_up(then: Call[Any] | Task[..., Any], source: Source) -> dict[str, Any]:
    """Returns the submission of what follows a job or batch.

    That is a call, or a task, which is called with the result.
    """
    check_then(then)
    call: Call[Any] = then if isinstance(then, Call) else then.s()
    return call.to_follow_up(source)
