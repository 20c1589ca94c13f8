"""What was submitted within `Longshore.inline()`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    from longshore.job import Job


@dataclass(frozen=True)
class SentCall:
    """One submission: its kind, its payload, and all of its fields as the server reads them."""

    kind: str
    payload: Any
    fields: dict[str, Any] = field(repr=False)


class Sent(Sequence[SentCall]):
    """The submissions within `Longshore.inline()`, in their order, follow-up jobs included."""

    def __init__(self) -> None:
        self.calls: list[SentCall] = []
        self.jobs: list[Job[Any]] = []

    @overload
    def __getitem__(self, place: int) -> SentCall: ...
    @overload
    def __getitem__(self, place: slice) -> list[SentCall]: ...
    def __getitem__(self, place: int | slice) -> SentCall | list[SentCall]:
        return self.calls[place]

    def __len__(self) -> int:
        return len(self.calls)

    def __iter__(self) -> Iterator[SentCall]:
        return iter(self.calls)

    def __repr__(self) -> str:
        return f"<Sent {self.calls}>"
