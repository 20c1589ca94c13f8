"""Background jobs that survive a crash: the client and the worker of Longshore."""

from typing import TYPE_CHECKING, Any

from . import _version
from ._http.events import Event
from .batch import Batch, Counts
from .builtin import ChatAnswer, HttpAnswer
from .client import Longshore
from .codec import Codec
from .context import Context, Reporter, current
from .duration import Duration
from .errors import (
    BadPayload,
    BadResult,
    Conflict,
    ErrorItem,
    Fatal,
    JobCancelled,
    JobDeleted,
    JobError,
    JobFailed,
    LongshoreError,
    NotAllowed,
    NotFound,
    Refused,
    Retry,
    Stopped,
    Unavailable,
    WaitTimeout,
)
from .job import Job
from .outcome import Progress
from .task import Backoff, Call, Failure, Options, Task
from .worker import Worker

if TYPE_CHECKING:
    __version__: str


def __getattr__(name: str) -> Any:
    """Returns `__version__`, which is read when it is asked for."""
    if name == "__version__":
        return _version.version()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "Backoff",
    "BadPayload",
    "BadResult",
    "Batch",
    "Call",
    "ChatAnswer",
    "Codec",
    "Conflict",
    "Context",
    "Counts",
    "Duration",
    "ErrorItem",
    "Event",
    "Failure",
    "Fatal",
    "HttpAnswer",
    "Job",
    "JobCancelled",
    "JobDeleted",
    "JobError",
    "JobFailed",
    "Longshore",
    "LongshoreError",
    "NotAllowed",
    "NotFound",
    "Options",
    "Progress",
    "Refused",
    "Reporter",
    "Retry",
    "Stopped",
    "Task",
    "Unavailable",
    "WaitTimeout",
    "Worker",
    "current",
]
