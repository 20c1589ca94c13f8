"""The jobs of a batch by state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Counts:
    """The number of jobs of a batch, in all and by state."""

    total: int = 0
    scheduled: int = 0
    queued: int = 0
    running: int = 0
    retrying: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Counts:
        """Returns the counts of a batch as the server describes it."""
        known = {name: data["counts"].get(name, 0) for name in cls.__dataclass_fields__}
        return cls(**{**known, "total": data["total"]})

    @property
    def final(self) -> int:
        """The number of jobs that are completed, failed or cancelled."""
        return self.completed + self.failed + self.cancelled

    @property
    def done(self) -> bool:
        """Whether all jobs are final."""
        return self.final == self.total

    @property
    def percent(self) -> float:
        """How many of the jobs are final, from 0 to 100."""
        return 100.0 * self.final / self.total if self.total else 100.0
