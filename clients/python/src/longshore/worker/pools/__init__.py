"""The pools that run attempts: threads, coroutines and processes."""

from .coroutines import CoroutinePool
from .pool import Finish, Pool
from .processes import ProcessPool
from .threads import ThreadPool

__all__ = ["CoroutinePool", "Finish", "Pool", "ProcessPool", "ThreadPool"]
