"""A worker that stops in the middle of a stream of jobs."""

import gc
import os
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from longshore import Longshore
from longshore.testing import binary
from longshore.worker import Worker
from worker.kit import eventually


def test_a_worker_that_stops_leaves_no_job_behind(ls: Longshore) -> None:
    """Jobs may be on the way to a worker at the moment at which it stops."""
    enough = threading.Event()

    @ls.task
    async def quick(n: int) -> int:
        return n

    def submit() -> None:
        for n in range(10_000):
            quick.submit(n)
            if enough.is_set():
                break

    feeder = threading.Thread(target=submit)
    feeder.start()
    client = ls.session.clients.client()

    def none_runs() -> bool:
        return not client.get("/v1/jobs?state=running").json()["jobs"]

    try:
        for _ in range(20):
            worker = Worker(ls)
            worker.start()
            enough.wait(0.05)
            worker.stop()
            eventually(none_runs, "all jobs have ended or are queued again", 5)
    finally:
        enough.set()
        feeder.join()


def test_a_worker_stops_at_once_over_a_unix_socket_too(tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/longshore.sock"
    command = [
        str(binary()),
        "serve",
        "--listen",
        address,
        "--database",
        f"{tmp_path}/longshore.db",
    ]
    # Every variable LONGSHORE_* is a setting of the server.
    variables = {k: v for k, v in os.environ.items() if not k.startswith("LONGSHORE_")}
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=variables, **pipes) as process, Longshore(address) as ls:
        assert process.stdout is not None
        process.stdout.readline()

        @ls.task
        async def double(n: int) -> int:
            return 2 * n

        with Worker(ls):
            assert [double.submit(n).result(20) for n in range(5)] == [0, 2, 4, 6, 8]
            started_at = time.monotonic()
        assert time.monotonic() - started_at < 1
        process.kill()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_a_stopped_worker_leaves_no_descriptors_of_processes(sample: Longshore) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    gc.disable()  # which would close them later
    try:
        Worker(sample, processes=2).run_until_idle()
        before = descriptors()
        Worker(sample, processes=2).run_until_idle()
        eventually(lambda: descriptors() <= before, "all are closed")
    finally:
        gc.enable()
