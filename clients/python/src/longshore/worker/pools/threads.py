"""Runs attempts in threads."""

from __future__ import annotations

import threading
from queue import SimpleQueue

from longshore.task import Mode
from longshore.worker.attempt import AnyTask, broken, run
from longshore.worker.leases import Lease

from .pool import Finish


class ThreadPool:
    """Runs attempts in threads, which are started when they are needed.

    The threads are daemons: a task that never ends does not keep the program from ending.
    """

    mode: Mode = "thread"

    def __init__(self, size: int, finish: Finish) -> None:
        self.size = size
        self._finish = finish
        self._queue: SimpleQueue[tuple[Lease, AnyTask] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._busy = 0
        self._threads = 0

    def start(self) -> None:
        """Do nothing: the first jobs start the threads."""

    def submit(self, lease: Lease, task: AnyTask) -> None:
        """Run an attempt in a thread. It stops at its next report after the lease says so."""
        with self._lock:
            self._busy += 1
            is_short = self._busy > self._threads
            self._threads += is_short
        if is_short:
            name = f"longshore-thread-{self._threads}"
            threading.Thread(target=self._work, name=name, daemon=True).start()
        self._queue.put((lease, task))

    def close(self) -> None:
        """End the threads once they are idle."""
        with self._lock:
            threads, self._threads = self._threads, 0
        for _ in range(threads):
            self._queue.put(None)

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            lease, task = item
            lease.has_begun = True
            try:
                outcome = run(lease.job, task, lease)
            except BaseException as error:  # else the place of this thread would be lost
                outcome = broken(error)
            with self._lock:
                self._busy -= 1
            self._finish(lease, outcome)
