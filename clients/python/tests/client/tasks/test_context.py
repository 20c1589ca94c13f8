"""The context of a running task."""

import asyncio
import threading
from collections.abc import AsyncIterator, Generator

import pytest

from longshore import Context, Longshore, LongshoreError, Reporter, Stopped, current
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


def test_a_plain_call_has_an_idempotency_key_of_its_own(ls: Longshore) -> None:
    @ls.task
    def work(n: int) -> list[str]:
        return [current().idempotency_key, current().idempotency_key]

    first, second = work(1), work(1)
    assert first[0] == first[1] != second[0]


def test_progress_that_is_no_number_raises_in_the_task() -> None:
    with running(context_of(Recorder())) as context:
        with pytest.raises(TypeError, match=r"progress\('50%'\): the percentage must be a number"):
            context.progress("50%")  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            context.progress([])  # type: ignore[arg-type]


@pytest.fixture
def ls() -> Longshore:
    """A client that connects to nothing."""
    return Longshore("http://127.0.0.1:1", give_up=0)


def test_a_plain_call_has_a_context_whose_reports_go_nowhere(ls: Longshore) -> None:
    @ls.task
    def work(n: int, context: Context | None = None) -> bool:
        current().progress(50, "half")
        assert context is not None
        assert context is current()
        context.log("a line")
        return context.stopping

    assert work(1) is False
    with pytest.raises(LongshoreError):
        current()
    with running(context_of(Recorder())) as context:
        assert work(1) is False
        assert work(1, context) is False
        assert work(n=1, context=context) is False


def test_a_plain_call_of_a_generator_has_a_context_at_each_step(ls: Longshore) -> None:
    @ls.task
    def steps(context: Context, n: int) -> Generator[int, None, str]:
        for step in range(n):
            current().progress(step)
            yield step
        return context.kind

    def outer() -> Generator[int, None, str]:
        return (yield from steps(n=2))  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

    seen: list[int] = []
    returned: list[str] = []

    def collected() -> Generator[int, None, None]:
        returned.append((yield from outer()))

    for step in collected():
        seen.append(step)
        with pytest.raises(LongshoreError):
            current()
    assert (seen, returned) == ([0, 1], ["steps"])


async def test_a_plain_call_of_a_coroutine_has_a_context(ls: Longshore) -> None:
    @ls.task
    async def work() -> int:
        await asyncio.sleep(0)
        return current().job_id

    @ls.task
    async def ticks() -> AsyncIterator[int]:
        yield current().job_id

    assert await work() == 0
    assert [tick async for tick in ticks()] == [0]
