from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from fast.functions import in_process
from longshore import JobFailed, Longshore
from longshore.fast import startthread, threaded


def test_a_call_returns_a_job_at_once() -> None:
    go = threading.Event()

    @threaded
    def wait_for_it(n: int) -> int:
        go.wait(10)
        return n + 1

    job = wait_for_it(1)
    assert job.is_alive()
    job.join(0.1)
    assert job.is_alive()
    go.set()
    job.join()
    assert not job.is_alive()
    assert job.result() == 2


def test_a_failed_call_raises_at_its_result_and_not_at_join() -> None:
    @threaded
    def fail() -> None:
        raise ValueError("no")

    job = fail()
    job.join()
    with pytest.raises(JobFailed, match="ValueError: no"):
        job.result()


def test_a_process_runs_a_function_of_a_module() -> None:
    value, pid = in_process(41).result()
    assert value == 42
    assert pid != os.getpid()


def test_startthread_starts_at_once() -> None:
    seen: list[str] = []

    @startthread
    def job() -> str:
        seen.append(threading.current_thread().name)
        return "done"

    assert job.result() == "done"
    assert seen != [threading.current_thread().name]


def test_the_program_waits_for_its_calls(used_server: Longshore) -> None:
    program = (
        "import time\n"
        "from longshore.fast import threaded\n"
        "@threaded\n"
        "def work():\n"
        "    time.sleep(0.5)\n"
        "    open(1, 'w', closefd=False).write('ended')\n"
        "for _ in range(3): work()\n"
    )
    environment = {**os.environ, "LONGSHORE_URL": used_server.url}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "endedendedended"
    assert done.returncode == 0


def test_the_program_does_not_wait_for_a_daemon(used_server: Longshore) -> None:
    program = """
import time
from longshore.fast import threaded
@threaded(daemon=True)
def slow(): time.sleep(60)
slow()
"""
    environment = {**os.environ, "LONGSHORE_URL": used_server.url}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=30)
