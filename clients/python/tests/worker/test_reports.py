"""Reports, against a server that answers as a test says."""

import asyncio
import json
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from longshore import LongshoreError
from longshore.codec import dumps
from longshore.worker.leases import Lease, LeasedJob
from longshore.worker.leases.report import Report, encode
from longshore.worker.leases.reports import Reports
from longshore.worker.leases.watch import Watch
from longshore.worker.server import Answer
from longshore.worker.settings import Settings

Entry = dict[str, Any]
Reply = Callable[[list[Entry]], Answer]

SETTINGS = Settings.checked(
    queues=(), threads=8, processes=0, coroutines=100, lease=30, grace=25, name="test"
)


def lease_of(job: int, length: float = 30.0) -> Lease:
    leased = LeasedJob(job, "add", "default", 1, 1, lease_token=1)
    return Lease(leased, "thread", length, time.monotonic())


def applied(entries: list[Entry]) -> Answer:
    answers = [{"id": e["id"], "lease_token": 1, "status": 200} for e in entries]
    return Answer(200, dumps({"answers": answers}))


class FakeServer:
    """Keeps the reports of each call, and answers them."""

    def __init__(self, reply: Reply = applied) -> None:
        self.url = "http://127.0.0.1"
        self.calls: list[list[Entry]] = []
        self.contents: list[bytes] = []
        self.reply = reply

    async def post(self, path: str, content: bytes, timeout: float) -> Answer:
        assert path == "/v1/leases/finish"
        entries: list[Entry] = json.loads(content)
        self.calls.append(entries)
        self.contents.append(content)
        await asyncio.sleep(0.001)
        return self.reply(entries)


class Bench:
    """Reports with a fake server and some leases."""

    def __init__(self, server: FakeServer, *leases: Lease) -> None:
        self.ended: list[LongshoreError] = []
        self.leases = {lease.key: lease for lease in leases}
        fake: Any = server
        self.reports = Reports(fake, SETTINGS, self.leases, self.ended.append)
        for lease in leases:
            lease.on_note = partial(self.reports.note, lease)

    def complete(self, lease: Lease, size: int = 1) -> None:
        result = dumps({"result": "x" * size})
        lease.is_reported = True
        self.reports.add(Report(lease, encode(lease, "complete", result), "completed"))

    async def until(self, condition: Callable[[], bool], patience: float = 10) -> None:
        run = asyncio.ensure_future(self.reports.run())
        end_at = time.monotonic() + patience
        while not condition():
            assert time.monotonic() < end_at
            assert not run.done()
            await asyncio.sleep(0.005)
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)

    async def until_answered(self) -> None:
        await self.until(lambda: self.reports.unanswered == 0)


async def test_outcomes_that_end_during_a_call_are_sent_together_in_the_next_one() -> None:
    server = FakeServer()
    leases = [lease_of(n) for n in range(1, 100)]
    bench = Bench(server, *leases)
    bench.complete(leases[0])
    run = asyncio.ensure_future(bench.until_answered())
    await asyncio.sleep(0)
    for lease in leases[1:]:
        bench.complete(lease)
    await run
    assert len(server.calls) <= 3


@pytest.mark.parametrize("status", [0, 429, 500, 503, 507])
async def test_an_outcome_without_an_answer_is_sent_again_unchanged(status: int) -> None:
    server = FakeServer(lambda _: Answer(status, b"{}"))
    lease = lease_of(1)
    bench = Bench(server, lease)
    bench.complete(lease)
    await bench.until(lambda: len(server.calls) == 3)
    server.reply = applied
    await bench.until_answered()
    assert len(set(server.contents)) == 1


@pytest.mark.parametrize("status", [0, 502, 503])
async def test_outcomes_and_renewals_are_tried_often_while_the_server_is_away(status: int) -> None:
    """Because it takes them for two seconds after its start, if the leases have expired."""
    called_at: list[float] = []

    def away(_: list[Entry]) -> Answer:
        called_at.append(time.monotonic())
        return Answer(status, b"no answer")

    server = FakeServer(away)
    ended, running = lease_of(1), lease_of(2)
    bench = Bench(server, ended, running)
    bench.complete(ended)
    await bench.until(lambda: len(server.calls) == 14, 20)
    assert max(after - before for before, after in pairwise(called_at)) < 1.5
    assert all({entry["id"] for entry in call} == {1, 2} for call in server.calls[1:])


async def test_an_outcome_that_the_server_cannot_take_holds_up_no_other_one() -> None:
    def reply(entries: list[Entry]) -> Answer:
        return Answer(500, b"{}") if any(e["id"] == 7 for e in entries) else applied(entries)

    server = FakeServer(reply)
    leases = [lease_of(n) for n in range(1, 20)]
    running = lease_of(99)
    bench = Bench(server, *leases, running)
    for lease in leases:
        bench.complete(lease)
    expires_at = running.expires_at
    running.report_log("still here")
    await bench.until(lambda: bench.reports.unanswered == 1)
    await bench.until(lambda: running.expires_at > expires_at)
    server.reply = applied
    await bench.until_answered()


async def test_a_refused_list_is_divided_and_the_bad_outcome_becomes_a_failure() -> None:
    def reply(entries: list[Entry]) -> Answer:
        is_bad = any(len(e.get("result", "")) > 1000 for e in entries)
        return Answer(413, b'{"detail": "too large"}') if is_bad else applied(entries)

    server = FakeServer(reply)
    leases = [lease_of(n) for n in range(1, 9)]
    bench = Bench(server, *leases)
    for lease in leases:
        bench.complete(lease, 2000 if lease.job.id == 5 else 1)
    await bench.until_answered()
    last = [e for call in server.calls for e in call if e["id"] == 5][-1]
    assert (last["action"], last["error"]["code"]) == ("fail", "result_too_large")
    assert last["retryable"] is False
    ids = {e["id"] for call in server.calls for e in call if e["action"] == "complete"}
    assert ids == set(range(1, 9))


async def test_lines_of_a_renewal_without_an_answer_are_sent_again_before_later_ones() -> None:
    def reply(entries: list[Entry]) -> Answer:
        if len(server.calls) > 1:
            return applied(entries)
        lease.report_log("two")
        return Answer(503, b"{}")

    server = FakeServer(reply)
    lease = lease_of(1)
    bench = Bench(server, lease)
    lease.report_log("one")
    await bench.until(lambda: len(server.calls) == 2)
    assert [call[0]["log"] for call in server.calls] == ["one\n", "one\ntwo\n"]


async def test_answers_to_renewals_stop_jobs() -> None:
    def reply(entries: list[Entry]) -> Answer:
        statuses = {1: {"status": 200, "cancel": True}, 2: {"status": 409}, 3: {"status": 404}}
        return Answer(200, dumps({"answers": [statuses[e["id"]] for e in entries]}))

    leases = [lease_of(n) for n in (1, 2, 3)]
    bench = Bench(FakeServer(reply), *leases)
    for lease in leases:
        lease.report_progress(50, "half")
    await bench.until(lambda: all(lease.stop_reason() for lease in leases))
    assert [lease.stop_reason() for lease in leases] == ["cancelled", "lost", "lost"]


async def test_a_refused_key_ends_the_worker() -> None:
    lease = lease_of(1)
    bench = Bench(FakeServer(lambda _: Answer(401, b'{"detail": "no key"}')), lease)
    bench.complete(lease)
    await bench.until(lambda: bool(bench.ended))
    assert "no key" in str(bench.ended[0])


async def test_a_lease_that_was_lost_takes_no_more_notes() -> None:
    lease = lease_of(1)
    lease.stop("lost")
    lease.report_log("too late")
    lease.report_progress(99, "too late")
    assert lease.notes.take() is None


async def test_a_lease_that_was_not_renewed_stops_its_job_by_the_clock() -> None:
    lease = lease_of(1, length=0.05)
    assert lease.stop_reason() is None
    await asyncio.sleep(0.06)
    assert lease.stop_reason() == "expired"


class OldServer:
    """A server that does not have the route for watching leases."""

    def __init__(self) -> None:
        self.calls = 0

    async def post(self, path: str, content: bytes, timeout: float) -> Answer:
        assert path == "/v1/leases/watch"
        self.calls += 1
        return Answer(404, b"{}")


async def test_a_server_without_the_route_is_not_asked_again_and_again() -> None:
    server = OldServer()
    fake: Any = server
    lease = lease_of(1)
    watch = Watch(fake, {lease.key: lease})
    run = asyncio.ensure_future(watch.run())
    await asyncio.sleep(1.2)
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    assert server.calls == 1
    assert lease.stop_reason() is None
