"""Workers inside of programs: Starlette, other event loops, plain programs."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from longshore import Longshore, NotAllowed
from longshore.testing import Server
from longshore.worker import Worker

LOOPS = ["asyncio", "uvloop"]


@pytest.fixture(params=LOOPS)
def loop(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if name == "uvloop":
        pytest.importorskip("uvloop")
    return name


def new_threads(before: list[threading.Thread]) -> list[threading.Thread]:
    """Return the threads of workers that have started since; `longshore.fast` keeps some."""
    names = [t for t in threading.enumerate() if t.name.startswith("longshore")]
    return [t for t in names if t not in before]


def client_of(app: Any, loop: str) -> Any:
    return TestClient(app, backend="asyncio", backend_options={"use_uvloop": loop == "uvloop"})


def test_a_starlette_application_runs_its_own_jobs(ls: Longshore, loop: str) -> None:
    loops: list[asyncio.AbstractEventLoop] = []

    @ls.task
    async def joke(topic: str) -> str:
        loops.append(asyncio.get_running_loop())
        await asyncio.sleep(0.01)
        return f"a joke about {topic}"

    @ls.task
    def slow(n: int) -> int:
        return n + 1

    async def page(request: Request) -> JSONResponse:
        loops.append(asyncio.get_running_loop())
        first, second = await joke.asubmit("crabs"), await slow.asubmit(1)
        return JSONResponse([await first, await second])

    @asynccontextmanager
    async def inner(app: Starlette) -> AsyncGenerator[dict[str, int]]:
        events.append("inner starts")
        yield {"answer": 42}
        events.append("inner ends")

    events: list[str] = []
    worker = Worker(
        ls, on_start=lambda: events.append("starts"), on_stop=lambda: events.append("ends")
    )
    app = Starlette(routes=[Route("/", page)], lifespan=worker.lifespan(inner))
    with client_of(app, loop) as client:
        assert client.get("/").json() == ["a joke about crabs", 2]
        assert client.get("/").json() == ["a joke about crabs", 2]
    assert len({id(one) for one in loops}) == 1
    assert type(loops[0]).__module__.startswith(loop)
    assert events == ["inner starts", "starts", "ends", "inner ends"]


def test_running_jobs_end_with_the_application(ls: Longshore, loop: str) -> None:
    begun, long_begun = threading.Event(), threading.Event()

    @ls.task
    async def short() -> str:
        begun.set()
        await asyncio.sleep(0.3)
        return "done"

    @ls.task
    async def long() -> None:
        long_begun.set()
        await asyncio.sleep(60)

    before = threading.enumerate()
    app = Starlette(lifespan=Worker(ls, grace=1).lifespan())
    with client_of(app, loop):
        jobs = short.submit(), long.submit()
        begun.wait(20)
        long_begun.wait(20)
    assert jobs[0].result(1) == "done"
    assert jobs[1].refresh().state == "queued"
    assert not new_threads(before)


def test_a_coroutine_that_blocks_its_loop_loses_no_lease(ls: Longshore) -> None:
    @ls.task
    async def blocks() -> str:
        time.sleep(3)  # noqa: ASYNC251
        return "done"

    with Worker(ls, lease=1):
        job = blocks.submit()
        assert job.result(20) == "done"
    assert job.attempt == 1


def test_hooks_run_before_the_first_job_and_after_the_last_one(ls: Longshore) -> None:
    events: list[object] = []

    async def starts() -> None:
        events.append(asyncio.get_running_loop())

    @ls.task
    async def works() -> None:
        events.append(asyncio.get_running_loop())

    async def stops() -> None:
        events.append("stops")

    works.submit()
    worker = Worker(ls, on_start=starts, on_stop=stops)
    assert worker.run_until_idle() == 1
    assert len(events) == 3
    assert events[0] is events[1]
    assert events[2] == "stops"
    assert worker.run_until_idle() == 0


def test_a_start_that_fails_leaves_nothing_behind(ls: Longshore) -> None:
    def fails() -> None:
        raise OSError("no printer")

    before = threading.enumerate()
    worker = Worker(ls, on_start=fails)
    with pytest.raises(OSError, match="no printer"):
        worker.start()
    assert not new_threads(before)


def test_a_worker_whose_key_is_refused_raises(ls: Longshore, longshore_server: Server) -> None:
    @ls.task
    def works() -> None: ...

    made = ls.session.clients.client().post("/v1/keys", json={"name": "a", "scopes": ["admin"]})
    made.raise_for_status()
    with pytest.raises(NotAllowed, match="401"):
        Worker(ls).run_until_idle()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lease": 0.5}, "lease: must be between 1 s and 24 h"),
        ({"threads": -1}, "threads: must be between 0 and 1000, not -1"),
        ({"queues": ["Mail"]}, "queues: 'Mail' is not the name of a queue"),
        ({"grace": "soon"}, "grace: 'soon' is not a duration"),
    ],
)
def test_bad_settings_are_explained(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Worker(Longshore(), **settings)


def test_two_workers_in_one_program_share_the_streams(
    ls: Longshore, capsys: pytest.CaptureFixture[str]
) -> None:
    @ls.task
    def says(n: int) -> None:
        print("said", n)
        time.sleep(0.05)

    with Worker(ls, threads=1), Worker(ls, threads=1):
        jobs = [says.submit(n) for n in range(6)]
        for job in jobs:
            job.result(20)
    assert [job.log() for job in jobs] == [f"said {n}\n" for n in range(6)]
    print("after")
    assert capsys.readouterr().out == "after\n"


def test_a_plain_program_without_a_server_ends_when_asked() -> None:
    ls = Longshore("http://127.0.0.1:9")

    @ls.task
    def works() -> None: ...

    started_at = time.monotonic()
    with Worker(ls):
        time.sleep(0.2)
    assert time.monotonic() - started_at < 2
