"""Tasks without a server, for the tests of an application."""

import asyncio
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import pytest

from longshore import (
    Conflict,
    Context,
    Fatal,
    JobCancelled,
    JobFailed,
    Longshore,
    LongshoreError,
    NotFound,
    Refused,
    Retry,
    Stopped,
    current,
)
from longshore.testing import Server


@dataclass
class Row:
    id: int
    name: str


@pytest.fixture
def ls() -> Longshore:
    """A client that is never connected."""
    return Longshore("http://127.0.0.1:1", give_up=0)


def test_a_submission_runs_at_once(ls: Longshore) -> None:
    seen: list[Row] = []

    @ls.task
    def load(row: Row) -> Row:
        seen.append(row)
        return Row(row.id + 1, row.name)

    row = Row(1, "a")
    with ls.inline() as sent:
        job = load.options(queue="mail", tags=["x"]).submit(row)
        assert seen == [row]
        assert seen[0] is not row
        assert job.result() == Row(2, "a")
        assert (job.state, job.attempt, job.queue, job.tags) == ("completed", 1, "mail", ["x"])
    assert [(call.kind, call.payload) for call in sent] == [
        ("load", {"row": {"id": 1, "name": "a"}})
    ]
    assert sent[0].fields["queue"] == "mail"
    assert len(sent) == 1
    assert sent.jobs[0].result() == Row(2, "a")


def test_arguments_and_results_are_converted_as_for_real(ls: Longshore) -> None:
    @ls.task
    def work(n: int) -> object:
        return object()

    with ls.inline():
        with pytest.raises(TypeError, match="Expected `int`"):
            work.submit("1")  # type: ignore[arg-type]
        with pytest.raises(JobFailed, match=r"the result of work: .*no JSON form"):
            work.submit(1).result()


async def test_coroutines_run_on_the_running_loop(ls: Longshore) -> None:
    loops: list[Any] = []

    @ls.task
    async def work(n: int) -> int:
        loops.append(asyncio.get_running_loop())
        return n

    with ls.inline():
        assert await (await work.asubmit(1)) == 1
        assert loops == [asyncio.get_running_loop()]
        assert work.submit(2).result() == 2
        assert loops[1] is not loops[0]


def test_coroutines_run_without_a_loop(ls: Longshore) -> None:
    @ls.task
    async def work(n: int) -> int:
        await asyncio.sleep(0)
        return current().job_id

    with ls.inline():
        assert work.submit(1).result() == 1


def test_generators_log_what_they_yield(ls: Longshore) -> None:
    @ls.task
    def lines(n: int) -> Any:
        for i in range(n):
            yield f"line {i}"

    @ls.task
    def counted(n: int) -> Any:
        yield "start"
        return n

    @ls.task
    async def numbers(n: int) -> Any:
        for i in range(n):
            yield i

    with ls.inline():
        job = lines.submit(2)
        assert (job.result(), job.log()) == (["line 0", "line 1"], "line 0\nline 1\n")
        assert counted.submit(3).result() == 3
        assert numbers.submit(3).result() == [0, 1, 2]


def test_the_context_is_that_of_the_job(ls: Longshore) -> None:
    @ls.task(retries=1)
    def work(n: int, context: Context | None = None) -> dict[str, Any]:
        assert context is not None
        assert context is current()
        context.progress(40, "step")
        context.log("a line")
        return {"id": context.job_id, "key": context.idempotency_key, "meta": context.metadata}

    with ls.inline():
        job = work.options(metadata={"row": 7}).submit(n=1)
        assert job.result() == {"id": 1, "key": job.result()["key"], "meta": {"row": 7}}
        assert (job.log(), job.progress) == ("a line\n", (100.0, "step"))
    with pytest.raises(LongshoreError, match="only inside a task"):
        current()


def test_the_idempotency_key_is_that_of_one_job_in_all_its_attempts(ls: Longshore) -> None:
    keys: list[str] = []

    @ls.task(retries=1)
    def work() -> None:
        keys.append(current().idempotency_key)
        if current().attempt == 1:
            raise OSError("again")

    for _ in range(2):
        with ls.inline(retries=True):
            work.submit()
    assert keys[0] == keys[1] != keys[2] == keys[3]
    assert keys[0].startswith("longshore-1-")


def test_a_failure_is_raised_with_its_traceback(ls: Longshore) -> None:
    @ls.task(retries=5)
    def work() -> None:
        raise KeyError("missing")

    with ls.inline():
        with pytest.raises(JobFailed, match="KeyError: 'missing'") as failed:
            work.submit().result()
        assert failed.value.code == "key_error"
        assert 'raise KeyError("missing")' in (failed.value.traceback or "")
        assert len(failed.value.failures) == 1


def test_attempts_are_repeated_if_asked_for(ls: Longshore) -> None:
    attempts: list[int] = []

    @ls.task(retries=3)
    def flaky() -> int:
        attempts.append(current().attempt)
        if len(attempts) == 1:
            raise Retry(60, counts=False)
        if len(attempts) < 4:
            raise OSError("again")
        return len(attempts)

    @ls.task(retries=3)
    def broken() -> None:
        raise Fatal("never", code="never")

    with ls.inline(retries=True):
        assert flaky.submit().result() == 4
        assert attempts == [1, 1, 2, 3]
        job = broken.submit()
        assert (job.state, job.attempt) == ("failed", 1)
        job.retry()
        assert job.attempt == 2


def test_follow_ups_run_with_the_result(ls: Longshore) -> None:
    @ls.task
    def fetch(n: int) -> Row:
        return Row(n, "a")

    @ls.task
    def report(row: Row, title: str = "none") -> str:
        return f"{title}: {row.id}"

    @ls.task
    def total(rows: list[Row]) -> int:
        return sum(row.id for row in rows)

    with ls.inline() as sent:
        follower = fetch.options(then=report.s(title="row")).submit(1).then
        assert follower is not None
        assert follower.result() == "row: 1"
        batch = ls.batch((fetch.s(n) for n in range(4)), then=total)
        assert batch.then is not None
        assert batch.then.result() == 6
    assert [call.kind for call in sent] == ["fetch", "report", *["fetch"] * 4, "total"]


async def test_batches_are_read_as_for_real(ls: Longshore) -> None:
    @ls.task
    def half(n: int) -> int:
        if n == 2:
            raise ValueError("two")
        return n // 2

    with ls.inline():
        batch = half.map([4, 2, 6])
        assert (batch.counts.completed, batch.counts.failed, batch.counts.done) == (2, 1, True)
        outcomes = list(batch.results(errors="return"))
        assert (outcomes[0], outcomes[2]) == (2, 3)
        assert isinstance(outcomes[1], JobFailed)
        assert [place for place, _ in batch.as_completed()] == [0, 1, 2]
        assert [event.kind for event in batch.events()] == ["batch"]
        assert batch.retry_failed() == 1
        open_batch = await ls.abatch([half.s(8)], open=True)
        await open_batch.aadd([half.s(10)])
        await open_batch.aclose()
        assert [result async for result in open_batch.aresults()] == [4, 5]
        with pytest.raises(Conflict):
            open_batch.add([half.s(1)])
        assert [job.id for job in ls.get_batch(2).jobs] == [4, 5]


def test_kinds_of_the_server_need_an_answer(ls: Longshore) -> None:
    with ls.inline(answers={"chat": lambda payload: {"choices": [], "asked": payload["model"]}}):
        assert ls.chat.submit("hi", model="gpt").result().raw["asked"] == "gpt"
        job = ls.http.submit("GET", "http://a.example")
        assert job.state == "queued"
        with pytest.raises(LongshoreError, match=r"inline\(answers="):
            job.result()
        job.cancel()
        with pytest.raises(JobCancelled):
            job.result()
    with ls.inline(answers={"chat": lambda _: 1 // 0}), pytest.raises(JobFailed, match="division"):
        ls.chat.submit("hi", model="gpt").result()


def test_a_job_that_stops_itself_is_cancelled(ls: Longshore) -> None:
    @ls.task
    def work() -> None:
        ls.job(current().job_id).cancel()
        with pytest.raises(Stopped):
            current().progress(1)
        assert current().stopping
        current().check()

    with ls.inline():
        assert work.submit().state == "cancelled"


def test_keys_and_deletes_are_kept(ls: Longshore) -> None:
    ran: list[int] = []

    @ls.task
    def work(n: int) -> None:
        ran.append(n)

    with ls.inline():
        once = work.options(key="k")
        assert once.submit(1).id == once.submit(1).id
        assert ran == [1]
        job = work.submit(2)
        assert [event.data["state"] for event in job.events()] == ["completed"]
        assert job.token() == "lt_inline"
        job.delete()
        with pytest.raises(NotFound):
            job.refresh()


@pytest.mark.parametrize("is_inline", [True, False])
def test_what_the_server_refuses_is_refused_inline(
    longshore_server: Server, is_inline: bool
) -> None:
    ls = longshore_server.client

    @ls.task
    def work(n: int = 0) -> int:
        return n

    with ls.inline() if is_inline else nullcontext():
        with pytest.raises(Refused) as wrong:
            work.options(priority=101, queue="Bad Queue").submit(1)
        assert {item.pointer for item in wrong.value.errors} == {"/priority", "/queue"}
        with pytest.raises(Refused, match="422 /priority: must be between -100 and 100"):
            work.options(priority=-101).submit(1)
        with pytest.raises(Refused, match="/jobs/1/queue: must be 1 to 64 of"):
            ls.batch([work.s(1), work.options(queue="a" * 65).s(2)])
        with pytest.raises(Refused, match="/then/queue"):
            work.options(then=work.options(queue="-").s()).submit(1)
        once = work.options(key="k")
        once.submit(1)
        with pytest.raises(Refused, match="the idempotency key was used before") as reused:
            once.submit(2)
        assert (reused.value.status, reused.value.type) == (422, "idempotency-key-reused")
        with pytest.raises(Refused, match="the idempotency key was used before"):
            work.options(key="k", queue="other").submit(1)
        ls.batch([work.s(1)], key="b")
        with pytest.raises(Refused, match="the idempotency key was used before"):
            ls.batch([work.s(2)], key="b")


@pytest.mark.parametrize("is_inline", [True, False])
def test_the_queue_of_webhooks_is_reserved(longshore_server: Server, is_inline: bool) -> None:
    ls = longshore_server.client

    @ls.task(queue="callbacks")
    def work(n: int = 0) -> int:
        return n

    with ls.inline() if is_inline else nullcontext():
        with pytest.raises(Refused, match="/queue: is reserved for the deliveries of webhooks"):
            work.submit(1)
        with pytest.raises(Refused, match="/then/queue: is reserved for the deliveries"):
            work.options(queue="mine", then=work.s()).submit(1)
        assert work.options(queue="callbacks.mine").submit(1).queue == "callbacks.mine"


def test_the_client_is_connected_again_afterwards(ls: Longshore) -> None:
    session = ls.session
    with pytest.raises(RuntimeError), ls.inline():
        raise RuntimeError
    assert ls.session is session


def test_a_job_that_never_counts_an_attempt_ends_with_an_error(ls: Longshore) -> None:
    @ls.task(retries=1)
    def busy() -> None:
        raise Retry(60, counts=False)

    with (
        ls.inline(retries=True),
        pytest.raises(LongshoreError, match=r"job 1 \(busy\) raised Retry\(counts=False\)"),
    ):
        busy.submit()
