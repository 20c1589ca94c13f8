"""Threads, forks, event loops and cancellation."""

import asyncio
import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from client.kit import Hand, Proxy
from longshore import Longshore, Task
from longshore.testing import Server, binary


@pytest.fixture
def work(ls: Longshore) -> Task[[int], int]:
    """A task of the client."""

    @ls.task
    def work(n: int) -> int:
        raise NotImplementedError

    return work


@pytest.fixture
def proxy(longshore_server: Server) -> Iterator[Proxy]:
    """A proxy before the server, which knows when a client goes."""
    proxy = Proxy(longshore_server.url)
    yield proxy
    proxy.close()


def test_many_threads_share_a_client(work: Task[[int], int], hand: Hand) -> None:
    def ask(n: int) -> int:
        return work.submit(n).result()

    with ThreadPoolExecutor(33) as pool:
        runner = pool.submit(hand.run, "work", lambda payload: payload["n"] + 1, 200)
        results = list(pool.map(ask, range(200)))
        runner.result()
    assert results == [n + 1 for n in range(200)]


async def test_many_coroutines_share_a_client(work: Task[[int], int], hand: Hand) -> None:
    async def ask(n: int) -> int:
        return await (await work.asubmit(n))

    running = asyncio.ensure_future(
        asyncio.to_thread(hand.run, "work", lambda payload: payload["n"] + 1, 200)
    )
    assert await asyncio.gather(*map(ask, range(200))) == [n + 1 for n in range(200)]
    await running


def test_event_loops_may_follow_one_another(work: Task[[int], int]) -> None:
    async def submit() -> int:
        return (await work.asubmit(1)).id

    assert [asyncio.run(submit()) for _ in range(3)] == [1, 2, 3]


def test_event_loops_may_run_at_once(work: Task[[int], int]) -> None:
    async def submit() -> int:
        return (await work.asubmit(1)).id

    with ThreadPoolExecutor(8) as pool:
        running = [pool.submit(asyncio.run, submit()) for _ in range(8)]
        ids = [loop.result() for loop in running]
    assert sorted(ids) == list(range(1, 9))


def test_loops_and_threads_may_be_mixed(work: Task[[int], int]) -> None:
    async def both() -> list[int]:
        return [work.submit(1).id, (await work.asubmit(2)).id, work.submit(3).id]

    assert asyncio.run(both()) == [1, 2, 3]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_client_works_after_a_fork(work: Task[[int], int]) -> None:
    assert work.submit(0).id == 1
    context = multiprocessing.get_context("fork")
    ids: multiprocessing.Queue[int] = context.Queue()

    def child() -> None:
        ids.put(work.submit(1).id)
        ids.put(asyncio.run(work.asubmit(2)).id)

    children = [context.Process(target=child) for _ in range(3)]
    for process in children:
        process.start()
    assert work.submit(3).id > 1
    assert len({ids.get(timeout=20) for _ in range(6)}) == 6
    for process in children:
        process.join(20)
        assert process.exitcode == 0
    assert work.submit(4).id == 9


BUSY = """
import os, sys, threading, warnings
from longshore import Longshore
warnings.simplefilter("ignore")
ls = Longshore(sys.argv[1])

def ask():
    while True:
        ls.session.clients.client().get("/healthz")

for _ in range(4):
    threading.Thread(target=ask, daemon=True).start()
for _ in range(20):
    child = os.fork()
    if not child:
        sys.exit()
    assert os.waitpid(child, 0)[1] == 0
os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_ends_while_other_threads_of_its_parent_use_the_client(
    longshore_server: Server,
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", BUSY, longshore_server.url], start_new_session=True
    )
    try:
        assert process.wait(40) == 0
    finally:
        # A child that hangs belongs to the group of its parent.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


async def test_cancelling_a_wait_closes_its_connection(proxy: Proxy) -> None:
    async with Longshore(proxy.url) as far:

        @far.task
        def work() -> None: ...

        job = await work.asubmit()
        waiting = asyncio.ensure_future(job.aresult())
        await asyncio.to_thread(proxy.wait_for, b"/v1/jobs/1?wait=")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await asyncio.to_thread(proxy.closed_by_client.wait, 10)
        assert (await job.arefresh()).state == "queued"


async def test_leaving_the_events_closes_their_connection(proxy: Proxy) -> None:
    async with Longshore(proxy.url) as far:

        @far.task
        def work() -> None: ...

        events = (await work.asubmit()).aevents()
        assert (await anext(events)).kind == "state"
        await events.aclose()  # type: ignore[attr-defined]
        assert await asyncio.to_thread(proxy.closed_by_client.wait, 10)


def test_a_unix_socket_is_used(tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/longshore.sock"
    listen = ["--listen", "127.0.0.1:0", "--listen", address]
    command = [str(binary()), "serve", *listen, "--database", f"{tmp_path}/longshore.db"]
    # Every variable LONGSHORE_* is a setting of the server.
    variables = {k: v for k, v in os.environ.items() if not k.startswith("LONGSHORE_")}
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with (
        subprocess.Popen(command, env=variables, **pipes) as process,
        Longshore(address, give_up=5) as ls,
    ):
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"listening on")
        work = ls.task(name="work")(lambda: None)

        async def submit() -> int:
            return (await work.asubmit()).id

        assert (work.submit().id, asyncio.run(submit())) == (1, 2)
        process.kill()


def test_a_thread_may_wait_while_others_submit(work: Task[[int], int], hand: Hand) -> None:
    first = work.submit(0)
    waiting = threading.Thread(target=first.result)
    waiting.start()
    ids = [work.submit(n).id for n in range(1, 20)]
    hand.run("work", lambda payload: payload["n"], 20)
    waiting.join()
    assert ids == list(range(2, 21))
