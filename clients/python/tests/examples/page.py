"""What a person does on the page of an example."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from web.browser import Browser, is_installed

JOKE = "return document.querySelector('.longshore-job[data-state=completed]')?.innerText"
BARS = "return document.querySelectorAll('progress').length"
SERVE = Path(__file__).with_name("serve.py")


@contextmanager
def served_example(path: Path, environment: Mapping[str, str], folder: Path) -> Generator[str]:
    """Serve an example in a process of its own, and yield its address."""
    with subprocess.Popen(
        [sys.executable, SERVE, path],
        env=dict(environment),
        cwd=folder,  # FastHTML writes the key of its sessions here
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def joke_in_page(path: Path, environment: Mapping[str, str], folder: Path) -> str:
    """Press both buttons of a page, and return what was seen."""
    if not is_installed():
        return "skipped, because chromium is not installed"
    with served_example(path, environment, folder) as url, Browser() as browser:
        browser.open(url)
        started = time.perf_counter()
        browser.press("Get a Joke")
        joke = browser.until(lambda: browser.run(JOKE))
        seconds = time.perf_counter() - started
        browser.press("Start Task")
        browser.until(lambda: browser.run(BARS) == 2)
        browser.until(lambda: "step" in browser.text())
        browser.until(lambda: all(f"Task {n} is done." in browser.text() for n in (1, 2)))
    return f"after {seconds:.1f} s the page says: {joke!r}; both tasks showed progress and ended"


def environment_of(url: str, **further: str) -> dict[str, str]:
    """Return the environment of a program that uses this job server."""
    return {**os.environ, "LONGSHORE_URL": url, **further}
