"""A progress bar on the standard error."""

from __future__ import annotations

import sys
import time
from typing import TextIO

_WIDTH = 30


class Bar:
    """Shows how many of the calls have ended: in one line of a terminal, else only at the end."""

    def __init__(self, total: int, stream: TextIO | None = None) -> None:
        self._total = total
        self._stream = stream or sys.stderr
        self._started_at = time.monotonic()

    def show(self, done: int) -> None:
        """Show a number of calls that have ended."""
        is_last = done == self._total
        if self._stream.isatty():
            self._write(done, "\r", "\n" if is_last else "")
        elif is_last:
            self._write(done, "", "\n")

    def _write(self, done: int, start: str, end: str) -> None:
        filled = "█" * (_WIDTH * done // self._total)
        seconds = time.monotonic() - self._started_at
        self._stream.write(
            f"{start}{filled:<{_WIDTH}} {done} of {self._total}, {seconds:.1f} s{end}"
        )
        self._stream.flush()
