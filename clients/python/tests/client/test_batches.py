"""Batches on a real server."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest

from client.kit import Hand, Proxy
from longshore import (
    Batch,
    Call,
    Conflict,
    JobDeleted,
    JobError,
    JobFailed,
    Longshore,
    Options,
    Refused,
    Task,
    WaitTimeout,
)
from longshore.testing import Server


@pytest.fixture
def double(ls: Longshore) -> Task[[int], int]:
    """A task of the client."""

    @ls.task
    def double(n: int) -> int:
        raise NotImplementedError

    return double


def twice(payload: Any) -> int:
    return int(2 * payload["n"])


def test_results_come_in_the_order_of_submission(
    ls: Longshore, hand: Hand, double: Task[[int], int]
) -> None:
    batch = ls.batch((double.s(n) for n in range(300)), name="numbers")
    assert (batch.name, batch.total, batch.open) == ("numbers", 300, False)
    leases = hand.take("double", limit=300)
    for lease in reversed(leases):
        hand.complete(lease["id"], twice(lease["payload"]))
    assert list(batch.results()) == [2 * n for n in range(300)]
    assert batch.wait().completed == 300
    assert batch.counts.done
    assert batch.finished_at is not None


def test_results_are_yielded_as_they_become_known(hand: Hand, double: Task[[int], int]) -> None:
    results = double.map(range(3)).results()
    with ThreadPoolExecutor(1) as pool:
        for n in range(3):
            waiting = pool.submit(next, results)
            hand.run("double", twice, 1)
            assert waiting.result() == 2 * n


async def test_a_batch_is_read_on_an_event_loop(hand: Hand, double: Task[[int], int]) -> None:
    batch = await double.amap(range(5))
    running = asyncio.ensure_future(asyncio.to_thread(hand.run, "double", twice, 5))
    assert [result async for result in batch.aresults()] == [0, 2, 4, 6, 8]
    await running
    assert (await batch.await_()).percent == 100
    ends = {place: job.state async for place, job in batch.aas_completed()}
    assert ends == dict.fromkeys(range(5), "completed")
    assert [job.id for job in await batch.ajobs()] == [1, 2, 3, 4, 5]
    assert (await batch.arefresh()).counts.done


def test_a_failed_job_raises_or_is_returned(hand: Hand, double: Task[[int], int]) -> None:
    batch = double.map(range(3))
    first, second, third = hand.take("double", limit=3)
    hand.complete(first["id"], 0)
    hand.fail(second["id"], "no", "never", traceback="Traceback")
    hand.complete(third["id"], 4)
    results = batch.results()
    assert next(results) == 0
    with pytest.raises(JobFailed, match="never"):
        next(results)
    outcomes = list(batch.results(errors="return"))
    assert (outcomes[0], outcomes[2]) == (0, 4)
    error = outcomes[1]
    assert isinstance(error, JobFailed)
    assert (error.job_id, error.traceback) == (second["id"], "Traceback")
    assert batch.retry_failed() == 1
    assert not batch.counts.done
    hand.run("double", twice, 1)
    assert list(batch.results()) == [0, 2, 4]


def test_a_deleted_job_keeps_its_place_among_the_results(
    ls: Longshore, hand: Hand, double: Task[[int], int]
) -> None:
    batch = double.map(range(5))
    hand.run("double", twice, 5)
    for place in (1, 2, 4):
        batch.jobs[place].delete()
    outcomes = list(batch.results(errors="return"))
    assert [outcomes[place] for place in (0, 3)] == [0, 6]
    deleted = [error for error in outcomes if isinstance(error, JobDeleted)]
    assert [error.job_id for error in deleted] == [batch.jobs[place].id for place in (1, 2, 4)]
    with pytest.raises(JobDeleted, match="job 2 was deleted"):
        list(batch.results())
    assert list(ls.get_batch(batch.id).results()) == [0, 6]


def test_jobs_are_yielded_as_they_end(hand: Hand, double: Task[[int], int]) -> None:
    batch = double.map(range(4))
    leases = hand.take("double", limit=4)
    completed = batch.as_completed()
    order = [2, 0, 3, 1]
    seen: list[tuple[int, int]] = []
    for place in order:
        hand.complete(leases[place]["id"], twice(leases[place]["payload"]))
        at, job = next(completed)
        seen.append((at, job.result()))
    assert seen == [(place, 2 * place) for place in order]
    assert list(completed) == []


def test_a_batch_that_was_submitted_elsewhere_is_read(
    ls: Longshore, hand: Hand, double: Task[[int], int]
) -> None:
    double.submit(7)
    known = double.map(range(250))
    batch = ls.get_batch(known.id)
    hand.run("double", twice, 251)
    assert list(batch.results()) == [2 * n for n in range(250)]
    assert [job.id for job in batch.jobs] == [job.id for job in known.jobs]
    assert sorted(place for place, _ in batch.as_completed()) == list(range(250))


def test_an_open_batch_takes_more_jobs(ls: Longshore, hand: Hand, double: Task[[int], int]) -> None:
    batch = ls.batch([double.s(0)], open=True)
    hand.run("double", twice, 1)
    results = batch.results()
    assert (next(results), batch.open) == (0, True)
    assert [job.id for job in batch.add([double.s(1), double.s(2)])] == [2, 3]
    ls.get_batch(batch.id).add([double.s(3)])
    hand.run("double", twice, 3)
    assert [next(results) for _ in range(3)] == [2, 4, 6]
    batch.close()
    assert list(results) == []
    assert batch.wait(timeout=20).completed == 4
    assert sorted(place for place, _ in batch.as_completed()) == [0, 1, 2, 3]
    with pytest.raises(Conflict):
        batch.add([double.s(4)])


def test_an_addition_that_is_repeated_adds_nothing(
    ls: Longshore, hand: Hand, double: Task[[int], int]
) -> None:
    batch: Batch[int] = ls.batch([], open=True)
    other = ls.get_batch(batch.id)
    assert [job.id for job in batch.add([double.s(0)], key="a")] == [1]
    assert [job.id for job in other.add([double.s(1)], key="b")] == [2]
    for _ in range(2):
        assert [job.id for job in other.add([double.s(0)], key="a")] == [1]
    hand.run("double", twice, 2)
    results = other.results()
    assert [next(results), next(results)] == [0, 2]
    # Learns only now of a job before those that it has read.
    late = ls.get_batch(batch.id)
    late.add([double.s(1)], key="b")
    late_results = late.results()
    assert [next(late_results), next(late_results)] == [0, 2]
    late.add([double.s(0)], key="a")
    late.add([double.s(2)], key="c")
    hand.run("double", twice, 1)
    batch.close()
    assert (list(results), list(late_results)) == ([4], [4])
    assert [job.id for job in late.jobs] == [1, 2, 3]


def test_more_than_ten_thousand_calls_are_one_batch(
    ls: Longshore, hand: Hand, double: Task[[int], int]
) -> None:
    count = 25_000
    batch = ls.batch((double.s(n) for n in range(count)), key="many")
    assert (batch.total, batch.open) == (count, False)
    assert ls.batch((double.s(n) for n in range(count)), key="many").id == batch.id
    assert ls.get_batch(batch.id).total == count
    assert len(batch.jobs) == count
    batch.cancel()
    assert batch.wait().cancelled == count


def test_pieces_are_added_once_although_answers_are_lost(
    longshore_server: Server, ls: Longshore
) -> None:
    cutting = Proxy(longshore_server.url, cuts=2)
    with Longshore(cutting.url) as far:

        @far.task
        def work(n: int) -> None: ...

        batch = far.batch(work.s(n) for n in range(10_001))
    cutting.close()
    assert batch.total == 10_001
    assert ls.get_batch(batch.id).total == 10_001


@pytest.mark.parametrize("key", [None, "k"])
def test_a_batch_whose_calls_raise_in_between_is_cancelled_unless_it_has_a_key(
    ls: Longshore, double: Task[[int], int], monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    monkeypatch.setattr("longshore.batch.pieces.MAX_JOBS", 2)

    def calls() -> Iterator[Call[int]]:
        yield from map(double.s, range(5))
        raise OSError("the file ends too soon")

    with pytest.raises(OSError, match="too soon"):
        ls.batch(calls(), key=key)
    counts = ls.get_batch(1).counts
    assert (counts.total, counts.cancelled) == ((4, 4) if key is None else (4, 0))


def test_an_empty_batch_has_no_results(ls: Longshore, double: Task[[int], int]) -> None:
    nothing: list[Call[int]] = []
    batch = ls.batch(nothing)
    assert (batch.total, list(batch.results()), list(batch.as_completed())) == (0, [], [])
    assert batch.wait().percent == 100
    assert double.map([]).wait().total == 0


def test_a_wrong_call_submits_nothing(ls: Longshore, double: Task[[int], int]) -> None:
    def calls(n: Any) -> Any:
        yield double.s(1)
        yield double.s(n)

    with pytest.raises(TypeError, match=r"double: the argument 'n': Expected `int`, got `str`"):
        ls.batch(calls("x"))
    with pytest.raises(TypeError, match="call 1 of the batch is of the type int"):
        ls.batch(cast("list[Call[int]]", [double.s(1), 7]))
    with pytest.raises(TypeError, match="call 0 of the batch has a key"):
        ls.batch([double.options(key="k").s(1)])
    call = Call("double", {"n": 1}, Options(priority=1000), int)
    with pytest.raises(Refused, match="/jobs/1/priority"):
        ls.batch([double.s(1), call])
    assert ls.session.clients.client().get("/v1/jobs").json()["jobs"] == []


def test_a_reduce_receives_the_results(ls: Longshore, hand: Hand, double: Task[[int], int]) -> None:
    @ls.task
    def total(numbers: list[int], unit: str = "") -> str:
        raise NotImplementedError

    batch = ls.batch(map(double.s, range(4)), then=total.s(unit="kg"))
    hand.run("double", twice, 4)
    hand.run("total", lambda payload: f"{sum(payload['numbers'])} {payload['unit']}", 1)
    batch.wait()
    follower = batch.refresh().then
    assert follower is not None
    assert follower.result() == "12 kg"


def test_a_batch_is_cancelled_and_waits_time_out(ls: Longshore, double: Task[[int], int]) -> None:
    batch = double.map(range(3))
    with pytest.raises(WaitTimeout, match=r"not finished after 0\.05 s: 0 of 3 jobs have ended"):
        batch.wait(timeout=0.05)
    with pytest.raises(WaitTimeout, match=r"known after 0\.05 s$"):
        list(batch.results(timeout=0.05))
    assert batch.cancel().cancelled == 3
    errors = list(batch.results(errors="return"))
    assert all(isinstance(error, JobError) for error in errors)
    states = [event.data["counts"]["cancelled"] for event in ls.get_batch(batch.id).events()]
    assert states == [3]


def test_a_wait_for_an_open_batch_says_that_it_is_open(
    ls: Longshore, hand: Hand, double: Task[[int], int]
) -> None:
    batch = ls.batch([double.s(1)], open=True)
    hand.run("double", twice, 1)
    with pytest.raises(WaitTimeout, match=r"after 0\.3 s: it is open: close\(\) it"):
        batch.wait(timeout=0.3)
    with pytest.raises(WaitTimeout, match=r"known after 0\.3 s: it is open: close\(\) it"):
        list(batch.results(timeout=0.3))


def test_the_results_have_two_ways_for_errors(double: Task[[int], int]) -> None:
    batch = double.map([1])
    for read in (batch.results, batch.aresults):
        with pytest.raises(ValueError, match="errors='ignore': must be 'raise' or 'return'"):
            read(errors="ignore")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]


def test_a_token_reads_one_batch(ls: Longshore, hand: Hand, double: Task[[int], int]) -> None:
    batch = double.map([1, 2])
    hand.run("double", twice, 2)
    reader = ls.get_batch(batch.id, token=batch.token())
    assert list(reader.results()) == [2, 4]
    with pytest.raises(Refused):
        reader.cancel()


def test_calls_of_several_tasks_are_one_batch(
    ls: Longshore, hand: Hand, double: Task[[int], int]
) -> None:
    @ls.task
    def name(n: int) -> bytes:
        raise NotImplementedError

    calls: list[Call[int | bytes]] = [double.s(1), name.s(2)]
    batch = ls.batch(calls)
    hand.run("double", twice, 1)
    hand.run("name", lambda _: "AAE=", 1)
    assert list(batch.results()) == [2, b"\x00\x01"]
