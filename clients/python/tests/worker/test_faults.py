"""Kills, pauses and restarts of the worker and of the server."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from longshore import Longshore
from longshore.testing import Server
from worker import sample as tasks
from worker.kit import Program, eventually, in_thread, run_of

Start = Callable[..., Program]


def test_the_late_finish_of_a_suspended_worker_is_refused(
    program: Start, sample: Longshore
) -> None:
    first = program("--lease", "2", "--name", "first")
    job = tasks.stubborn.submit(1.0)
    first.until_effect("stubborn begin 1")
    first.send(signal.SIGSTOP)
    second = program("--lease", "2", "--name", "second")
    second.until_effect("stubborn begin", 2)
    result = job.result(20)
    assert result != "attempt 1"
    first.send(signal.SIGCONT)
    first.until_effect("stubborn end", 2)
    eventually(lambda: "lease" in first.log and "not" in first.log, "the first says so")
    found = run_of(sample, job.id)
    assert (found["state"], found["worker"]) == ("completed", "second")
    assert found["result"] == result
    assert first.end() == 0


def test_a_task_stops_after_its_worker_was_suspended_past_the_lease(
    program: Start, sample: Longshore
) -> None:
    first = program("--lease", "2", "--name", "first")
    job = tasks.steps.submit(100, 0.02)
    first.until_effect("steps begin 1")
    first.send(signal.SIGSTOP)
    second = program("--lease", "2", "--name", "second")
    second.until_effect("steps begin", 2)
    result = job.result(20)
    assert result != "attempt 1"
    log = job.log()
    first.send(signal.SIGCONT)
    first.until_effect("steps stopped")
    assert first.end() == 0
    assert first.effects.count("steps end") == 1
    assert job.log() == log
    found = run_of(sample, job.id)
    assert (found["state"], found["worker"]) == ("completed", "second")
    assert found["result"] == result


def test_a_coroutine_has_no_effect_after_its_worker_was_suspended_past_the_lease(
    program: Start, sample: Longshore, tmp_path: Path
) -> None:
    worker = program("--lease", "2")
    gate = tmp_path / "gate"
    jobs = [tasks.aeffect.submit(str(gate)) for _ in range(20)]
    worker.until_effect("aeffect begin", 20)
    worker.send(signal.SIGSTOP)
    gate.touch()
    for job in jobs:
        eventually(lambda: run_of(sample, job.id)["state"] != "running", "it has expired")  # noqa: B023
    worker.send(signal.SIGCONT)
    assert min(job.result(20) for job in jobs) > 1
    assert worker.end() == 0
    ends = [effect for effect in worker.effects if effect.startswith("aeffect end")]
    assert "aeffect end 1" not in ends
    assert len(ends) == 20


def test_a_worker_that_was_suspended_while_it_waited_runs_no_stale_job(
    program: Start, sample: Longshore
) -> None:
    first = program("--lease", "2", "--name", "first")
    tasks.add.submit(1, 2).result(20)
    first.send(signal.SIGSTOP)
    job = tasks.steps.submit(1, 0.0)
    eventually(lambda: run_of(sample, job.id)["state"] == "running", "it is leased")
    eventually(lambda: run_of(sample, job.id)["state"] == "queued", "its lease has expired")
    second = program("--lease", "2", "--name", "second")
    assert job.result(20) == "attempt 2"
    first.send(signal.SIGCONT)
    assert tasks.add.options(queue="other").submit(1, 2).result(20) == 3
    assert first.end() == 0
    assert first.effects == ["steps begin 2", "steps end"]
    assert second.end() == 0


def test_all_jobs_are_completed_over_kills_of_server_and_worker(
    program: Start, sample: Longshore, longshore_server: Server
) -> None:
    calls = [task.s(n) for n in range(67) for task in (tasks.count, tasks.acount, tasks.pcount)]
    jobs = [sample.submit(call) for call in calls[:200]]
    options = ("--threads", "4", "--coroutines", "4", "--processes", "2", "--lease", "2")
    worker = program(*options)
    for effects in (30, 60, 90):
        worker.until_effects(effects)
        worker.process.kill()
        worker.process.wait()
        worker = program(*options)
        worker.until_effects(effects + 15)
        longshore_server.kill()
        time.sleep(0.5)
        longshore_server.start()
    for job in jobs:
        job.result(60)
    counts = Counter(worker.effects)
    assert len(counts) == 200
    # A job runs again only if its worker was killed, three times, while the job ran in one of ten
    # places or its outcome was on the way.
    assert sum(counts.values()) - 200 <= 3 * 20
    assert worker.end() == 0
    print(f"200 jobs, {sum(counts.values())} effects")


def test_outcomes_are_kept_while_the_server_is_away(
    program: Start, sample: Longshore, longshore_server: Server
) -> None:
    worker = program("--lease", "20")
    jobs = [tasks.stubborn.submit(1.0) for _ in range(5)]
    worker.until_effect("stubborn begin", 5)
    longshore_server.kill()
    worker.until_effect("stubborn end", 5)
    time.sleep(1)
    longshore_server.start()
    assert [job.result(20) for job in jobs] == ["attempt 1"] * 5
    assert len(worker.effects) == 10


def test_finished_work_is_kept_when_the_server_is_away_for_longer_than_the_lease(
    program: Start, sample: Longshore, longshore_server: Server
) -> None:
    workers = [program("--lease", "2", "--threads", "4", "--name", f"w{n}") for n in range(3)]
    jobs = [tasks.stubborn.submit(seconds) for seconds in (3.0, 14.0) for _ in range(6)]
    workers[0].until_effect("stubborn begin", 12)
    longshore_server.kill()
    workers[0].until_effect("stubborn end", 6)
    time.sleep(6)  # the pauses between tries grow
    longshore_server.start()
    assert [job.result(30) for job in jobs] == ["attempt 1"] * 12
    assert len(workers[0].effects) == 24


def test_jobs_return_when_the_server_is_away_for_longer_than_the_lease(
    program: Start, sample: Longshore, longshore_server: Server
) -> None:
    worker = program("--lease", "2")
    job = tasks.asleep.submit(3.0)
    worker.until_effect("asleep begin")
    longshore_server.kill()
    worker.until_effect("asleep stopped")
    longshore_server.start()
    assert job.result(20) == "done"
    assert worker.effects == ["asleep begin", "asleep stopped", "asleep begin"]


def test_children_end_when_the_worker_is_killed(program: Start, sample: Longshore) -> None:
    worker = program("--processes", "2")
    tasks.psleep.submit(60)
    pid = int(worker.until_effect("psleep begin").split()[-1])
    worker.process.kill()
    worker.process.wait()

    def is_gone() -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        return False

    eventually(is_gone, "the child has ended", 5)


def test_a_worker_waits_for_a_server_that_is_not_there_yet(
    program: Start, sample: Longshore, longshore_server: Server
) -> None:
    longshore_server.kill()
    worker = program()
    eventually(lambda: "no jobs can be leased" in worker.log, "the worker says so")
    result = in_thread(lambda: tasks.add.submit(1, 2).result(20))
    longshore_server.start()
    assert result() == 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_running_jobs_end_and_leases_no_more(
    program: Start, sample: Longshore, number: signal.Signals
) -> None:
    worker = program("--threads", "1")
    running, waiting = tasks.stubborn.submit(1.0), tasks.stubborn.submit(1.0)
    worker.until_effect("stubborn begin")
    assert worker.end(number) == 0
    assert running.result(1) == "attempt 1"
    found = waiting.refresh()
    assert (found.state, found.attempt) == ("queued", 0)


def test_a_signal_to_the_process_group_ends_a_worker_whose_children_start_without_an_error(
    program: Start,
) -> None:
    def stop_at_once(worker: Program) -> None:
        eventually(lambda: " runs " in worker.log, "the worker runs")
        os.killpg(worker.process.pid, signal.SIGTERM)
        assert worker.process.wait(20) == 0, worker.log
        assert "ERROR" not in worker.log

    for _ in range(3):
        stop_at_once(program("--processes", "2"))


def test_after_the_grace_period_jobs_are_stopped_and_released(
    program: Start, sample: Longshore
) -> None:
    worker = program("--processes", "1", "--grace", "0.5")
    jobs = [
        tasks.steps.submit(1000, 0.05),
        tasks.asleep.submit(60),
        tasks.psleep.submit(60),
        tasks.stubborn.submit(60),
    ]
    for effect in ("steps begin", "asleep begin", "psleep begin", "stubborn begin"):
        worker.until_effect(effect)
    started_at = time.monotonic()
    assert worker.end() == 0
    assert time.monotonic() - started_at < 8
    for effect in ("steps stopped", "asleep stopped", "psleep stopped"):
        assert effect in worker.effects
    for job in jobs:
        found = job.refresh()
        assert (found.state, found.attempt) == ("queued", 0)


def test_a_second_signal_ends_the_worker_at_once(program: Start, sample: Longshore) -> None:
    worker = program("--processes", "1")
    tasks.stubborn.submit(60)
    tasks.psleep.submit(60)
    worker.until_effect("stubborn begin")
    worker.until_effect("psleep begin")
    worker.send(signal.SIGTERM)
    eventually(lambda: "waiting up to" in worker.log, "it drains")
    assert worker.end() == -signal.SIGTERM


UNGUARDED = """
from longshore import Longshore
from longshore.worker import Worker
ls = Longshore()

@ls.task(process=True)
def double(n: int) -> int:
    return 2 * n

job = double.submit(4)
Worker(ls, processes=1).run_until_idle()
print(job.refresh().error)
"""


def test_a_program_that_starts_a_worker_without_a_condition_is_told_so(
    longshore_server: Server, tmp_path: Path
) -> None:
    """A child process imports the main module again, as always with `multiprocessing`."""
    file = tmp_path / "program.py"
    variables = {**os.environ, "LONGSHORE_URL": longshore_server.url}
    for text, is_refused in ((UNGUARDED, True), (guarded(UNGUARDED), False)):
        file.write_text(text)
        done = subprocess.run(
            [sys.executable, file],
            env=variables,
            capture_output=True,
            check=False,
            text=True,
            timeout=60,
        )
        assert ("None" in done.stdout) != is_refused, done.stderr
        assert ("if __name__ == '__main__'" in done.stderr) == is_refused
        assert ("no child process can be started" in done.stderr) == is_refused


def guarded(text: str) -> str:
    """Put the last three lines of a program under the usual condition."""
    lines = text.strip().splitlines()
    body = "\n".join(f"    {line}" for line in lines[-3:])
    return "\n".join([*lines[:-3], 'if __name__ == "__main__":', body])
