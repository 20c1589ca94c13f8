"""The client goes on while the server is killed and started again, and when answers are lost."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from client.kit import Hand, Proxy
from longshore import Longshore, Unavailable, WaitTimeout
from longshore.testing import Server


def crash(server: Server) -> None:
    """Kills the server and starts it again on the same port."""
    server.kill()
    server.start()


@pytest.fixture
def proxy(longshore_server: Server) -> Iterator[Proxy]:
    """A proxy before the server, which knows what was sent."""
    proxy = Proxy(longshore_server.url)
    yield proxy
    proxy.close()


@pytest.fixture
def ls(proxy: Proxy) -> Iterator[Longshore]:
    """A client that reaches the server through the proxy."""
    with Longshore(proxy.url) as ls:
        yield ls


def test_a_result_is_awaited_through_a_crash(
    longshore_server: Server, proxy: Proxy, ls: Longshore, hand: Hand
) -> None:
    @ls.task
    def work(n: int) -> int:
        raise NotImplementedError

    job = work.submit(1)
    hand.take("work")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(job.result)
        proxy.wait_for(b"/v1/jobs/1?wait=")
        crash(longshore_server)
        hand.complete(job.id, 7)
        assert waiting.result() == 7


async def test_an_awaited_job_goes_through_a_crash(
    longshore_server: Server, proxy: Proxy, ls: Longshore, hand: Hand
) -> None:
    @ls.task
    def work(n: int) -> int:
        raise NotImplementedError

    job = await work.asubmit(1)
    hand.take("work")
    waiting = asyncio.ensure_future(job.aresult())
    await asyncio.to_thread(proxy.wait_for, b"/v1/jobs/1?wait=")
    await asyncio.to_thread(crash, longshore_server)
    await asyncio.to_thread(hand.complete, job.id, 8)
    assert await waiting == 8


def test_events_go_on_through_a_crash(longshore_server: Server, ls: Longshore, hand: Hand) -> None:
    @ls.task
    def work() -> int:
        raise NotImplementedError

    job = work.submit()
    events = job.events()
    assert next(events).data["state"] == "queued"
    hand.take("work")
    assert next(events).data["state"] == "running"
    crash(longshore_server)
    hand.report(job.id, "renew", log="after the crash")
    seen = next(event for event in events if event.kind == "log")
    assert seen.data["text"] == "after the crash\n"
    crash(longshore_server)
    hand.complete(job.id, 1)
    assert list(events)[-1].data["result"] == 1


async def test_async_events_go_on_through_a_crash(
    longshore_server: Server, ls: Longshore, hand: Hand
) -> None:
    @ls.task
    def work() -> int:
        raise NotImplementedError

    job = await work.asubmit()
    hand.take("work")
    states: list[str] = []
    async for event in job.aevents():
        states.append(event.data["state"])
        if event.data["state"] == "running":
            await asyncio.to_thread(crash, longshore_server)
            await asyncio.to_thread(hand.complete, job.id, 1)
    assert states[-1] == "completed"


def test_results_of_a_batch_go_on_through_a_crash(
    longshore_server: Server, ls: Longshore, hand: Hand
) -> None:
    @ls.task
    def double(n: int) -> int:
        raise NotImplementedError

    batch = double.map(range(20))
    hand.run("double", lambda payload: 2 * payload["n"], 10)
    results = batch.results()
    first = [next(results) for _ in range(10)]
    crash(longshore_server)
    hand.run("double", lambda payload: 2 * payload["n"], 10)
    assert first + list(results) == [2 * n for n in range(20)]


def test_ends_of_jobs_go_on_through_a_crash(
    longshore_server: Server, ls: Longshore, hand: Hand
) -> None:
    @ls.task
    def double(n: int) -> int:
        raise NotImplementedError

    batch = double.map(range(6))
    completed = batch.as_completed()
    seen: dict[int, int] = {}
    for _ in range(3):
        hand.run("double", lambda payload: 2 * payload["n"], 2)
        crash(longshore_server)
        for _ in range(2):
            place, job = next(completed)
            seen[place] = job.result()
    assert seen == {n: 2 * n for n in range(6)}
    assert list(completed) == []


def test_a_submission_is_stored_once_although_answers_are_lost(
    longshore_server: Server, ls: Longshore
) -> None:
    cutting = Proxy(longshore_server.url, cuts=3)
    with Longshore(cutting.url) as far:

        @far.task
        def work(n: int) -> None: ...

        job = work.submit(1)
    cutting.close()
    assert cutting.connections > 3
    assert job.id == 1
    assert len(ls.session.clients.client().get("/v1/jobs").json()["jobs"]) == 1


async def test_an_async_submission_is_stored_once_although_answers_are_lost(
    longshore_server: Server, ls: Longshore
) -> None:
    cutting = Proxy(longshore_server.url, cuts=2)
    async with Longshore(cutting.url) as far:

        @far.task
        def work(n: int) -> None: ...

        batch = await work.amap(range(3))
    cutting.close()
    assert batch.id == 1
    assert [job.id for job in batch.jobs] == [1, 2, 3]
    assert ls.get_batch(1).total == 3


def test_actions_succeed_although_their_answers_are_lost(
    longshore_server: Server, ls: Longshore, hand: Hand
) -> None:
    @ls.task
    def work() -> None: ...

    job = work.submit()
    hand.take("work")
    hand.fail(job.id, "failed", "no")
    cutting = Proxy(longshore_server.url, cuts=1)
    with Longshore(cutting.url) as far:
        far.job(job.id).retry()
    cutting.close()
    assert job.refresh().state == "queued"
    job.cancel()
    cutting = Proxy(longshore_server.url, cuts=1)
    with Longshore(cutting.url) as far:
        far.job(job.id).delete()
    cutting.close()


def test_a_server_that_stays_away_is_unavailable(longshore_server: Server) -> None:
    ls = Longshore(longshore_server.url, give_up=0.3)

    @ls.task
    def work() -> None: ...

    job = work.submit()
    longshore_server.kill()
    with pytest.raises(Unavailable, match=r"was not answered within 0\.3 s"):
        work.submit()
    with pytest.raises(Unavailable):
        job.result()
    with pytest.raises(Unavailable):
        list(job.events())
    ls.close()


def test_a_timeout_holds_although_the_server_is_away(longshore_server: Server) -> None:
    with Longshore(longshore_server.url, give_up=60) as ls:

        @ls.task
        def work() -> None: ...

        job = work.submit()
        longshore_server.kill()
        with pytest.raises(WaitTimeout):
            job.result(timeout=0.3)


def test_a_server_that_is_started_late_is_awaited(longshore_server: Server) -> None:
    with Longshore(longshore_server.url) as ls:

        @ls.task
        def work() -> None: ...

        longshore_server.kill()
        starter = threading.Timer(0.5, longshore_server.start)
        starter.start()
        assert work.submit().id == 1
        starter.join()


def test_a_server_that_does_not_answer_is_named_in_the_log_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(Unavailable):
        Longshore("http://127.0.0.1:9", give_up=2.5).job(1).refresh()
    warnings = [entry.getMessage() for entry in caplog.records if entry.name == "longshore"]
    assert warnings == [
        "http://127.0.0.1:9 does not answer, trying for 2.5 s; is `longshore serve` running?"
    ]
