"""Starts a worker again when a file of its application changes, for development.

A supervisor starts the worker as a child process. The worker looks at the files of its own modules,
and ends with a certain exit code when one has changed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from .application import LoadError

EXIT_CODE = 75
_PAUSE = 0.5


def supervise(arguments: Sequence[str]) -> int:
    """Run the worker, again and again as long as it asks for that. Return its last exit code."""
    command = [sys.executable, "-m", "longshore.worker.cli", *arguments, "--is-reloaded"]
    ended = False
    child: subprocess.Popen[bytes] | None = None

    def forward(number: int, _frame: FrameType | None) -> None:
        nonlocal ended
        ended = True
        if child is not None:
            child.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, forward)
    while not ended:
        # In a session of its own, because Ctrl-C would reach it twice otherwise.
        child = subprocess.Popen(command, start_new_session=True)
        code = child.wait()
        if code != EXIT_CODE:
            return code if code >= 0 else 128 - code
    return 0


class Reloader:
    """Looks at the files of the application, and stops the worker when one changes.

    It stops the worker as well when the supervisor has ended.
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        self.exit_code = 0
        self._stop = stop
        self._parent = os.getppid()
        threading.Thread(target=self._run, name="longshore-reload", daemon=True).start()

    def _run(self) -> None:
        files = Files()
        while os.getppid() == self._parent:
            changed = files.changed(application_files())
            if changed is not None:
                print(f"longshore-worker: {changed} has changed", file=sys.stderr)  # noqa: T201
                self.exit_code = EXIT_CODE
                break
            time.sleep(_PAUSE)
        self._stop()


def wait_for_repair(name: str, error: LoadError) -> int:
    """Wait until a file changes that keeps the application from being loaded."""
    parent = os.getppid()
    module = name.partition(":")[0].replace(".", "/")
    named = {Path.cwd() / f"{module}.py", Path.cwd() / module / "__init__.py"}
    files = Files()
    while os.getppid() == parent:
        if files.changed(application_files() | error.files | named) is not None:
            return EXIT_CODE
        time.sleep(_PAUSE)
    return 2


class Files:
    """The times at which files were changed."""

    def __init__(self) -> None:
        self._times: dict[Path, int] = {}

    def changed(self, files: set[Path]) -> Path | None:
        """Return a file that has changed since the last call. A file that is new has not."""
        found = None
        for file in files:
            try:
                changed_at = file.stat().st_mtime_ns
            except OSError:
                changed_at = 0
            if self._times.setdefault(file, changed_at) != changed_at:
                self._times[file] = changed_at
                found = file
        return found


def application_files() -> set[Path]:
    """Return the files of loaded modules below the current folder, without installed packages."""
    folder = Path.cwd()
    files: set[Path] = set()
    for module in list(sys.modules.values()):
        name = getattr(module, "__file__", None)
        if not name:
            continue
        file = Path(name)
        if file.is_relative_to(folder) and "site-packages" not in file.parts:
            files.add(file)
    return files
