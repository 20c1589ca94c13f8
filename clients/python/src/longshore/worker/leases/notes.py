"""What a running job reports besides its outcome: its progress and the lines of its log."""

from __future__ import annotations

import math
import threading
from collections import deque
from typing import NamedTuple

_MAX_LOG_CHARACTERS = 64 * 1024
_MAX_MESSAGE_CHARACTERS = 4096


class Note(NamedTuple):
    """The progress and the text for the log that one report carries."""

    progress: dict[str, object] | None
    log: str


class Notes:
    """Keeps progress and lines until a report takes them. Safe to use from any thread.

    Of the lines that wait, the last 64 KiB are kept, which is what the server keeps of a log.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._progress: dict[str, object] | None = None
        self._lines: deque[str] = deque()
        self._length = 0
        self._omitted = 0

    def set_progress(self, percent: float, message: str) -> None:
        """Replace the progress that waits."""
        value = 0.0 if math.isnan(percent) else min(100.0, max(0.0, float(percent)))
        with self._lock:
            self._progress = {"percent": value, "message": message[:_MAX_MESSAGE_CHARACTERS]}

    def add_log(self, text: str) -> None:
        """Add one or more lines."""
        line = text if text.endswith("\n") else f"{text}\n"
        if len(line) > _MAX_LOG_CHARACTERS:
            omitted = len(line) - _MAX_LOG_CHARACTERS
            line = f"[{omitted} characters omitted]\n{line[omitted:]}"
        with self._lock:
            self._lines.append(line)
            self._length += len(line)
            self._drop_oldest()

    def take(self) -> Note | None:
        """Return what waits and forget it, or None if there is nothing."""
        with self._lock:
            if self._progress is None and not self._lines:
                return None
            omitted = f"[{self._omitted} characters omitted]\n" if self._omitted else ""
            note = Note(self._progress, omitted + "".join(self._lines))
            self._progress, self._length, self._omitted = None, 0, 0
            self._lines.clear()
            return note

    def put_back(self, note: Note) -> None:
        """Return a note whose report was not answered. Newer progress replaces that of the note."""
        with self._lock:
            if self._progress is None:
                self._progress = note.progress
            if note.log:
                self._lines.appendleft(note.log)
                self._length += len(note.log)
                self._drop_oldest()

    def _drop_oldest(self) -> None:
        while self._length > _MAX_LOG_CHARACTERS and len(self._lines) > 1:
            oldest = self._lines.popleft()
            self._length -= len(oldest)
            self._omitted += len(oldest)
