"""The words of fastcore on Longshore: `parallel`, `threaded` and `startthread`.

Each call is a job: it is seen on the pages, has a log, and waits over a restart of the server. The
functions use a `Longshore()` of the environment, unless `use(ls)` names another one.
"""

from __future__ import annotations

from .application import use
from .parallel import parallel
from .runners import ThreadedJob
from .threaded import startthread, threaded

__all__ = ["ThreadedJob", "parallel", "startthread", "threaded", "use"]
