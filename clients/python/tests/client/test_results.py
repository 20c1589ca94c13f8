"""Submitting a task and reading its job, on a real server."""

import asyncio
from datetime import datetime, timedelta, timezone

import pytest

from client.kit import Hand
from longshore import (
    Backoff,
    BadResult,
    Conflict,
    JobCancelled,
    JobFailed,
    Longshore,
    LongshoreError,
    NotFound,
    Refused,
    WaitTimeout,
)


def test_a_result_is_returned_as_its_annotation_says(ls: Longshore, hand: Hand) -> None:
    @ls.task
    def due(day: datetime) -> timedelta:
        raise NotImplementedError

    job = due.submit(datetime(2030, 1, 31, tzinfo=timezone.utc))
    (lease,) = hand.take("due")
    (day,), _ = due.decode_arguments(lease["payload"])
    assert day == datetime(2030, 1, 31, tzinfo=timezone.utc)
    hand.complete(job.id, due.encode_result(timedelta(days=2)))
    assert job.result() == timedelta(days=2)
    assert ls.job(job.id).result() == timedelta(days=2)
    assert Longshore(ls.url).job(job.id).result() == "P2D"


async def test_awaiting_a_job_returns_its_result(ls: Longshore, hand: Hand) -> None:
    @ls.task
    async def double(n: int) -> int:
        raise NotImplementedError

    job = await double.asubmit(21)
    waiting = asyncio.ensure_future(job.aresult())
    await asyncio.to_thread(hand.run, "double", lambda payload: 2 * payload["n"], 1)
    assert await waiting == 42
    assert await job == 42


def test_options_of_a_submission_reach_the_server(ls: Longshore) -> None:
    @ls.task(retries=2, queue="mail", timeout=30, backoff="2s", tags=["a"], priority=5)
    def send(to: str) -> None: ...

    job = send.submit("ann")
    assert (job.kind, job.queue, job.max_attempts, job.tags) == ("send", "mail", 3, ["a"])
    data = job.to_dict()
    assert (data["timeout"], data["backoff"]["initial"], data["priority"]) == ("30s", "2s", 5)

    other = send.options(
        queue="bulk",
        delay=timedelta(minutes=5),
        priority=-1,
        tags=["b"],
        metadata={"row": 7},
        retries=0,
        timeout="1m",
        backoff=Backoff(initial=1, factor=3, max="1h", jitter=0),
        expires="1d",
        truncate_result=True,
        key="send-7",
    )
    job = other.submit("bob")
    assert (job.state, job.queue, job.max_attempts) == ("scheduled", "bulk", 1)
    assert (job.tags, job.metadata) == (["b"], {"row": 7})
    data = job.to_dict()
    assert data["backoff"]["factor"] == 3
    assert data["truncate_result"] is True
    assert "expires_at" in data
    assert send.submit("ann").queue == "mail"


def test_a_run_time_replaces_a_delay(ls: Longshore) -> None:
    @ls.task
    def later() -> None: ...

    at = datetime(2031, 5, 1, 12, tzinfo=timezone.utc)
    job = later.options(delay=10).options(run_at=at).submit()
    assert job.to_dict()["run_at"] == "2031-05-01T12:00:00.000Z"


def test_the_same_key_returns_the_same_job(ls: Longshore) -> None:
    @ls.task
    def welcome(user: int) -> None: ...

    keyed = welcome.options(key="welcome-7", delay=60)
    assert keyed.submit(7).id == keyed.submit(7).id
    assert welcome.submit(7).id != welcome.submit(7).id
    with pytest.raises(Refused) as refused:
        keyed.submit(8)
    assert refused.value.type == "idempotency-key-reused"


def test_any_text_is_a_key(ls: Longshore) -> None:
    @ls.task
    def work() -> None: ...

    for key in ("Größe 7", "x" * 300, '"quoted"'):
        keyed = work.options(key=key)
        assert keyed.submit().id == keyed.submit().id
    with pytest.raises(ValueError, match="must not be empty"):
        work.options(key="").submit()


def test_a_failed_job_raises_its_code_and_traceback(ls: Longshore, hand: Hand) -> None:
    @ls.task
    def parse(text: str) -> int:
        raise NotImplementedError

    job = parse.submit("x")
    hand.take("parse")
    hand.fail(job.id, "bad_text", "no number", traceback="Traceback ...\nValueError", data=[1])
    with pytest.raises(JobFailed) as failed:
        job.result()
    error = failed.value
    assert (error.job_id, error.code, error.message) == (job.id, "bad_text", "no number")
    assert (error.traceback, error.data) == ("Traceback ...\nValueError", [1])
    assert [failure["code"] for failure in error.failures] == ["bad_text"]
    assert [attempt["state"] for attempt in error.attempts] == ["failed"]
    assert "ValueError" in str(error)
    assert isinstance(job.error, JobFailed)


def test_a_cancelled_job_raises(ls: Longshore) -> None:
    @ls.task
    def never() -> None: ...

    job = never.submit()
    job.cancel()
    assert job.state == "cancelled"
    with pytest.raises(JobCancelled, match="was cancelled"):
        job.result()


def test_cancelling_a_completed_job_leaves_it_as_it_is(ls: Longshore, hand: Hand) -> None:
    @ls.task
    def fast() -> int:
        raise NotImplementedError

    job = fast.submit()
    hand.run("fast", lambda _: 1, 1)
    job.cancel()
    assert (job.state, job.result()) == ("completed", 1)


def test_a_wait_ends_with_its_timeout(ls: Longshore) -> None:
    @ls.task
    def never() -> None: ...

    job = never.options(queue="t1").submit()
    waits_for = "a remote worker that takes jobs of kind never from queue t1"
    with pytest.raises(WaitTimeout) as timeout:
        job.result(timeout=0.05)
    assert str(timeout.value) == f"job {job.id} is still queued after 0.05 s: {waits_for}"
    with pytest.raises(TimeoutError, match="is still queued after 50ms"):
        job.wait(timeout="50ms")
    with pytest.raises(WaitTimeout):
        job.result(timeout=0)
    assert job.state == "queued"


def test_a_result_that_does_not_fit_the_annotation_is_an_error(ls: Longshore, hand: Hand) -> None:
    @ls.task
    def count() -> int:
        raise NotImplementedError

    job = count.submit()
    hand.run("count", lambda _: "many", 1)
    with pytest.raises(BadResult, match=r"count .* `int`, got `str`"):
        job.result()


def test_jobs_are_retried_and_deleted(ls: Longshore, hand: Hand) -> None:
    @ls.task
    def work() -> int:
        raise NotImplementedError

    job = work.submit()
    with pytest.raises(Conflict):
        job.delete()
    hand.take("work")
    hand.fail(job.id, "failed", "no")
    assert job.wait().state == "failed"
    job.retry()
    assert (job.state, job.error) == ("queued", None)
    hand.run("work", lambda _: 1, 1)
    assert job.result() == 1
    job.delete()
    with pytest.raises(NotFound):
        job.refresh()


def test_a_handle_by_id_has_no_state_before_it_is_read(ls: Longshore) -> None:
    @ls.task
    def work() -> None: ...

    job = ls.job(work.submit().id)
    with pytest.raises(LongshoreError, match=r"call refresh\(\)"):
        _ = job.state
    assert job.refresh().state == "queued"


def test_events_and_the_log_are_read(ls: Longshore, hand: Hand) -> None:
    @ls.task
    def work() -> str:
        raise NotImplementedError

    job = work.submit()
    events = job.events()
    first = next(events)
    assert (first.kind, first.data["state"]) == ("state", "queued")
    hand.take("work")
    assert next(events).data["state"] == "running"
    hand.report(job.id, "renew", progress={"percent": 40, "message": "step 2"}, log="a line")
    kinds = {"state"}
    while not {"progress", "log"} <= kinds:
        kinds.add(next(events).kind)
    assert job.progress == (40.0, "step 2")
    hand.complete(job.id, "done")
    assert list(events)[-1].data["state"] == "completed"
    assert (job.result(), job.log()) == ("done", "a line\n")


async def test_events_go_on_from_a_position(ls: Longshore, hand: Hand) -> None:
    @ls.task
    def work() -> None: ...

    job = work.submit()
    await asyncio.to_thread(hand.run, "work", lambda _: None, 1)
    events = [event async for event in job.aevents()]
    assert events[-1].data["state"] == "completed"
    assert [event async for event in ls.job(job.id).aevents(after=events[-1].id)] == []


def test_a_token_reads_one_job_and_nothing_else(ls: Longshore, hand: Hand) -> None:
    @ls.task
    def work(n: int) -> int:
        raise NotImplementedError

    job, other = work.submit(1), work.submit(2)
    hand.run("work", lambda payload: payload["n"], 2)
    token = job.token(expires_in="5m")
    assert ls.job(job.id, token=token).result() == 1
    with pytest.raises(Refused):
        ls.job(other.id, token=token).refresh()
    with pytest.raises(Refused):
        ls.job(job.id, token=token).delete()


def test_a_follow_up_job_receives_the_result(ls: Longshore, hand: Hand) -> None:
    @ls.task
    def fetch(page: int) -> list[int]:
        raise NotImplementedError

    @ls.task
    def report(numbers: list[int], title: str = "none") -> str:
        raise NotImplementedError

    job = fetch.options(then=report.s(title="sums")).submit(1)
    plain = fetch.options(then=report).submit(2)
    hand.run("fetch", lambda payload: [payload["page"], 10], 2)
    payloads = [hand.take("report")[0]["payload"] for _ in range(2)]
    assert payloads == [{"title": "sums", "numbers": [1, 10]}, {"numbers": [2, 10]}]
    follower = job.wait().then
    assert follower is not None
    hand.complete(follower.id, "ok")
    assert follower.result() == "ok"
    assert plain.wait().then is not None
