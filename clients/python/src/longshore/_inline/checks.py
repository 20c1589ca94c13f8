"""What the server refuses in a submission, as far as tests of an application meet it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from longshore.codec import is_list, is_object

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_NAME_RULE = "must be 1 to 64 of a-z, 0-9, '.', '_' and '-', starting with a letter or a digit"
_CALLBACK_QUEUE = "callbacks"


def faults(body: Any) -> list[dict[str, str]]:
    """Returns what is wrong in the submission of a job, or in those of a batch, and where."""
    if not is_object(body):
        return []
    if not is_list(body.get("jobs")):
        return list(_job_faults(body, ""))
    jobs = enumerate(body["jobs"])
    found = [fault for index, job in jobs for fault in _job_faults(job, f"/jobs/{index}")]
    return [*found, *_follow_up_faults(body, "")]


def _job_faults(job: dict[str, Any], pointer: str) -> Iterator[dict[str, str]]:
    queue, priority = job.get("queue", "default"), job.get("priority", 0)
    if not isinstance(queue, str) or not _NAME.fullmatch(queue):
        yield {"pointer": f"{pointer}/queue", "detail": _NAME_RULE}
    elif queue == _CALLBACK_QUEUE:
        detail = "is reserved for the deliveries of webhooks; use another queue"
        yield {"pointer": f"{pointer}/queue", "detail": detail}
    if isinstance(priority, bool) or not isinstance(priority, int):
        yield {"pointer": f"{pointer}/priority", "detail": "must be a whole number"}
    elif not -100 <= priority <= 100:
        yield {"pointer": f"{pointer}/priority", "detail": "must be between -100 and 100"}
    yield from _follow_up_faults(job, pointer)


def _follow_up_faults(owner: dict[str, Any], pointer: str) -> Iterator[dict[str, str]]:
    if is_object(owner.get("then")):
        yield from _job_faults(owner["then"], f"{pointer}/then")
