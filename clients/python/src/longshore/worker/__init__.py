"""The worker: `Worker` in a program, `longshore-worker` on the command line."""

from .worker import Worker

__all__ = ["Worker"]
