"""A semaphore of five: a limit of the queue, which holds for all workers and over restarts."""

import time

import httpx2
from longshore import Longshore

ls = Longshore()

if __name__ == "__main__":
    httpx2.patch(f"{ls.url}/v1/queues/five", json={"max_running": 5}).raise_for_status()
    ask = ls.chat.options(queue="five")
    started, most = time.perf_counter(), 0
    for event in ls.batch(ask.s(f"Question {n}", model="mock") for n in range(10)).events():
        most = max(most, event.data["counts"]["running"])
    print(f"10 calls, at most {most} at once: {time.perf_counter() - started:.1f} s")
