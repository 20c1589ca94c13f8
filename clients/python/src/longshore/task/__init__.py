"""Tasks: functions whose calls are submitted as jobs."""

from .call import Call
from .failure import Failure, text_of
from .options import Backoff, Options
from .task import FunctionTask, Mode, Task, module_of

__all__ = [
    "Backoff",
    "Call",
    "Failure",
    "FunctionTask",
    "Mode",
    "Options",
    "Task",
    "module_of",
    "text_of",
]
