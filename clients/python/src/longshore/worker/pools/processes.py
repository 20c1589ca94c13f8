"""Runs attempts in processes, one long-lived child for each place."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from longshore.errors import LongshoreError
from longshore.task import Failure, Mode
from longshore.worker.attempt import STOPPED, AnyTask, Outcome, broken, failed
from longshore.worker.leases import Lease

from . import child
from .pool import Finish

if TYPE_CHECKING:
    Pipe = Connection[Any, Any]

#: Code in C does not see SIGTERM before it returns. A worker that ends lets jobs go on for longer.
_KILL_AFTER = {"drain": 5.0}
_KILL_AFTER_CANCEL = 0.7
#: How often a child is started again that such a signal ends at its start.
_RESTARTS = 2
_GROUP_SIGNALS = (-signal.SIGTERM, -signal.SIGINT)


class ProcessPool:
    """Runs attempts in child processes.

    A thread for each child sends it jobs and receives what it reports.
    """

    mode: Mode = "process"

    def __init__(self, size: int, finish: Finish, end: Callable[[LongshoreError], None]) -> None:
        self.size = size
        self._finish = finish
        self._end = end
        self._queue: SimpleQueue[tuple[Lease, AnyTask] | None] = SimpleQueue()
        self._children = [Child() for _ in range(size)]
        self._is_started = False

    def start(self) -> None:
        """Start the children, so that the first jobs need not wait for that."""
        if self._is_started:
            return
        self._is_started = True
        for place, one in enumerate(self._children):
            name = f"longshore-process-{place + 1}"
            threading.Thread(target=self._work, args=(one,), name=name, daemon=True).start()

    def submit(self, lease: Lease, task: AnyTask) -> None:
        """Run an attempt in a child that is idle."""
        self.start()
        self._queue.put((lease, task))

    def close(self) -> None:
        """Kill the children, and end the threads."""
        for one in self._children:
            self._queue.put(None)
            one.close()

    def _work(self, one: Child) -> None:
        self._prepare(one)
        while (item := self._queue.get()) is not None:
            lease, task = item
            if self._prepare(one):
                self._finish(lease, self._run(one, lease, task))
                self._prepare(one)  # if it has died, for the next job
            else:
                self._finish(lease, STOPPED)
        one.dispose()

    def _run(self, one: Child, lease: Lease, task: AnyTask) -> Outcome:
        try:
            return one.run(lease, task)
        except BaseException as error:  # else this thread would end, and its place be lost
            one.discard()
            return broken(error)

    def _prepare(self, one: Child) -> bool:
        """Make sure that a child is alive.

        If none can be started, the worker ends, because all jobs would fail.
        """
        try:
            one.prepare()
        except Exception as error:
            self._end(LongshoreError(f"no child process can be started: {error}"))
            return False
        return True


class Child:
    """A child process, which is replaced when it dies."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        # Guards what the event loop reads to send signals: the process and its current lease.
        self._lock = threading.Lock()
        self._process: Any = None
        self._pipe: Pipe | None = None
        self._lease: Lease | None = None
        self._is_closed = False

    def prepare(self) -> None:
        """Start the process if there is none, and wait until it is ready.

        A signal to the process group of the worker also ends a child that has not yet made a group
        of its own. It is started again: the worker itself follows the signal.
        """
        exitcode = self._start_if_none()
        for _ in range(_RESTARTS):
            if exitcode in _GROUP_SIGNALS:
                exitcode = self._start_if_none()
        if exitcode is not None:
            raise ChildProcessError(_how(exitcode))

    def _start_if_none(self) -> int | None:
        """Start the process if there is none. Return how it ended if it did not become ready."""
        with self._lock:
            if self._is_closed or (self._process is not None and self._process.is_alive()):
                return None
            process, pipe = self._start()
        try:
            self._next_message(pipe)
        except (EOFError, OSError):
            process.join()
            return None if self._is_closed else process.exitcode
        return None

    def _start(self) -> tuple[BaseProcess, Pipe]:
        pipes: Any = self._context.Pipe()  # another class on Windows
        ours: Pipe = pipes[0]
        theirs: Pipe = pipes[1]
        process = self._context.Process(
            target=child.main,
            args=(theirs, logging.getLogger().getEffectiveLevel()),
            name="longshore-task",
            daemon=True,  # else a program that forgets to stop the worker never ends
        )
        process.start()
        theirs.close()
        self._process, self._pipe = process, ours
        return process, ours

    def run(self, lease: Lease, task: AnyTask) -> Outcome:
        """Run an attempt in the process, and return its outcome."""
        with self._lock:
            if self._pipe is None or self._is_closed or lease.stop_reason() is not None:
                return STOPPED
            self._lease, pipe = lease, self._pipe
        lease.on_stop = lambda: self._stop(lease)
        if lease.stop_reason() is not None:
            self._stop(lease)
        lease.has_begun = True
        try:
            pipe.send((lease.job, child.Reference.of(task)))
            outcome = self._receive(pipe, lease)
        except (EOFError, OSError):
            outcome = None
        finally:
            with self._lock:
                self._lease = None
        if outcome is None or outcome.action == "stopped":
            return self._ended(lease, outcome)
        return outcome

    def close(self) -> None:
        """Kill the process and all that it has started."""
        with self._lock:
            self._is_closed = True
            self._signal(signal.SIGKILL)

    def dispose(self) -> None:
        """Forget the process, once it has ended after `close`.

        Its descriptors are closed with the last reference to it. `Process.close` would make the
        `multiprocessing` of a program that ends at the same time raise an exception, because it
        joins all processes that it knows.
        """
        process = self._process
        if process is None:
            return
        process.join()
        with self._lock:
            self._forget()

    def discard(self) -> int | None:
        """Kill the process and forget it, because it has died or is in the middle of some work.

        Return its exit code.
        """
        with self._lock:
            process, self._lease = self._process, None
            self._signal(signal.SIGKILL)
            self._forget()
        if process is None:
            return None
        process.join()
        code: int | None = process.exitcode
        return code

    def _forget(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
        self._process = self._pipe = None

    def _receive(self, pipe: Pipe, lease: Lease) -> Outcome:
        """Pass on what the process reports, until its outcome."""
        while True:
            message = self._next_message(pipe)
            if isinstance(message, Outcome):
                return message
            if message[0] == "progress":
                lease.report_progress(message[1], message[2])
            else:
                lease.report_log(message[1])

    def _next_message(self, pipe: Pipe) -> Any:
        """Return what the process sends. Raise EOFError if it dies.

        The process is looked at too: what it has started may hold the other end of the pipe open.
        """
        while not pipe.poll(1.0):
            if not self._process.is_alive() and not pipe.poll(0):
                raise EOFError
        return pipe.recv()

    def _ended(self, lease: Lease, outcome: Outcome | None) -> Outcome:
        """Return the outcome of a process that has died or been stopped. The next job gets another
        process.
        """
        exitcode = self.discard()
        if outcome is not None or lease.stop_reason() is not None:
            return STOPPED
        return failed(Failure("process_died", _how(exitcode)))

    def _stop(self, lease: Lease) -> None:
        """Ask the process to stop, and kill it after a while. Called on any thread."""
        with self._lock:
            if self._lease is lease:
                self._signal(signal.SIGTERM)
                killer = threading.Timer(
                    _KILL_AFTER.get(lease.stop_reason() or "", _KILL_AFTER_CANCEL),
                    self._kill,
                    (lease,),
                )
                killer.daemon = True
                killer.start()

    def _kill(self, lease: Lease) -> None:
        with self._lock:
            if self._lease is lease:
                self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        """Send a signal to the process and to what it has started: its process group."""
        process = self._process
        if process is None or process.pid is None:
            return
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:  # the group is gone, or the process has not made it yet
            process.kill()


def refuse_in_child() -> None:
    """Raise RuntimeError in a child process that imports the main module of the program again.

    A program that starts a worker there without a condition would start workers without end.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise RuntimeError(
            "a child process of a worker imports the main module of the program, which would start"
            " another worker: start it under `if __name__ == '__main__':`"
        )


def _how(exitcode: int | None) -> str:
    """Return how a process ended, for people."""
    if exitcode is not None and exitcode < 0:
        try:
            name = signal.Signals(-exitcode).name
        except ValueError:
            name = f"signal {-exitcode}"
        hint = "; the system may have run out of memory" if name == "SIGKILL" else ""
        return f"the process that ran the task was ended by {name}{hint}"
    return (
        f"the process that ran the task ended with exit code {exitcode}; see the log of the worker"
    )
