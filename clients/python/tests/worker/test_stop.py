"""A worker that stops in the middle of a stream of jobs."""

import threading

from longshore import Longshore
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
