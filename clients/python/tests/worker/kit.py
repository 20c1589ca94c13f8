"""What the tests of the worker share: worker programs, and waiting."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from longshore import Longshore

HERE = Path(__file__).parent
PATIENCE = 30.0


def eventually(
    condition: Callable[[], Any], what: str | Callable[[], str], patience: float = PATIENCE
) -> Any:
    """Return the value of a condition once it is true."""
    end_at = time.monotonic() + patience
    while not (value := condition()):
        if time.monotonic() > end_at:
            text = what if isinstance(what, str) else what()
            raise AssertionError(f"not within {patience:g} s: {text}")
        time.sleep(0.01)
    return value


def run_of(ls: Longshore, job: int) -> dict[str, Any]:
    """Return the job object."""
    answer = ls.session.clients.client().get(f"/v1/jobs/{job}")
    found: dict[str, Any] = answer.json()
    return found


def key_of(job: int, payload: bytes) -> str:
    """Return the idempotency key that the server has for calls of this job."""
    return f"longshore-{job}-{hashlib.sha256(payload).hexdigest()[:16]}"


def has_watch(ls: Longshore) -> bool:
    """Return whether the server has `POST /v1/leases/watch`."""
    body = {"leases": [{"id": 1, "lease_token": 1}], "wait": 0}
    return ls.session.clients.client().post("/v1/leases/watch", json=body).status_code != 404


class Program:
    """A worker as a program of its own, with its log and the effects of its tasks."""

    def __init__(
        self,
        folder: Path,
        url: str,
        *options: str,
        application: str = "sample:ls",
        cwd: Path = HERE,
    ) -> None:
        self.effects_file = folder / "effects"
        self.log_file = folder / f"worker-{time.monotonic_ns()}.log"
        variables = {**os.environ, "LONGSHORE_URL": url, "EFFECTS": str(self.effects_file)}
        variables["PYTHONUNBUFFERED"] = "1"
        command = [sys.executable, "-m", "longshore.worker.cli", application, *options]
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=cwd, env=variables, stdout=log, stderr=log, start_new_session=True
            )

    @property
    def log(self) -> str:
        """What the program has printed and logged."""
        return self.log_file.read_text(errors="replace")

    @property
    def effects(self) -> list[str]:
        """The effects of tasks so far, also those of other programs of the same folder."""
        return self.effects_file.read_text().splitlines() if self.effects_file.exists() else []

    def until_effect(self, text: str, count: int = 1) -> str:
        """Wait for an effect that starts with the text, and return it."""

        def found() -> str | None:
            lines = [line for line in self.effects if line.startswith(text)]
            if len(lines) >= count:
                return lines[count - 1]
            assert self.process.poll() is None, f"the worker has ended:\n{self.log}"
            return None

        line: str = eventually(found, lambda: f"{text!r} in {self.effects}; log:\n{self.log}")
        return line

    def until_effects(self, count: int) -> None:
        """Wait until there are so many effects."""
        eventually(lambda: len(self.effects) >= count, lambda: f"{count} effects:\n{self.log}")

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the worker, not to its children."""
        self.process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.send(number)
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        """End the program if the test has not done it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait()


def in_thread(function: Callable[[], Any]) -> Callable[[], Any]:
    """Call a function in a thread. The result waits for it and returns what it returned."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(function()), daemon=True)
    thread.start()

    def result() -> Any:
        thread.join(PATIENCE)
        assert results, "the thread has not ended, or it failed"
        return results[0]

    return result
