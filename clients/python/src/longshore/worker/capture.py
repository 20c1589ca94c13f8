"""Keeps what a task prints and logs as the log of its job.

`sys.stdout` and `sys.stderr` are replaced by streams that look at a context variable: within a
task, lines go to its job; outside of tasks, text goes to the stream that was there before. Threads,
tasks of asyncio and `asyncio.to_thread` have contexts of their own, so jobs that run at once stay
apart.
"""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TextIO, cast

from longshore.context import Reporter

WORKER_THREAD = "longshore-worker"

_MAX_LINE_CHARACTERS = 64 * 1024


class Lines:
    """Collects the text of one job and reports it by whole lines."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._lock = threading.Lock()
        self._rest = ""

    def write(self, text: str) -> None:
        """Add text; report the lines that are complete."""
        with self._lock:
            lines, end, rest = (self._rest + text).rpartition("\n")
            if len(rest) > _MAX_LINE_CHARACTERS:
                lines, end, rest = lines + end + rest, "\n", ""
            self._rest = rest
        if end:
            self._reporter.report_log(lines)

    def line(self, text: str) -> None:
        """Report one entry of `logging`, which is complete by itself."""
        self._reporter.report_log(text)

    def end(self) -> None:
        """Report the last line if it has no line break."""
        with self._lock:
            rest, self._rest = self._rest, ""
        if rest:
            self._reporter.report_log(rest)


_lines: ContextVar[Lines | None] = ContextVar("longshore_lines", default=None)
_is_echoed: ContextVar[bool] = ContextVar("longshore_is_echoed", default=False)


@contextmanager
def captured(reporter: Reporter) -> Generator[None]:
    """Send what is printed and logged within the block to a job."""
    capture.renew()
    lines = Lines(reporter)
    token = _lines.set(lines)
    try:
        yield
    finally:
        _lines.reset(token)
        lines.end()


@contextmanager
def echoed() -> Generator[None]:
    """Let what is printed within the block reach the stream of the program as well."""
    token = _is_echoed.set(True)
    try:
        yield
    finally:
        _is_echoed.reset(token)


class TaskStream(io.TextIOBase):
    """A text stream that belongs to the job within a task, and to the program elsewhere."""

    def __init__(self, original: TextIO) -> None:
        super().__init__()
        self.original = original

    def write(self, text: str, /) -> int:
        """Write text to the log of the job, or to the stream of the program."""
        lines = _lines.get()
        if lines is None:
            return self.original.write(text)
        lines.write(text)
        if _is_echoed.get():
            self.original.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush the stream of the program. Lines of a job wait for their end."""
        if _lines.get() is None:
            self.original.flush()

    def close(self) -> None:
        """Do nothing. Else the end of this object would flush a stream that may be closed."""

    def writable(self) -> bool:
        """Return True."""
        return True

    def isatty(self) -> bool:
        """Return whether the stream of the program is a terminal; a log of a job is none."""
        return _lines.get() is None and self.original.isatty()

    def fileno(self) -> int:
        """Return the file descriptor of the stream of the program."""
        return self.original.fileno()

    @property
    def buffer(self) -> io.BufferedIOBase:
        """The bytes below the stream of the program."""
        return cast("io.BufferedIOBase", self.original.buffer)

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the stream of the program, such as `reconfigure`."""
        return getattr(self.original, name)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the stream of the program."""
        return self.original.encoding


class JobLogHandler(logging.Handler):
    """Sends what is logged within a task to the log of its job. Other handlers get it as well."""

    def emit(self, record: logging.LogRecord) -> None:
        """Add one record to the log of the job that runs here."""
        lines = _lines.get()
        if lines is None:
            self._emit_outside(record)
        elif not _is_printed():
            try:
                lines.line(self.format(record))
            except Exception:
                self.handleError(record)

    def _emit_outside(self, record: logging.LogRecord) -> None:
        """Do what `logging` does in a program without handlers, which this handler ended."""
        last = logging.lastResort
        is_alone = logging.getLogger().handlers == [self]
        if is_alone and last is not None and record.levelno >= last.level:
            last.handle(record)


def _is_printed() -> bool:
    """Return whether another handler writes to one of the streams that jobs are taken from."""
    return any(
        isinstance(getattr(handler, "stream", None), TaskStream)
        for handler in logging.getLogger().handlers
    )


class OtherThreads(logging.Filter):
    """Drops what a library logs for the calls of the worker itself, such as those for leases."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record comes from another thread than that of a worker."""
        return record.threadName != WORKER_THREAD


class Capture:
    """The streams and the handler of a program. Several workers in it share them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._handler = JobLogHandler()
        logging.getLogger("httpx2").addFilter(OtherThreads())
        self._handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def install(self) -> None:
        """Start to look at what is printed and logged."""
        with self._lock:
            self._users += 1
            if self._users == 1:
                _wrap_streams()
                logging.getLogger().addHandler(self._handler)

    def renew(self) -> None:
        """Look at the streams of now: a program such as pytest may have replaced them since."""
        with self._lock:
            if self._users > 0:
                _wrap_streams()

    def remove(self) -> None:
        """Restore the streams when the last worker ends, unless they were replaced since."""
        with self._lock:
            self._users -= 1
            if self._users == 0:
                if isinstance(sys.stdout, TaskStream):
                    sys.stdout = sys.stdout.original
                if isinstance(sys.stderr, TaskStream):
                    sys.stderr = sys.stderr.original
                logging.getLogger().removeHandler(self._handler)


def _wrap_streams() -> None:
    # A program without a terminal may have no streams.
    if sys.stdout and not isinstance(sys.stdout, TaskStream):
        sys.stdout = TaskStream(sys.stdout)
    if sys.stderr and not isinstance(sys.stderr, TaskStream):
        sys.stderr = TaskStream(sys.stderr)


capture = Capture()
