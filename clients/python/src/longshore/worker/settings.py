"""The settings of a worker."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from longshore.duration import Duration, seconds

if TYPE_CHECKING:
    from longshore.client import Longshore

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_LONGEST_LEASE = 24 * 3600.0


@dataclass(frozen=True)
class Settings:
    """The checked settings of a worker. Durations are in seconds."""

    queues: tuple[str, ...]
    threads: int
    processes: int | None
    coroutines: int
    lease: float
    grace: float
    name: str

    @classmethod
    def checked(
        cls,
        *,
        queues: Sequence[str],
        threads: int,
        processes: int | None,
        coroutines: int,
        lease: Duration,
        grace: Duration,
        name: str | None,
    ) -> Settings:
        """Return the settings, or raise ValueError that names the setting and what it may be."""
        return cls(
            queues=_queues(queues),
            threads=_count("threads", threads, 1000),
            processes=None if processes is None else _count("processes", processes, 1000),
            coroutines=_count("coroutines", coroutines, 10_000),
            lease=_lease(lease),
            grace=_seconds("grace", grace),
            name=_worker_name(name),
        )

    @property
    def renew_pause(self) -> float:
        """Seconds between two renewals of all leases."""
        return self.lease / 3

    @property
    def call_timeout(self) -> float:
        """Seconds to wait for the answer to a report, short enough to repeat it in time."""
        return max(2.0, min(15.0, self.lease / 3))


def queues_of(app: Longshore, settings: Settings) -> Sequence[str]:
    """Return the queues to take jobs from; none means all.

    An application with a queue of its own shares the server with others, whose tasks may have the
    same names. So its worker takes jobs of its own queues only: that of the application, and those
    of its tasks.
    """
    if settings.queues or app.queue == "default":
        return settings.queues
    queues = {task.default_options.queue for task in app.tasks.values()}
    return sorted({app.queue} | {queue for queue in queues if queue is not None})


def processes_of(app: Longshore, settings: Settings) -> int:
    """Return the number of child processes: if it is not given, one if a task needs one."""
    if settings.processes is not None:
        return settings.processes
    return int(any(task.mode == "process" for task in app.tasks.values()))


def _queues(queues: Sequence[str]) -> tuple[str, ...]:
    names = (queues,) if isinstance(queues, str) else tuple(queues)
    for name in names:
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"queues: {name!r} is not the name of a queue; a name has 1 to 64 of the"
                " characters a-z, 0-9, '.', '_' and '-', and starts with a letter or a digit"
            )
    if len(names) > 100:
        raise ValueError(f"queues: at most 100 queues can be named, not {len(names)}")
    return names


def _count(setting: str, value: int, most: int) -> int:
    if not 0 <= value <= most:
        raise ValueError(f"{setting}: must be between 0 and {most}, not {value}")
    return value


def _seconds(setting: str, duration: Duration) -> float:
    try:
        return seconds(duration)
    except ValueError as error:
        raise ValueError(f"{setting}: {error}") from None


def _lease(duration: Duration) -> float:
    lease = _seconds("lease", duration)
    if not 1 <= lease <= _LONGEST_LEASE:
        raise ValueError(f"lease: must be between 1 s and 24 h, not {lease:g} s")
    return lease


def _worker_name(name: str | None) -> str:
    """Return the name that people see with a job; the server takes 128 bytes."""
    text = f"{socket.gethostname()}-{os.getpid()}" if name is None else name
    text = "".join(character if character.isprintable() else "?" for character in text)
    return text.encode("utf-8", "replace")[:128].decode("utf-8", "ignore") or "worker"
