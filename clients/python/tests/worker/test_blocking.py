"""Calls that wait for a job in the thread of an event loop."""

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from longshore import Longshore, LongshoreError, WaitTimeout, blocking
from longshore.worker import Worker

WAITS: list[Callable[[Any], object]] = [
    lambda job: job.result(),
    lambda job: job.wait(),
    lambda job: list(job.events()),
]
BATCH_WAITS: list[Callable[[Any], object]] = [
    lambda batch: list(batch.results()),
    lambda batch: batch.wait(),
    lambda batch: list(batch.events()),
    lambda batch: list(batch.as_completed()),
]


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """What the warning of a call sets, after which jobs of the test may end."""
    event = threading.Event()

    def warning(*_: object) -> None:
        event.set()

    monkeypatch.setattr(blocking, "_warned", set[str]())
    monkeypatch.setattr(logging.getLogger("longshore"), "warning", warning)
    return event


@pytest.mark.parametrize("wait", WAITS)
async def test_waiting_on_the_loop_that_runs_the_job_raises(
    ls: Longshore, wait: Callable[[Any], object]
) -> None:
    gate = asyncio.Event()

    @ls.task
    async def work(n: int) -> int:
        await gate.wait()
        return n

    async with Worker(ls).lifespan()(None):
        job = await work.asubmit(1)
        with pytest.raises(LongshoreError, match=r"\(\) may wait for ever: .* run job \d+\. Write"):
            wait(job)
        gate.set()
        assert await job == 1
        assert wait(job)  # it has ended
        assert wait(ls.job(job.id))


@pytest.mark.parametrize("wait", BATCH_WAITS)
async def test_waiting_for_a_batch_on_the_loop_that_runs_it_raises(
    ls: Longshore, wait: Callable[[Any], object]
) -> None:
    gate = asyncio.Event()

    @ls.task
    async def work(n: int) -> int:
        await gate.wait()
        return n

    async with Worker(ls).lifespan()(None):
        batch = await work.amap([1, 2])
        with pytest.raises(LongshoreError, match=r"\(\) may wait for ever: .* run batch \d+\."):
            wait(batch)
        gate.set()
        await batch.await_()
        assert wait(batch)


async def test_a_call_with_a_timeout_waits_for_it_on_the_loop_that_runs_the_job(
    ls: Longshore,
) -> None:
    gate = asyncio.Event()

    @ls.task
    async def work(n: int) -> int:
        await gate.wait()
        return n

    async with Worker(ls).lifespan()(None):
        job, batch = await work.asubmit(1), await work.amap([2])
        for wait in (job.wait, job.result, batch.wait):
            with pytest.raises(WaitTimeout):
                wait(timeout=0)
        with pytest.raises(WaitTimeout):
            list(batch.results(timeout=0.1))
        gate.set()
        assert await job == 1


@pytest.mark.parametrize("wait", [*WAITS, *BATCH_WAITS])
async def test_jobs_that_another_worker_runs_are_waited_for(
    ls: Longshore, wait: Callable[[Any], object], warned: threading.Event
) -> None:
    @ls.task
    async def work(n: int) -> int:
        await asyncio.to_thread(warned.wait, 20)
        return n

    with Worker(ls, name="there"):
        batch = await work.amap([1])
        [job] = await batch.ajobs()
        async for event in job.aevents():
            if event.data.get("state") == "running":
                break
        async with Worker(ls, name="here").lifespan()(None):
            assert wait(batch if wait in BATCH_WAITS else job)
            assert warned.is_set()


async def test_the_jobs_of_a_batch_that_have_ended_are_not_waited_for(
    ls: Longshore, warned: threading.Event
) -> None:
    @ls.task
    async def coroutine() -> int:
        return 1

    @ls.task
    def function() -> int:
        warned.wait(20)
        return 2

    async with Worker(ls).lifespan()(None):
        batch = await ls.abatch([coroutine.s(), function.s()])
        first, _ = await batch.ajobs()
        assert await first == 1
        assert list(batch.results()) == [1, 2]


async def test_a_coroutine_that_waits_for_another_one_of_its_worker_fails(ls: Longshore) -> None:
    @ls.task
    async def inner() -> int:
        return 1

    @ls.task
    async def outer() -> int:
        return (await inner.asubmit()).result()

    with Worker(ls), pytest.raises(LongshoreError, match="may wait for ever"):
        await outer.submit()


async def test_waiting_on_another_loop_warns_once_for_each_place(
    ls: Longshore, caplog: pytest.LogCaptureFixture
) -> None:
    @ls.task
    def work(n: int) -> int:
        return n

    caplog.set_level(logging.WARNING, "longshore")
    async with Worker(ls).lifespan()(None):
        for n in range(3):
            assert (await work.asubmit(n)).result(20) == n
        assert list((await work.amap([1, 2])).results()) == [1, 2]
    texts = [record.getMessage() for record in caplog.records if record.name == "longshore"]
    assert len(texts) == 2
    assert "test_blocking.py" in texts[0]
    assert "until job 1 has ended, or for its timeout: write `await job` in an" in texts[0]
    assert "until batch 1 has ended: write `async for result in batch.aresults()`" in texts[1]


async def test_jobs_of_queues_that_the_worker_does_not_take_are_waited_for(ls: Longshore) -> None:
    @ls.task
    async def work(n: int) -> int:
        return n

    async with Worker(ls, queues=["other"]).lifespan()(None):
        with Worker(ls, queues=["mine"]):
            job = await work.options(queue="mine").asubmit(7)
            assert job.result(20) == 7


def test_waiting_without_a_loop_warns_of_nothing(
    ls: Longshore, caplog: pytest.LogCaptureFixture
) -> None:
    @ls.task
    async def work(n: int) -> int:
        return n

    with Worker(ls):
        assert work.submit(1).result(20) == 1
        assert asyncio.run(work(2)) == 2
    assert [record for record in caplog.records if record.name == "longshore"] == []
