"""What type checkers know of tasks. The checkers read this file; running it proves that it runs."""

from collections.abc import AsyncIterator, Coroutine, Generator, Iterator
from dataclasses import dataclass
from typing import Any

from typing_extensions import assert_type

from longshore import (
    Batch,
    Call,
    ChatAnswer,
    Context,
    HttpAnswer,
    Job,
    JobError,
    Longshore,
    current,
)

ls = Longshore("http://127.0.0.1:1", give_up=0)


@dataclass
class Row:
    id: int


@ls.task
def load(row: Row, *, times: int = 1) -> str:
    return str(row.id) * times


@ls.task(retries=3, queue="mail")
async def send(to: str) -> int:
    return len(to)


@ls.task
def lines(count: int) -> Iterator[str]:
    yield from ("line",) * count


@ls.task
def counted(count: int) -> Generator[str, None, int]:
    yield "start"
    return count


@ls.task
def only_yields(count: int) -> Generator[int, None, None]:
    yield count


@ls.task
async def ticks(count: int) -> AsyncIterator[int]:
    yield count


@ls.task
def report(rows: list[str], title: str = "") -> bytes:
    current().progress(50)
    return title.encode()


@ls.task
def with_context(n: int, context: Context | None = None) -> None: ...


def test_editors_know_arguments_and_results() -> None:
    with ls.inline(answers={"chat": lambda _: {"choices": []}, "http": http_answer}):
        assert_type(load(Row(1)), str)
        assert_type(load.submit(Row(1), times=2), Job[str])
        assert_type(load.submit(Row(1)).result(), str)
        assert_type(load.delay(Row(1)), Job[str])
        assert_type(load.s(Row(1)), Call[str])
        assert_type(load.map([Row(1)]), Batch[str])
        assert_type(load.options(queue="bulk").submit(Row(1)), Job[str])
        assert_type(lines.submit(1).result(), list[str])
        assert_type(lines(1), Iterator[str])
        assert_type(counted.submit(1).result(), int)
        assert_type(only_yields.submit(1).result(), list[int])
        assert_type(ticks.submit(1).result(), list[int])
        assert_type(ls.submit(load.s(Row(1))), Job[str])
        assert_type(ls.chat.submit("hi", model="m"), Job[ChatAnswer])
        assert_type(ls.chat.s("hi", model="m", parse=Row), Call[Row])
        assert_type(ls.http.submit("GET", "http://a.example"), Job[HttpAnswer])
        assert_type(ls.job(1), Job[Any])


def test_editors_know_the_results_of_batches() -> None:
    with ls.inline():
        batch = ls.batch((load.s(Row(n)) for n in range(2)), then=report)
        assert_type(batch, Batch[str])
        assert_type(list(batch.results()), list[str])
        assert_type(list(batch.results(errors="return")), list[str | JobError])
        assert_type(list(batch.as_completed()), list[tuple[int, Job[str]]])


def test_editors_know_follow_ups() -> None:
    with ls.inline():
        assert_type(report.s(["a"]), Call[bytes])
        assert_type(report.s(title="b"), Call[bytes])
        assert_type(report.s(), Call[bytes])
        assert_type(load.options(then=report.s(title="c")).submit(Row(1)), Job[str])


async def test_editors_know_coroutines() -> None:
    with ls.inline():
        plain: Coroutine[Any, Any, int] = send("ann")
        assert_type(await plain, int)
        assert_type(await send.asubmit("ann"), Job[int])
        assert_type(await (await send.asubmit("ann")), int)
        assert_type(await send.amap(["ann"]), Batch[int])
        batch = await ls.abatch([send.s("ann")])
        assert_type([result async for result in batch.aresults()], list[int])
        joke = await ls.chat.options(queue="live").asubmit("hi", model="m", parse=Row)
        assert_type(joke, Job[Row])


def test_wrong_calls_are_errors_of_types() -> None:
    """Each line has an error that a checker must find."""

    def wrong() -> None:
        load.submit(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        load.submit()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
        load.submit(Row(1), size=2)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
        load.options(queues="a")  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue]
        ls.chat.submit("hi")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
        ls.task(retry=1)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]

    assert callable(wrong)


def http_answer(payload: Any) -> Any:
    return {"status": 200, "headers": {}, "body": None}
