"""The child process that runs attempts for a worker."""

from __future__ import annotations

import importlib
import logging
import multiprocessing
import os
import signal
import sys
import threading
from multiprocessing.connection import Connection
from queue import SimpleQueue
from types import ModuleType
from typing import Any, NamedTuple, cast

from longshore.errors import Stopped
from longshore.task import Failure, Task, module_of
from longshore.worker.attempt import AnyTask, Outcome, failed, run
from longshore.worker.capture import capture
from longshore.worker.leases import LeasedJob


class Reference(NamedTuple):
    """Where a process finds a task: the module and the qualified name of its function."""

    module: str
    name: str
    kind: str
    is_exact: bool = False

    @classmethod
    def of(cls, task: AnyTask) -> Reference:
        """Return the reference to a task."""
        fn = task.fn
        return cls(module_of(fn), getattr(fn, "__qualname__", ""), task.kind, task.is_exact)

    def resolve(self) -> AnyTask:
        """Import the module and return the task."""
        module = sys.modules.get(self.module) or importlib.import_module(self.module)
        found = _by_name(module, self.name)
        if _is_task(found, self.kind):
            return cast("AnyTask", found)
        task = _by_kind(module, self.kind)
        if task is not None:
            return task
        if callable(found):
            from longshore.client import Longshore

            task = Longshore().task(name=self.kind, process=True)(found)
            task.is_exact = self.is_exact
            return task
        raise LookupError(
            f"the task {self.kind!r} is not found as {self.name!r} in the module {self.module!r};"
            " a task with process=True must be a function at module level"
        )


def main(pipe: Connection[Any, Any], log_level: int) -> None:
    """Run attempts until the worker closes the pipe or dies."""
    os.setpgid(0, 0)
    # A daemon of `multiprocessing` may not start processes, but tasks may: they are in the same
    # process group, and end with it.
    this: Any = multiprocessing.current_process()
    this._config["daemon"] = False
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.getLogger().setLevel(log_level)
    capture.install()
    process = ChildProcess(pipe)
    signal.signal(signal.SIGTERM, process.on_signal)
    pipe.send("ready")
    process.work()


class ChildProcess:
    """Runs one attempt at a time in the main thread, where a signal can interrupt it.

    It is the `Reporter` of its tasks.
    """

    def __init__(self, pipe: Connection[Any, Any]) -> None:
        self._pipe = pipe
        self._jobs: SimpleQueue[tuple[LeasedJob, Reference]] = SimpleQueue()
        self._lock = threading.RLock()
        self._is_running = False
        self._is_sending = False
        self._is_stopped = False

    def work(self) -> None:
        """Run attempts.

        A process whose attempt was stopped ends, because the signal may have hit some library in
        the middle of its work.
        """
        threading.Thread(target=self._receive, daemon=True).start()
        while not self._is_stopped:
            job, reference = self._jobs.get()
            outcome = self._attempt(job, reference)
            self._is_running = False
            self._send(outcome)

    def report_progress(self, percent: float, message: str) -> None:
        """Send progress to the worker."""
        self._send(("progress", percent, message))

    def report_log(self, text: str) -> None:
        """Send lines to the worker."""
        self._send(("log", text))

    def stop_reason(self) -> str | None:
        """Return whether the worker has asked this process to stop."""
        return "stopped" if self._is_stopped else None

    def on_signal(self, _number: int, _frame: object) -> None:
        """Raise `Stopped` in the task, but not in the middle of a message to the worker."""
        if self._is_running and not self._is_stopped:
            self._is_stopped = True
            if not self._is_sending:
                raise Stopped("the job is to stop")

    def _attempt(self, job: LeasedJob, reference: Reference) -> Outcome:
        try:
            self._is_running = True
            task = reference.resolve()
            return run(job, task, self)
        except Stopped:
            return Outcome("stopped", b"{}", "stopped")
        except BaseException as error:
            message = f"the task cannot be loaded in its process: {type(error).__name__}: {error}"
            return failed(Failure("task_not_loaded", message, retryable=False))

    def _receive(self) -> None:
        try:
            while True:
                self._jobs.put(self._pipe.recv())
        except BaseException:
            # The worker has ended: nobody would take the outcome, and the job runs again elsewhere.
            # Or a job cannot be read, and the worker would wait for its outcome for ever.
            os.killpg(0, signal.SIGKILL)

    def _send(self, message: object) -> None:
        is_main = threading.current_thread() is threading.main_thread()
        with self._lock:
            if is_main:
                self._is_sending = True
            try:
                self._pipe.send(message)
            except OSError:
                os.killpg(0, signal.SIGKILL)
            finally:
                if is_main:
                    self._is_sending = False
        if is_main and self._is_stopped and self._is_running:
            raise Stopped("the job is to stop")


def _by_name(module: ModuleType, name: str) -> Any:
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _is_task(value: Any, kind: str) -> bool:
    return isinstance(value, Task) and value.kind == kind


def _by_kind(module: ModuleType, kind: str) -> AnyTask | None:
    """Return the task of a kind that the module, or an application in it, has under any name."""
    from longshore.client import Longshore

    for value in list(vars(module).values()):
        if _is_task(value, kind):
            return cast("AnyTask", value)
        if isinstance(value, Longshore) and kind in value.tasks:
            return value.tasks[kind]
    return None
