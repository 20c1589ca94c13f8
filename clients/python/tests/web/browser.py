"""A headless Chromium that is controlled by WebDriver, which is JSON over HTTP."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

import httpx2

T = TypeVar("T")

FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    # Nothing but this machine is reached: a script of another host fails at once.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


PRESS = """
for (const button of document.querySelectorAll("button")) {
  if (button.textContent.trim() === arguments[0]) { button.click(); return true }
}
return false
"""


def is_installed() -> bool:
    """Return whether this machine has Chromium and its driver."""
    return all(shutil.which(program) for program in ("chromium", "chromedriver"))


class Browser:
    """A browser with one window. It ends with the `with` block."""

    def __init__(self) -> None:
        self._home = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._process = subprocess.Popen(
            ["chromedriver", "--port=0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": self._home.name, "TMPDIR": self._home.name},
            text=True,
            start_new_session=True,
        )
        self._http = httpx2.Client(base_url=f"http://127.0.0.1:{self._port()}", timeout=60)
        self._session = ""

    def __enter__(self) -> Browser:
        options = {
            "binary": shutil.which("chromium"),
            "args": [*FLAGS, f"--user-data-dir={self._home.name}/profile"],
        }
        match = {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL"},
        }
        answer = self._send("/session", {"capabilities": {"alwaysMatch": match}})
        self._session = f"/session/{answer['sessionId']}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._session:
            self._http.delete(self._session)
        self._http.close()
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._home.cleanup()

    def open(self, url: str) -> None:
        """Open a page and wait until it is loaded."""
        self._send(f"{self._session}/url", {"url": url})

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page and return what it returns."""
        body = {"script": script, "args": list(arguments)}
        return self._send(f"{self._session}/execute/sync", body)

    def press(self, name: str) -> None:
        """Press the button with this text."""
        if not self.run(PRESS, name):
            raise AssertionError(f"the page has no button {name!r}: {self.text()}")

    def text(self) -> str:
        """Return the text of the page."""
        return str(self.run("return document.body.innerText"))

    def messages(self) -> list[str]:
        """Return the messages of the console since they were last read."""
        entries = self._send(f"{self._session}/se/log", {"type": "browser"})
        return [f"{entry['level']}: {entry['message']}" for entry in entries]

    def until(self, condition: Callable[[], T], seconds: float = 20) -> T:
        """Wait until a condition is true and return its value."""
        end = time.monotonic() + seconds
        while not (value := condition()):
            if time.monotonic() > end:
                raise AssertionError(f"not seen within {seconds} s; the page says: {self.text()}")
            time.sleep(0.05)
        return value

    def _send(self, path: str, body: dict[str, Any]) -> Any:
        answer = self._http.post(path, json=body)
        value: Any = answer.json()["value"]
        if answer.status_code != 200:
            raise AssertionError(f"{value['error']}: {value['message']}")
        return value

    def _port(self) -> int:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if "started successfully on port " in line:
                return int(line.rsplit(" ", 1)[1].strip().rstrip("."))
        raise AssertionError("chromedriver did not start")
