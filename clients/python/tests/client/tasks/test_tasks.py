"""Making functions tasks."""

import asyncio
import functools
import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

from longshore import Backoff, Fatal, Longshore, Retry, Task
from longshore.duration import seconds
from longshore.task.failure import MAX_MESSAGE, MAX_TRACEBACK


@pytest.fixture
def ls() -> Longshore:
    """A client that is never connected."""
    return Longshore("http://127.0.0.1:1", give_up=0)


def test_a_task_is_called_as_the_plain_function(ls: Longshore) -> None:
    @ls.task
    def Double(n: int) -> int:  # noqa: N802
        """Doubles."""
        return 2 * n

    @ls.task(name="slow.double", retries=1)
    async def adouble(n: int) -> int:
        return 2 * n

    assert Double(4) == 8
    assert asyncio.run(adouble(4)) == 8
    assert (Double.kind, Double.__doc__, Double.__name__) == ("double", "Doubles.", "Double")
    assert dict(ls.tasks) == {"double": Double, "slow.double": adouble}
    assert Double.delay.__func__ is Task.submit  # type: ignore[attr-defined]


def test_the_mode_follows_from_the_function(ls: Longshore) -> None:
    def plain() -> None: ...
    async def coroutine() -> None: ...
    def generator() -> Any:
        yield 1

    async def async_generator() -> Any:
        yield 1

    modes = [ls.task(fn).mode for fn in (plain, coroutine, generator, async_generator)]
    assert modes == ["thread", "coroutine", "thread", "coroutine"]

    @ls.task(process=True)
    def heavy() -> None: ...

    assert heavy.mode == "process"
    with pytest.raises(TypeError, match="process=True is for `def`"):
        ls.task(process=True)(coroutine)


def test_a_name_that_is_no_kind_is_refused(ls: Longshore) -> None:
    with pytest.raises(ValueError, match=r"'<lambda>' cannot be the name of a task.*name="):
        ls.task(lambda: None)
    with pytest.raises(ValueError, match="cannot be the name"):
        ls.task(name="Send Mail")(lambda: None)
    with pytest.raises(ValueError, match="'http' is a kind of the server"):
        ls.task(name="http")(lambda: None)
    with pytest.raises(TypeError, match="name="):
        ls.task(functools.partial(seconds, "1s"))
    assert ls.task(name="say")(functools.partial(seconds, "1s")).kind == "say"
    with pytest.raises(TypeError, match="its parameters are not known"):
        ls.task(max)


def test_two_tasks_of_one_name_are_named(ls: Longshore) -> None:
    def first() -> None: ...
    def second() -> None: ...

    ls.task(name="work")(first)
    with pytest.raises(ValueError, match=r"'work': .*\.first and .*\.second\."):
        ls.task(name="work")(second)
    Longshore().task(name="work")(second)


def test_a_method_is_refused(ls: Longshore) -> None:
    with pytest.raises(TypeError, match=r"Mailer\.send is a method"):

        class Mailer:  # pyright: ignore[reportUnusedClass]
            @ls.task
            def send(self, to: str) -> None: ...


def test_a_module_can_be_loaded_again(
    ls: Longshore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "reloaded_app.py").write_text(
        "from longshore import Longshore\nls = globals().get('ls') or Longshore()\n"
        "@ls.task\ndef work(): ...\n"
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    module = importlib.import_module("reloaded_app")
    try:
        first = module.work
        importlib.reload(module)
        assert module.ls.tasks["work"] is module.work is not first
    finally:
        del sys.modules["reloaded_app"]


def test_options_make_a_copy(ls: Longshore) -> None:
    @ls.task(queue="mail", retries=3)
    def send(to: str) -> None: ...

    copy = send.options(queue="bulk", tags=["a"])
    assert isinstance(copy, Task)
    assert copy("ann") is None
    assert (copy.s("x").to_json()["queue"], send.s("x").to_json()["queue"]) == ("bulk", "mail")
    assert copy.s("x").to_json()["max_attempts"] == 4
    assert ls.tasks["send"] is send


def test_a_submission_has_all_options(ls: Longshore) -> None:
    @ls.task(
        retries=2,
        backoff=Backoff(initial=1, factor=2, max="1m", jitter=0.1, max_retry_after="1h"),
        timeout="1m",
        at_most_once=True,
        priority=3,
        tags=("a",),
        expires=60,
    )
    def work(n: int) -> None: ...

    submission = work.options(callback="https://shop.example/hook").s(1).to_json()
    assert submission == {
        "kind": "work",
        "payload": {"n": 1},
        "lane": "remote",
        "queue": "default",
        "priority": 3,
        "expires_in": 60.0,
        "timeout": 60.0,
        "max_attempts": 3,
        "backoff": {
            "initial": 1.0,
            "factor": 2,
            "max": 60.0,
            "jitter": 0.1,
            "max_retry_after": 3600.0,
        },
        "tags": ["a"],
        "callback": {"url": "https://shop.example/hook"},
        "at_most_once": True,
    }


def test_a_bound_method_is_refused(ls: Longshore) -> None:
    class Mailer:
        def send(self, to: str) -> None: ...

    with pytest.raises(TypeError, match=r"Mailer\.send is a method of .*Mailer, and a task must"):
        ls.task(Mailer().send)


def test_at_most_once_can_be_changed_for_one_submission(ls: Longshore) -> None:
    @ls.task(at_most_once=True)
    def work() -> None: ...

    assert "at_most_once" not in work.options(at_most_once=False).s().to_json()
    assert work.options(at_most_once=True).s().to_json()["at_most_once"] is True


def test_wrong_options_raise(ls: Longshore) -> None:
    @ls.task
    def work() -> None: ...

    with pytest.raises(TypeError, match=r"tags must be a list of texts, such as \['a'\]"):
        work.options(tags="a").submit()
    with pytest.raises(ValueError, match="'soon' is not a duration"):
        work.options(delay="soon").submit()
    with pytest.raises(ValueError, match="between 0 and ten years"):
        work.options(timeout=-1).submit()
    with pytest.raises(TypeError, match="takes no key"):
        work.options(then=work.options(key="k")).submit()
    with pytest.raises(TypeError, match="retrys"):
        ls.task(retrys=2)  # type: ignore[call-overload]


def test_durations_are_numbers_or_texts() -> None:
    texts = ["500ms", "90s", "1h 30m", "1.5m", "2d", " 1m30s "]
    assert [seconds(text) for text in texts] == [0.5, 90, 5400, 90, 172800, 90]
    for text in ("", "90", "soon", "1x", "5 m m", "-1s"):
        with pytest.raises(ValueError, match="is not a duration"):
            seconds(text)
    with pytest.raises(ValueError, match="between 0 and ten years"):
        seconds(float("nan"))


class OddError(Exception):
    code = "odd-code"


def fail(error: BaseException) -> BaseException:
    """Returns an error with the traceback of a task that raised it."""
    try:
        raise error
    except BaseException as raised:
        return raised


def test_an_exception_becomes_a_failure(ls: Longshore) -> None:
    @ls.task(retry_on=(OSError, ValueError))
    def work() -> None: ...

    failure = work.classify(fail(KeyError("missing")))
    assert (failure.code, failure.message) == ("key_error", "KeyError: 'missing'")
    assert (failure.retryable, failure.retry_in, failure.counts) == (False, None, True)
    assert failure.traceback is not None
    assert failure.traceback.endswith("KeyError: 'missing'\n")
    assert "raise error" in failure.traceback
    assert work.classify(fail(TimeoutError())).retryable
    assert work.classify(fail(TimeoutError())).message == "TimeoutError"
    assert work.classify(fail(OddError("x"))).code == "odd-code"


def test_a_task_says_whether_it_is_tried_again(ls: Longshore) -> None:
    @ls.task(retry_on=OSError)
    def work() -> None: ...

    fatal = work.classify(fail(Fatal("gone", code="no_user")))
    assert (fatal.code, fatal.message, fatal.retryable) == ("no_user", "gone", False)
    retry = work.classify(fail(Retry("1m", counts=False, message="full")))
    assert (retry.retryable, retry.retry_in, retry.counts) == (True, 60.0, False)
    assert retry.message == "full"
    assert work.classify(fail(Retry())).retry_in is None


def test_of_a_long_traceback_the_end_is_kept(ls: Longshore) -> None:
    def deep(n: int, text: str) -> None:
        if n:
            deep(n - 1, text)
        raise ValueError(text)

    @ls.task
    def work() -> None:
        deep(5, "é" * 20_000)

    with pytest.raises(ValueError, match="é") as raised:
        work()
    failure = work.classify(raised.value)
    assert failure.traceback is not None
    assert len(failure.traceback.encode()) < MAX_TRACEBACK + 100
    assert len(failure.message.encode()) < MAX_MESSAGE + 100
    assert "bytes omitted" in failure.traceback
    assert failure.traceback.startswith("Traceback")
    assert failure.traceback.endswith("éé\n")


def test_an_exception_without_a_text_is_reported(ls: Longshore) -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    @ls.task
    def work() -> None: ...

    failure = work.classify(fail(Broken()))
    assert failure.message == "Broken: (its text cannot be read: RuntimeError)"
    assert work.classify(fail(ValueError("\ud800"))).message == "ValueError: \\ud800"
