"""Jobs that are to stop: cancelled ones, and attempts that have reached their deadline."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from longshore import Job, JobFailed, Longshore, Stopped, current
from longshore.worker import Worker
from worker import sample as tasks
from worker.kit import Program, eventually, has_watch, run_of

Start = Callable[..., Program]


def cancelled_after(ls: Longshore, job: Job[Any]) -> float:
    """Cancel a job that runs, and return how long it takes until it is cancelled."""
    started_at = time.monotonic()
    job.cancel()
    eventually(lambda: run_of(ls, job.id)["state"] == "cancelled", "the job is cancelled")
    return time.monotonic() - started_at


def test_a_thread_stops_at_its_next_report(ls: Longshore) -> None:
    begun, swallowed, stopped = threading.Event(), threading.Event(), threading.Event()

    @ls.task
    def works() -> None:
        begun.set()
        try:
            while True:
                try:
                    current().progress(1)
                except Exception:
                    swallowed.set()
                time.sleep(0.01)
        except Stopped:
            stopped.set()
            raise

    lease = 30 if has_watch(ls) else 2
    with Worker(ls, lease=lease):
        job = works.submit()
        begun.wait(20)
        time.sleep(0.5)
        assert cancelled_after(ls, job) < 1
        assert stopped.is_set()
        assert not swallowed.is_set()


@pytest.mark.parametrize("age", [0.0, 1.0])
def test_a_coroutine_is_cancelled_at_once(ls: Longshore, age: float) -> None:
    begun, stopped = threading.Event(), threading.Event()

    @ls.task
    async def waits() -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            stopped.set()
            raise

    lease = 30 if has_watch(ls) else 2
    with Worker(ls, lease=lease):
        job = waits.submit()
        begun.wait(20)
        time.sleep(age)
        assert cancelled_after(ls, job) < 1
        assert stopped.is_set()


def test_a_process_is_stopped_by_a_signal_and_replaced(program: Start, sample: Longshore) -> None:
    lease = "30" if has_watch(sample) else "2"
    worker = program("--processes", "1", "--lease", lease)
    job = tasks.psleep.submit(60)
    first = worker.until_effect("psleep begin")
    time.sleep(0.5)
    assert cancelled_after(sample, job) < 1
    worker.until_effect("psleep stopped")
    again = tasks.psleep.submit(0)
    assert again.result(20) == "done"
    assert worker.until_effect("psleep begin", 2) != first


def test_a_process_that_ignores_sigterm_is_killed(program: Start, sample: Longshore) -> None:
    worker = program("--processes", "1", "--lease", "2")
    job = tasks.pdeaf.submit(60)
    pid = int(worker.until_effect("pdeaf begin").split()[-1])
    assert cancelled_after(sample, job) < 4
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_job_that_ends_in_spite_of_its_cancellation_is_completed(ls: Longshore) -> None:
    begun, go_on = threading.Event(), threading.Event()

    @ls.task
    def works() -> int:
        begun.set()
        go_on.wait(20)
        return 7

    with Worker(ls, lease=2):
        job = works.submit()
        begun.wait(20)
        job.cancel()
        go_on.set()
        assert job.result(20) == 7


def test_an_attempt_stops_at_its_deadline_and_fails_with_timeout(ls: Longshore) -> None:
    stopped = threading.Event()

    @ls.task(timeout=1)
    async def waits() -> None:
        await asyncio.sleep(60)

    @ls.task(timeout=1)
    def works() -> None:
        try:
            while True:
                current().check()
                time.sleep(0.01)
        except Stopped:
            stopped.set()
            raise

    started_at = time.monotonic()
    with Worker(ls):
        for job in (waits.submit(), works.submit()):
            with pytest.raises(JobFailed) as error:
                job.result(20)
            assert error.value.code == "timeout"
    assert stopped.is_set()
    assert time.monotonic() - started_at < 3


def test_cancelling_hundreds_of_jobs_at_once_stops_all(ls: Longshore) -> None:
    begun: list[int] = []
    stopped: list[int] = []

    @ls.task
    async def waits(n: int) -> None:
        begun.append(n)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            stopped.append(n)
            raise

    lease = 30 if has_watch(ls) else 2
    with Worker(ls, coroutines=300, lease=lease):
        jobs = [waits.submit(n) for n in range(300)]
        eventually(lambda: len(begun) == 300, "all have begun")
        client = ls.session.clients.client()
        started_at = time.monotonic()
        client.post("/v1/jobs/cancel", json={"ids": [job.id for job in jobs]}).raise_for_status()
        eventually(lambda: len(stopped) == 300, "all have stopped")
        assert time.monotonic() - started_at < 2
        eventually(lambda: run_of(ls, jobs[-1].id)["state"] == "cancelled", "they are cancelled")


def test_a_process_that_dies_fails_its_attempt_with_the_signal(sample: Longshore) -> None:
    jobs = [tasks.pdie.submit(signal.SIGSEGV), tasks.pdie.submit(signal.SIGKILL)]
    after = tasks.pfail.submit()
    Worker(sample, processes=1).run_until_idle()
    for job, name in zip(jobs, ("SIGSEGV", "SIGKILL"), strict=True):
        with pytest.raises(JobFailed, match=name) as error:
            job.result()
        assert error.value.code == "process_died"
    with pytest.raises(JobFailed) as failure:
        after.result()
    assert failure.value.message == "KeyError: 'missing'"
    assert failure.value.traceback is not None
    assert "in pfail" in failure.value.traceback
