"""What tasks print and log, and their progress."""

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from longshore import Longshore, current
from longshore.worker import Worker
from longshore.worker.leases.notes import Notes
from worker import sample as tasks
from worker.kit import key_of, run_of


def test_prints_and_logs_of_jobs_that_run_at_once_stay_apart(
    ls: Longshore, capsys: pytest.CaptureFixture[str]
) -> None:
    barrier = threading.Barrier(8)

    @ls.task
    def thread(n: int) -> None:
        barrier.wait(20)
        for line in range(20):
            print(f"thread {n}", end=" ")
            print(f"line {line}")
        logging.getLogger("shop").warning("logged by %d", n)

    @ls.task
    async def coroutine(n: int) -> None:
        for line in range(20):
            print(f"coroutine {n} line {line}")
            await asyncio.sleep(0)
        await asyncio.to_thread(print, f"helper of {n}")
        print("error", file=sys.stderr)

    jobs = [thread.submit(n) for n in range(8)]
    ajobs = [coroutine.submit(n) for n in range(8)]
    print("before")
    Worker(ls, threads=8).run_until_idle()
    for n, job in enumerate(jobs):
        lines = [f"thread {n} line {line}\n" for line in range(20)]
        assert job.log() == "".join(lines) + f"WARNING shop: logged by {n}\n"
    for n, job in enumerate(ajobs):
        lines = [f"coroutine {n} line {line}\n" for line in range(20)]
        assert job.log() == "".join(lines) + f"helper of {n}\nerror\n"
    print("after")
    assert capsys.readouterr().out == "before\nafter\n"


def test_what_is_printed_outside_of_tasks_while_a_worker_runs_is_not_logged(
    ls: Longshore, capsys: pytest.CaptureFixture[str]
) -> None:
    @ls.task
    def prints() -> None:
        print("inside")

    with Worker(ls):
        print("outside")
        job = prints.submit()
        job.result(20)
    assert job.log() == "inside\n"
    assert capsys.readouterr().out == "outside\n"


def test_a_last_line_without_an_end_is_logged(ls: Longshore) -> None:
    @ls.task
    def asks() -> None:
        print("name? ", end="")

    job = asks.submit()
    Worker(ls).run_until_idle()
    assert job.log() == "name? \n"


def test_prints_of_a_process_are_logged_and_its_context_works(sample: Longshore) -> None:
    job = tasks.pcontext.submit("half")
    Worker(sample, processes=1).run_until_idle()
    found = job.result()
    assert (found["job"], found["key"]) == (job.id, key_of(job.id, b'{"text":"half"}'))
    assert job.log() == "a line of the context\nprinted in pcontext\n"


def test_progress_is_seen_while_a_job_runs_and_sent_at_most_twice_a_second(ls: Longshore) -> None:
    go_on = threading.Event()

    @ls.task
    def works() -> None:
        for step in range(200):
            current().progress(step / 2, f"step {step}")
            time.sleep(0.005)
        go_on.wait(20)

    job = works.submit()
    with Worker(ls):
        events = ls.session.clients.client().stream("GET", f"/v1/jobs/{job.id}/events")
        with events as stream:
            seen = _lines_until(stream.iter_lines(), "step 199")
        go_on.set()
        job.result(20)
    assert 1 <= sum("step" in line for line in seen) <= 6
    assert run_of(ls, job.id)["progress"]["percent"] == 100


def _lines_until(lines: Iterator[str], text: str) -> list[str]:
    found: list[str] = []
    for line in lines:
        found.append(line)
        if text in line:
            break
    return found


def test_a_worker_says_what_became_of_each_job(
    ls: Longshore, caplog: pytest.LogCaptureFixture
) -> None:
    @ls.task
    def works() -> None: ...

    @ls.task
    def fails() -> None:
        raise ValueError("no")

    caplog.set_level(logging.INFO)
    works.submit()
    fails.submit()
    Worker(ls).run_until_idle()
    # The worker's own calls are not logged, but those of this program are.
    assert {r.threadName for r in caplog.records if r.name == "httpx2"} == {"MainThread"}
    messages = [record.getMessage() for record in caplog.records]
    assert any(m.startswith("job 1 works completed in 0.") for m in messages)
    assert any(m.startswith("job 2 fails failed in 0.") and "ValueError: no" in m for m in messages)


def test_of_lines_that_wait_the_last_64_kib_are_kept() -> None:
    notes = Notes()
    for number in range(20_000):
        notes.add_log(f"line {number}")
    note = notes.take()
    assert note is not None
    assert note.log.startswith("[")
    assert "characters omitted]\n" in note.log
    assert note.log.endswith("line 19999\n")
    assert len(note.log) < 66_000
    assert notes.take() is None


def test_a_note_that_was_not_sent_comes_before_later_lines() -> None:
    notes = Notes()
    notes.add_log("one")
    notes.set_progress(10, "old")
    note = notes.take()
    assert note is not None
    notes.add_log("two")
    notes.set_progress(20, "new")
    notes.put_back(note)
    assert notes.take() == ({"percent": 20.0, "message": "new"}, "one\ntwo\n")
