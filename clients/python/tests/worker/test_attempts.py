"""What a worker does with the functions of tasks."""

import asyncio
import multiprocessing
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

import pytest

from longshore import Context, Fatal, JobFailed, Longshore, LongshoreError, Retry, current
from longshore.worker import Worker
from longshore.worker.pools import child, coroutines, threads
from longshore.worker.pools.processes import Child
from worker import sample as tasks
from worker.kit import eventually, key_of, run_of


@dataclass
class Order:
    id: int
    day: date


def test_functions_coroutines_and_generators_have_results(ls: Longshore) -> None:
    @ls.task
    def plain(order: Order, times: int = 2) -> Order:
        return Order(order.id * times, order.day)

    @ls.task
    async def coroutine(order: Order) -> date:
        await asyncio.sleep(0)
        return order.day

    @ls.task
    def generator() -> Iterator[str]:
        yield "one"
        yield "two"

    @ls.task
    async def async_generator() -> AsyncIterator[int]:
        for number in range(3):
            yield number

    order = Order(7, date(2026, 11, 27))
    jobs = [plain.submit(order), coroutine.submit(order), generator.submit()]
    numbers = async_generator.submit()
    assert Worker(ls).run_until_idle() == 4
    assert [job.result() for job in jobs] == [Order(14, order.day), order.day, ["one", "two"]]
    assert numbers.result() == [0, 1, 2]
    assert jobs[2].log() == "one\ntwo\n"


def test_a_task_receives_the_context_of_its_job(ls: Longshore) -> None:
    @ls.task
    def described(text: str, context: Context | None = None) -> list[Any]:
        assert context is not None
        assert context == current()
        return [context.job_id, context.kind, context.queue, context.attempt, context.max_attempts]

    @ls.task(timeout=60)
    async def keyed() -> list[Any]:
        deadline = current().deadline
        assert deadline is not None
        return [current().idempotency_key, 50 < deadline.timestamp() - time.time() < 61]

    first, second = described.submit(text="x"), keyed.submit()
    Worker(ls).run_until_idle()
    assert first.result() == [first.id, "described", "default", 1, 1]
    assert second.result() == [key_of(second.id, b"{}"), True]


def test_a_task_sees_the_metadata_and_the_batch_of_its_job(ls: Longshore) -> None:
    @ls.task
    def described() -> list[Any]:
        return [dict(current().metadata), current().batch_id]

    alone = described.options(metadata={"row": 7}).submit()
    batch = ls.batch([described.s()])
    Worker(ls).run_until_idle()
    assert alone.result() == [{"row": 7}, None]
    assert list(batch.results()) == [[{}, batch.id]]


def test_a_payload_that_does_not_fit_fails_once_and_harms_no_other_job(ls: Longshore) -> None:
    @ls.task(retries=3)
    def double(n: int) -> int:
        return 2 * n

    client = ls.session.clients.client()
    bad = [
        client.post(
            "/v1/jobs", json={"kind": "double", "lane": "remote", "payload": payload}
        ).json()
        for payload in ({"n": "four"}, {"m": 4}, {}, [4], None)
    ]
    good = double.submit(4)
    Worker(ls).run_until_idle()
    assert good.result() == 8
    for job in bad:
        found = run_of(ls, job["id"])
        assert (found["state"], found["attempt"]) == ("failed", 1)
        assert found["error"]["code"] == "bad_payload"
        assert "double" in found["error"]["message"]


def test_an_exception_is_reported_with_its_class_and_the_end_of_its_traceback(
    ls: Longshore,
) -> None:
    @ls.task
    def fails() -> None:
        deep(300)

    def deep(n: int) -> None:
        if n == 0:
            raise KeyError("missing")
        # Python folds lines of a traceback that repeat, so that they take turns here.
        if n % 2:
            deep(n - 1)
        else:
            deep(n - 1)

    @ls.task
    async def afails() -> None:
        raise TimeoutError

    first, second = fails.submit(), afails.submit()
    Worker(ls).run_until_idle()
    with pytest.raises(JobFailed) as error:
        first.result()
    assert (error.value.code, error.value.message) == ("key_error", "KeyError: 'missing'")
    assert error.value.traceback is not None
    assert error.value.traceback.rstrip().endswith("KeyError: 'missing'")
    assert "longshore/worker" not in error.value.traceback
    with pytest.raises(JobFailed, match="TimeoutError"):
        second.result()


def test_retry_on_decides_which_failures_are_tried_again(ls: Longshore) -> None:
    @ls.task(retries=2, backoff=0.01, retry_on=ConnectionError)
    def flaky(kind: str) -> int:
        if kind == "connection" and current().attempt < 3:
            raise ConnectionResetError("again")
        if kind == "value":
            raise ValueError("never again")
        return current().attempt

    with Worker(ls):
        assert flaky.submit("connection").result(20) == 3
        value = flaky.submit("value")
        with pytest.raises(JobFailed, match="never again"):
            value.result(20)
    assert value.refresh().attempt == 1


@pytest.mark.parametrize("mode", ["thread", "coroutine", "process"])
def test_an_error_of_a_pool_fails_the_attempt_and_its_place_goes_on(
    sample: Longshore, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    task, place, name, fault = {
        "thread": (tasks.count, threads, "run", raises),
        "coroutine": (tasks.acount, coroutines, "arun", araises),
        "process": (tasks.pdouble, child.Reference, "of", raises),
    }[mode]
    monkeypatch.setenv("EFFECTS", "/dev/null")
    call: Any = task.options(retries=0)
    with Worker(sample, threads=1, coroutines=1, processes=1):
        with monkeypatch.context() as patched:
            patched.setattr(place, name, fault)
            with pytest.raises(JobFailed, match="worker cannot run the attempt: Mem") as error:
                call.submit(1).result(20)
        assert error.value.code == "worker_error"
        assert call.submit(2).result(20) > 1


async def araises(*_: Any) -> Any:
    raise MemoryError("no")


def raises(*_: Any) -> Any:
    raise MemoryError("no")


@pytest.mark.parametrize(
    "error",
    [
        lambda: Fatal("x", code=b"b"),  # type: ignore[arg-type]
        lambda: Fatal("x", code=object()),  # type: ignore[arg-type]
        lambda: Retry(1e300),
        lambda: Retry(1, counts="no"),  # type: ignore[arg-type]
    ],
)
def test_wrong_arguments_of_an_exception_fail_the_attempt_and_name_themselves(
    ls: Longshore, error: Callable[[], BaseException]
) -> None:
    @ls.task
    def work(is_wrong: bool) -> str:
        if is_wrong:
            raise error()
        return "done"

    with Worker(ls, threads=1):
        with pytest.raises(JobFailed, match=r"Error: (Fatal\(code|Retry\((after|counts))="):
            work.submit(True).result(20)
        assert work.submit(False).result(20) == "done"


def test_a_retry_without_retries_says_so(ls: Longshore) -> None:
    @ls.task
    def work(message: str) -> None:
        raise Retry(after=5, message=message)

    @ls.task(retries=1)
    def once() -> None:
        raise Retry(after=0)

    with Worker(ls):
        none_left = r"the task asked for a retry, but has none left \(retries=0\)"
        with pytest.raises(JobFailed, match=none_left + "$"):
            work.submit("").result(20)
        with pytest.raises(JobFailed, match=none_left + ": full$"):
            work.submit("full").result(20)
        with pytest.raises(JobFailed, match=r"\(retries=1\)"):
            once.submit().result(20)
    with ls.inline(), pytest.raises(JobFailed, match=none_left):
        work.submit("").result()


def test_a_child_process_that_has_ended_can_be_joined_by_a_program_that_ends() -> None:
    """As `multiprocessing` does with all children at the end of the program."""
    before = set(multiprocessing.active_children())
    one = Child()
    one.prepare()
    (process,) = set(multiprocessing.active_children()) - before
    one.close()
    one.dispose()
    process.join()


def test_an_exception_whose_attributes_are_odd_fails_the_attempt(ls: Longshore) -> None:
    @ls.task
    def work(is_odd: bool) -> str:
        error = Fatal("x")
        error.code = object()  # type: ignore[assignment]
        if is_odd:
            raise error
        return "done"

    with Worker(ls, threads=1):
        with pytest.raises(JobFailed, match="Fatal, which cannot be reported"):
            work.submit(True).result(20)
        assert work.submit(False).result(20) == "done"


def test_fatal_is_not_tried_again_and_retry_is(ls: Longshore) -> None:
    seen: list[float] = []

    @ls.task(retries=5, backoff=0.01)
    def fatal() -> None:
        raise Fatal("out of stock", code="stock")

    @ls.task
    def later() -> int:
        seen.append(time.monotonic())
        if len(seen) < 3:
            raise Retry(after=0.3, counts=False)
        return current().attempt

    with Worker(ls):
        first, second = fatal.submit(), later.submit()
        with pytest.raises(JobFailed) as error:
            first.result(20)
        assert second.result(20) == 1
    assert (error.value.code, error.value.message) == ("stock", "out of stock")
    assert first.refresh().attempt == 1
    assert all(after - before >= 0.29 for before, after in pairwise(seen))


def test_a_result_without_a_json_form_fails_with_bad_result(ls: Longshore) -> None:
    @ls.task(retries=3)
    def thing() -> Any:
        return object()

    @ls.task(retries=3)
    def not_a_number() -> float:
        return float("nan")

    jobs = [thing.submit(), not_a_number.submit()]
    assert Worker(ls).run_until_idle() == 2
    for job in jobs:
        with pytest.raises(JobFailed, match="JSON") as error:
            job.result()
        assert error.value.code == "bad_result"


def test_a_result_that_is_too_large_fails_and_harms_no_other_job(ls: Longshore) -> None:
    @ls.task(retries=3)
    def text(length: int) -> str:
        return "x" * length

    small = [text.submit(n) for n in range(5)]
    stored_nowhere, refused = text.submit(2_000_000), text.submit(40_000_000)
    Worker(ls).run_until_idle()
    assert [len(job.result()) for job in small] == list(range(5))
    for job in (stored_nowhere, refused):
        with pytest.raises(JobFailed) as error:
            job.result()
        assert error.value.code == "result_too_large"


def test_an_exit_of_a_task_fails_its_job_only(ls: Longshore) -> None:
    @ls.task
    def leaves() -> None:
        raise SystemExit(3)

    @ls.task
    async def interrupts() -> None:
        raise asyncio.CancelledError

    jobs = [leaves.submit(), interrupts.submit()]
    assert Worker(ls).run_until_idle() == 2
    codes: list[str] = []
    for job in jobs:
        with pytest.raises(JobFailed) as error:
            job.result()
        codes.append(error.value.code)
    assert codes == ["system_exit", "cancelled_error"]


def test_a_task_that_is_defined_while_the_worker_runs_is_run(ls: Longshore) -> None:
    @ls.task
    def early() -> int:
        return 1

    with Worker(ls):
        assert early.submit().result(20) == 1

        @ls.task
        def late() -> int:
            return 2

        assert late.submit().result(20) == 2


def test_more_kinds_than_one_call_takes_are_all_run(ls: Longshore) -> None:
    def same(n: int) -> int:
        return n

    kinds = [ls.task(name=f"kind-{n}")(same) for n in range(230)]
    with Worker(ls, threads=2):
        jobs = [task.submit(n) for n, task in enumerate(kinds) if n % 20 == 0]
        assert [job.result(30) for job in jobs] == list(range(0, 230, 20))


def test_a_worker_takes_jobs_of_its_queues_only(ls: Longshore) -> None:
    @ls.task
    def where() -> str:
        return current().queue

    mail, other = where.options(queue="mail").submit(), where.options(queue="other").submit()
    assert Worker(ls, queues=["mail"]).run_until_idle() == 1
    assert mail.result() == "mail"
    assert other.refresh().state == "queued"


def test_a_worker_leases_no_more_jobs_than_it_has_room_for(ls: Longshore) -> None:
    go_on = threading.Event()
    begun: list[int] = []

    @ls.task
    def one(n: int) -> int:
        begun.append(n)
        go_on.wait(20)
        return n

    jobs = [one.submit(n) for n in range(30)]
    with Worker(ls, threads=3):
        eventually(lambda: len(begun) == 3, "three jobs have begun")
        time.sleep(0.2)
        found = ls.session.clients.client().get("/v1/jobs?state=running").json()["jobs"]
        assert len(found) == len(begun) == 3
        go_on.set()
        assert [job.result(20) for job in jobs] == list(range(30))


def test_a_task_in_a_process_may_start_processes(sample: Longshore) -> None:
    job = tasks.ppool.submit(3)
    Worker(sample, processes=1).run_until_idle()
    assert job.result() == [3, 2, 1]


def test_a_task_with_a_process_runs_by_default(sample: Longshore) -> None:
    job = tasks.ppool.submit(2)
    Worker(sample).run_until_idle()
    assert job.result() == [2, 1]


def test_until_idle_names_tasks_that_have_no_place(ls: Longshore) -> None:
    @ls.task
    def homeless() -> None: ...

    with pytest.raises(LongshoreError, match="threads=0: this worker does not run homeless"):
        Worker(ls, threads=0).run_until_idle()


def test_a_result_that_does_not_fit_its_annotation_is_a_failure(ls: Longshore) -> None:
    @ls.task(retries=3)
    def wrong(value: object) -> int:
        return value  # type: ignore[return-value]

    job = wrong.submit("seven")
    assert Worker(ls).run_until_idle() == 1
    with pytest.raises(JobFailed, match="return annotation <class 'int'>") as failure:
        job.result()
    assert failure.value.code == "bad_result"


def test_annotations_are_checked_when_the_worker_starts(ls: Longshore) -> None:
    @dataclass
    class Other:
        id: int

    @ls.task
    def either(order: Order | Other) -> None: ...

    with pytest.raises(TypeError, match=r"either: .* of the parameter 'order'"):
        Worker(ls).start()
    with pytest.raises(TypeError, match=r"either: .* of the parameter 'order'"):
        either.submit(Other(1))
