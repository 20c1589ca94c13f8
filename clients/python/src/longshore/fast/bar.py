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
        self._done = 0

    def advance(self) -> None:
        """Count one more call that has ended."""
        self._done += 1
        is_last = self._done == self._total
        if self._stream.isatty():
            self._write("\r", "\n" if is_last else "")
        elif is_last:
            self._write("", "\n")

    def _write(self, start: str, end: str) -> None:
        filled = "█" * (_WIDTH * self._done // self._total)
        seconds = time.monotonic() - self._started_at
        line = f"{filled:<{_WIDTH}} {self._done} of {self._total}, {seconds:.1f} s"
        self._stream.write(f"{start}{line}{end}")
        self._stream.flush()
