"""One report about a lease, and the answer to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from longshore.codec import dumps
from longshore.worker.server import Answer

from .lease import Lease
from .notes import Note


class Entry(msgspec.Struct):
    """The answer to one report."""

    status: int
    state: str | None = None
    cancel: bool = False
    detail: str = ""


class Entries(msgspec.Struct):
    """The answers to the reports of one call, in their order."""

    answers: list[Entry]


@dataclass(eq=False)
class Report:
    """One report: an outcome with its summary for the log of the worker, or a renewal."""

    lease: Lease
    content: bytes
    summary: str = ""
    note: Note | None = None
    is_outcome: bool = True
    is_replaced: bool = False
    not_before: float = 0.0


def encode(lease: Lease, action: str, fields: bytes = b"{}", log_text: str = "") -> bytes:
    """Return a report as JSON. `fields` is a JSON object with what belongs to the action."""
    head: dict[str, Any] = {"id": lease.job.id, "lease_token": lease.job.lease_token}
    head["action"] = action
    if log_text:
        head["log"] = log_text
    return dumps(head) if fields == b"{}" else dumps(head)[:-1] + b"," + fields[1:]


def entries_of(answer: Answer, expected: int) -> list[Entry] | None:
    """Return the answers to the reports of a call, or None if it was not accepted."""
    if answer.status != 200:
        return None
    try:
        entries = msgspec.json.decode(answer.content, type=Entries).answers
    except msgspec.DecodeError:
        return None
    return entries if len(entries) == expected else None
