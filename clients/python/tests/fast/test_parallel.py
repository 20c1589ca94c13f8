from __future__ import annotations

import asyncio
import math
import os
import threading
import time
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from fast.functions import (
    anything,
    fail_at_three,
    next_day,
    pair_of,
    path_name,
    pid_of,
    square,
    times,
)
from longshore import Context, JobFailed, Longshore, WaitTimeout, current
from longshore.fast import parallel


def test_threads_return_results_in_order_and_run_at_once() -> None:
    room = threading.Barrier(4)

    def together(n: int) -> int:
        room.wait(10)
        return n * 10

    assert parallel(together, range(8), n_workers=4, threadpool=True) == [n * 10 for n in range(8)]


def test_no_more_calls_run_at_once_than_n_workers() -> None:
    lock, now, peak = threading.Lock(), 0, 0

    def measured(n: int) -> None:
        nonlocal now, peak
        with lock:
            now += 1
            peak = max(peak, now)
        time.sleep(0.02)
        with lock:
            now -= 1

    parallel(measured, range(20), n_workers=3, threadpool=True)
    assert peak == 3


def test_threads_take_any_objects_as_they_are() -> None:
    lock = threading.Lock()
    results = parallel(
        lambda item: (item, lock), [{1, 2}, lock, None], n_workers=2, threadpool=True
    )
    assert results == [({1, 2}, lock), (lock, lock), (None, lock)]
    assert results[1][0] is lock


def test_processes_run_functions_by_their_names() -> None:
    assert parallel(square, [1, 2, 3, 4], n_workers=2) == [1, 4, 9, 16]
    pids = set(parallel(pid_of, range(4), n_workers=2))
    assert os.getpid() not in pids
    assert len(pids) == 2


def test_further_arguments_come_before_the_item_as_in_fastcore() -> None:
    reference: Any = import_module("fastcore.parallel").parallel
    expected: list[int] = list(reference(times, [1, 2], 10, n_workers=0, plus=1))
    assert expected == [11, 21]
    assert parallel(times, [1, 2], 10, n_workers=2, threadpool=True, plus=1) == expected
    assert parallel(times, [1, 2], 10, n_workers=2, plus=1) == expected
    assert parallel(times, [1, 2], 10, n_workers=0, plus=1) == expected


def test_no_items_are_an_empty_list_and_no_workers_a_plain_loop(used_server: Longshore) -> None:
    assert parallel(square, []) == []
    here: list[int] = []
    assert parallel(lambda n: here.append(threading.get_ident()), [1, 2], n_workers=0) == [
        None,
        None,
    ]
    assert set(here) == {threading.get_ident()}


def test_a_failure_has_the_remote_traceback_and_cancels_the_rest() -> None:
    with pytest.raises(JobFailed, match="KeyError: 'three'") as caught:
        parallel(fail_at_three, range(6), n_workers=2)
    assert "in fail_at_three" in str(caught.value)
    started: list[int] = []

    def work(n: int) -> None:
        started.append(n)
        if n == 0:
            raise ValueError("first")
        time.sleep(0.05)

    with pytest.raises(JobFailed) as failed:
        parallel(work, range(500), n_workers=1, threadpool=True)
    assert isinstance(failed.value.__cause__, ValueError)
    assert len(started) < 500


def test_exceptions_are_returned_on_request() -> None:
    def work(n: int) -> int:
        return 6 // n

    first, second = parallel(work, [0, 3], n_workers=2, threadpool=True, return_exceptions=True)
    assert isinstance(first, ZeroDivisionError)
    assert second == 2
    results = parallel(fail_at_three, [3, 4], n_workers=2, return_exceptions=True)
    assert isinstance(results[0], JobFailed)
    assert results[1] == 4


def test_processes_run_functions_of_the_standard_library() -> None:
    assert parallel(math.factorial, [3, 4], n_workers=1) == [6, 24]


def test_processes_run_methods_of_built_in_types() -> None:
    assert parallel(str.upper, ["a", "b"], n_workers=1) == ["A", "B"]


def test_options_of_fastcore_are_accepted() -> None:
    assert parallel(
        square, [2], n_workers=1, threadpool=True, pause=0.1, method="spawn", max_tasks_per_child=3
    ) == [4]


def test_an_async_function_has_a_message_of_its_own() -> None:
    with pytest.raises(TypeError, match="`async def`, which does not run in another process"):
        parallel(asyncio.sleep, [1], n_workers=1)


def test_processes_convert_by_annotations() -> None:
    assert parallel(next_day, [date(2030, 1, 1)], n_workers=1) == [date(2030, 1, 2)]
    assert parallel(path_name, [Path("/a/b.txt")], n_workers=1) == ["b.txt"]
    with pytest.raises(TypeError, match=r"would arrive as .* of the type str: annotate the"):
        parallel(anything, [Path("/a")], n_workers=1)


def test_processes_refuse_what_would_arrive_as_something_else() -> None:
    for value in ([(1, 2)], {1: "one"}, {"a": {1, 2}}):
        with pytest.raises(TypeError, match="annotate the parameter with its type"):
            parallel(anything, [value], n_workers=1)
    with pytest.raises(TypeError, match="'plus'"):
        parallel(times, [1], 2, n_workers=1, plus=True)
    with pytest.raises(JobFailed, match=r"\(2, 2\) would arrive as \[2, 2\]: annotate") as failed:
        parallel(pair_of, [2], n_workers=1)
    assert failed.value.code == "bad_result"


def test_a_task_with_a_context_takes_its_arguments(used_server: Longshore) -> None:
    @used_server.task
    def labelled(context: Context, n: int) -> str:
        return f"{context.kind} {n}"

    assert parallel(labelled, [1], n_workers=1) == ["labelled 1"]


def test_the_server_forgets_the_kinds_of_calls(used_server: Longshore) -> None:
    parallel(lambda n: n, [1], n_workers=1, threadpool=True)
    kinds = used_server.session.clients.client().get("/v1/kinds").text
    assert "echo" in kinds
    assert "fast." not in kinds


def test_processes_refuse_functions_without_a_name() -> None:
    with pytest.raises(TypeError, match="threadpool=True"):
        parallel(lambda n: n, [1], n_workers=1)


def test_a_timeout_ends_the_call() -> None:
    stop, started_at = threading.Event(), time.monotonic()
    with pytest.raises(WaitTimeout, match=r"not all calls have ended within 0\.3 s"):
        parallel(lambda n: stop.wait(20), [1], n_workers=1, threadpool=True, timeout=0.3)
    assert time.monotonic() - started_at < 2
    stop.set()


def test_async_functions_run_as_well() -> None:
    async def double(n: int) -> int:
        await asyncio.sleep(0.01)
        return 2 * n

    assert parallel(double, [1, 2], n_workers=2, threadpool=True) == [2, 4]


def test_a_task_runs_as_it_is_declared(used_server: Longshore) -> None:
    @used_server.task
    async def triple(n: int) -> int:
        return 3 * n

    assert parallel(triple, [1, 2, 3], n_workers=2) == [3, 6, 9]


def test_a_progress_bar_shows_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    parallel(square, range(3), n_workers=1, progress=True, threadpool=True)
    assert "3 of 3" in capsys.readouterr().err


def test_a_large_result_reaches_its_caller() -> None:
    text = "x" * 3_000_000
    assert parallel(lambda _: text, [1], n_workers=1, threadpool=True) == [text]


def test_what_threads_print_is_seen_and_in_the_log_of_the_job(
    used_server: Longshore, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = parallel(
        lambda n: print(f"item {n}") or current().job_id, [7], n_workers=1, threadpool=True
    )
    assert capsys.readouterr().out == "item 7\n"
    assert used_server.job(ids[0]).log() == "item 7\n"
