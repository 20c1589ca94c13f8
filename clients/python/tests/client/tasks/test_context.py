"""The context of a running task."""

import threading

import pytest

from longshore import Context, LongshoreError, Reporter, Stopped, current
from longshore.context import running


class Recorder:
    """A reporter that keeps what it gets."""

    def __init__(self) -> None:
        self.progress: list[tuple[float, str]] = []
        self.log: list[str] = []
        self.reason: str | None = None

    def report_progress(self, percent: float, message: str) -> None:
        self.progress.append((percent, message))

    def report_log(self, text: str) -> None:
        self.log.append(text)

    def stop_reason(self) -> str | None:
        return self.reason


def context_of(reporter: Reporter) -> Context:
    return Context(17, "work", "default", 2, 5, reporter)


def test_reports_reach_the_reporter() -> None:
    recorder = Recorder()
    with running(context_of(recorder)) as context:
        assert current() is context
        current().progress(50)
        current().progress(60, "half")
        current().log("a line")
    assert (recorder.progress, recorder.log) == ([(50, ""), (60, "half")], ["a line"])
    with pytest.raises(LongshoreError):
        current()


def test_a_job_that_is_to_stop_raises_at_each_report() -> None:
    recorder = Recorder()
    context = context_of(recorder)
    assert not context.stopping
    context.check()
    recorder.reason = "the job was cancelled"
    assert context.stopping
    for report in (context.check, lambda: context.progress(1), lambda: context.log("x")):
        with pytest.raises(Stopped, match="the job was cancelled"):
            report()
    assert (recorder.progress, recorder.log) == ([], [])


def test_each_thread_has_a_context_of_its_own() -> None:
    seen: list[bool] = []

    def look() -> None:
        with pytest.raises(LongshoreError):
            current()
        seen.append(True)

    with running(context_of(Recorder())):
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert seen == [True]


def test_the_idempotency_key_is_that_of_the_job() -> None:
    assert context_of(Recorder()).idempotency_key == "longshore-17"
