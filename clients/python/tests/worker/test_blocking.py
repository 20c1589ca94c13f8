"""Calls that wait for a job in the thread of an event loop."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from longshore import Longshore, LongshoreError
from longshore.worker import Worker

WAITS: list[Callable[[Any], object]] = [
    lambda job: job.result(timeout=5),
    lambda job: job.wait(timeout=5),
    lambda job: list(job.events()),
]
BATCH_WAITS: list[Callable[[Any], object]] = [
    lambda batch: list(batch.results(timeout=5)),
    lambda batch: batch.wait(timeout=5),
    lambda batch: list(batch.events()),
    lambda batch: list(batch.as_completed()),
]


@pytest.mark.parametrize("wait", WAITS)
async def test_waiting_on_the_loop_that_runs_the_job_raises(
    ls: Longshore, wait: Callable[[Any], object]
) -> None:
    @ls.task
    async def work(n: int) -> int:
        return n

    async with Worker(ls).lifespan()(None):
        job = await work.asubmit(1)
        with pytest.raises(
            LongshoreError, match=r"\(\) would wait for ever: .* run job \d+\. Write"
        ):
            wait(job)
        assert await job == 1
        assert wait(job)  # it has ended
        assert wait(ls.job(job.id))


@pytest.mark.parametrize("wait", BATCH_WAITS)
async def test_waiting_for_a_batch_on_the_loop_that_runs_it_raises(
    ls: Longshore, wait: Callable[[Any], object]
) -> None:
    @ls.task
    async def work(n: int) -> int:
        return n

    async with Worker(ls).lifespan()(None):
        batch = await work.amap([1, 2])
        with pytest.raises(LongshoreError, match=r"\(\) would wait for ever: .* run batch \d+\."):
            wait(batch)
        await batch.await_()
        assert wait(batch)


async def test_a_coroutine_that_waits_for_another_one_of_its_worker_fails(ls: Longshore) -> None:
    @ls.task
    async def inner() -> int:
        return 1

    @ls.task
    async def outer() -> int:
        return (await inner.asubmit()).result()

    with Worker(ls), pytest.raises(LongshoreError, match="would wait for ever"):
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
    assert "result() blocks the event loop until job 1 has ended: write `await job`" in texts[0]
    assert "write `async for result in batch.aresults()`" in texts[1]


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
