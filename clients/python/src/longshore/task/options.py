"""The options of a submission, such as its queue and its retries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timezone
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, cast

from longshore.duration import Duration, seconds, to_json
from longshore.outcome import parse_time

if TYPE_CHECKING:
    from .call import Call
    from .task import Task


#: Options of other libraries, and what they are called here.
_OTHER_NAMES = {
    "countdown": "delay",
    "eta": "run_at",
    "max_retries": "retries",
    "task_id": "key",
    "link": "then",
}


def check_names(given: Iterable[str], known: Sequence[str], of: str) -> None:
    """Raises TypeError for an option that there is not, with the one that may be meant."""
    for name in given:
        if name not in known:
            other = _OTHER_NAMES.get(name)
            near = [other] if other in known else get_close_matches(name, known, 2)
            hint = (
                f"did you mean {' or '.join(f'{one}=' for one in near)}?"
                if near
                else f"there are {', '.join(known)}"
            )
            raise TypeError(f"{of} has no option {name}=: {hint}")


@dataclass(frozen=True)
class Backoff:
    """The pauses between the attempts of a job.

    The first is `initial`, each further one `factor` times as long, up to `max`, and each is
    spread by `jitter`. What is None has the server's default.
    """

    initial: Duration | None = None
    factor: float | None = None
    max: Duration | None = None
    jitter: float | None = None
    max_retry_after: Duration | None = None

    def to_json(self) -> dict[str, Any]:
        """Returns the backoff as the server reads it."""
        durations = ("initial", "max", "max_retry_after")
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: to_json(value) if name in durations else value
            for name, value in given.items()
            if value is not None
        }


@dataclass(frozen=True)
class Options:
    """Options of a submission. What is None has the default of the task or of the server."""

    queue: str | None = None
    delay: Duration | None = None
    run_at: datetime | str | None = None
    priority: int | None = None
    key: str | None = None
    expires: Duration | datetime | None = None
    tags: Sequence[str] | None = None
    metadata: Mapping[str, Any] | None = None
    retries: int | None = None
    timeout: Duration | None = None
    backoff: Backoff | Duration | None = None
    at_most_once: bool | None = None
    then: Call[Any] | Task[..., Any] | None = None
    callback: str | Mapping[str, Any] | None = None
    truncate_result: bool | None = None

    def __post_init__(self) -> None:
        """Raises ValueError that names an option whose value cannot be used."""
        _check_retries(self.retries)
        _check_run_at(self.run_at)
        _check_metadata(self.metadata)
        check_then(self.then)
        for name, duration in (("timeout", self.timeout), ("delay", self.delay)):
            try:
                if duration is not None:
                    seconds(duration)
            except (TypeError, ValueError) as error:
                raise type(error)(f"{name}={duration!r}: {error}") from None

    def merged(self, changes: Options) -> Options:
        """Returns these options with those of `changes` that are given."""
        given = {field.name: getattr(changes, field.name) for field in fields(changes)}
        if given["delay"] is not None and given["run_at"] is None:
            return replace(self, **_given(given), run_at=None)
        if given["run_at"] is not None and given["delay"] is None:
            return replace(self, **_given(given), delay=None)
        return replace(self, **_given(given))

    def to_json(self) -> dict[str, Any]:
        """Returns the fields of the submission, except for `key`, which is a header, and `then`."""
        fields_of_submission: dict[str, Any] = {
            "queue": self.queue,
            "priority": self.priority,
            "delay": None if self.delay is None else to_json(self.delay),
            "run_at": None if self.run_at is None else _time(self.run_at),
            **_expiry(self.expires),
            "timeout": None if self.timeout is None else to_json(self.timeout),
            "max_attempts": None if self.retries is None else self.retries + 1,
            "backoff": None if self.backoff is None else _backoff(self.backoff),
            "tags": None if self.tags is None else _tags(self.tags),
            "metadata": None if self.metadata is None else dict(self.metadata),
            "callback": None if self.callback is None else callback_object(self.callback),
            "at_most_once": self.at_most_once or None,
            "truncate_result": self.truncate_result or None,
        }
        return _given(fields_of_submission)


NAMES = tuple(field.name for field in fields(Options))


def _check_retries(retries: Any) -> None:
    if retries is None:
        return
    if not isinstance(retries, int) or isinstance(retries, bool):
        raise TypeError(f"retries={retries!r}: must be a whole number")
    if retries < 0:
        raise ValueError(f"retries={retries}: must be at least 0")


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _tags(tags: Sequence[str]) -> list[str]:
    if isinstance(tags, str):
        raise TypeError(f"tags must be a list of texts, such as [{tags!r}], not one text")
    return list(tags)


def _check_run_at(run_at: Any) -> None:
    if run_at is None or isinstance(run_at, datetime):
        return
    hint = "must be a datetime, or a text such as '2030-01-31T09:00:00Z'"
    if not isinstance(run_at, str):
        raise TypeError(f"run_at={run_at!r}: {hint}")
    try:
        parse_time(run_at)
    except ValueError:
        raise ValueError(f"run_at={run_at!r}: {hint}") from None


def _check_metadata(metadata: Any) -> None:
    if metadata is not None and not isinstance(metadata, Mapping):
        raise TypeError(f"metadata={metadata!r}: must be a dict, such as {{'user': 17}}")


def check_then(then: Any) -> None:
    """Refuses what is neither a task nor a call. Both are defined in modules that import this."""
    if then is not None and not hasattr(then, "to_follow_up") and not hasattr(then, "s"):
        raise TypeError(f"then={then!r}: must be a task or a call of one, such as report.s()")


def _time(time_at: datetime | str) -> str:
    """Returns a time in UTC. A time without a zone is a local time, as for `datetime.timestamp`."""
    if isinstance(time_at, str):
        time_at = cast(datetime, parse_time(time_at))
    return time_at.astimezone(timezone.utc).isoformat()


def _expiry(expires: Duration | datetime | None) -> dict[str, Any]:
    if expires is None:
        return {}
    if isinstance(expires, datetime):
        return {"expires_at": _time(expires)}
    return {"expires_in": to_json(expires)}


def _backoff(backoff: Backoff | Duration) -> dict[str, Any]:
    return (backoff if isinstance(backoff, Backoff) else Backoff(initial=backoff)).to_json()


def callback_object(callback: str | Mapping[str, Any]) -> dict[str, Any]:
    """Returns a webhook as the server reads it: a URL, or an object with one."""
    return {"url": callback} if isinstance(callback, str) else dict(callback)
