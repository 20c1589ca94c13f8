"""The options of the decorator."""

from datetime import date
from typing import Any

import pytest

from longshore import Longshore


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"retry": 3},
            TypeError,
            r"a task has no option retry=: did you mean retry_on= or retries=\?",
        ),
        ({"time_out": 3}, TypeError, r"a task has no option time_out=: did you mean timeout=\?"),
        ({"xyz": 3}, TypeError, "a task has no option xyz=: there are name, queue, retries"),
        ({"retries": -1}, ValueError, "retries=-1: must be at least 0"),
        ({"retries": "3"}, TypeError, "retries='3': must be a whole number"),
        ({"timeout": "5 minutes"}, ValueError, "timeout='5 minutes': .* is not a duration"),
        ({"timeout": -1}, ValueError, "timeout=-1: a duration must be"),
    ],
)
def test_a_wrong_option_is_named_at_the_decoration(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Longshore().task(**options)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"countdown": 5},
            TypeError,
            r"a submission has no option countdown=: did you mean delay=",
        ),
        ({"eta": 5}, TypeError, "did you mean run_at="),
        ({"delays": 5}, TypeError, "did you mean delay="),
        ({"run_at": "tomorrow"}, ValueError, "run_at='tomorrow': must be a datetime, or a text"),
        ({"run_at": date(2030, 1, 1)}, TypeError, "must be a datetime, or a text such as"),
        ({"then": "x"}, TypeError, r"then='x': must be a task or a call of one, such as rep"),
        ({"metadata": [1]}, TypeError, r"metadata=\[1\]: must be a dict"),
    ],
)
def test_a_wrong_option_of_a_submission_is_explained(
    ls: Longshore, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    @ls.task
    def work() -> None: ...

    with pytest.raises(error, match=message):
        work.options(**options)


def test_a_wrong_then_of_a_batch_is_explained(ls: Longshore) -> None:
    with pytest.raises(TypeError, match="then='x': must be a task or a call"):
        ls.batch([], then="x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_the_start_may_be_a_text(ls: Longshore) -> None:
    @ls.task
    def work() -> None: ...

    for text in ("2030-01-31T09:00:00Z", "2030-01-31T10:00:00+01:00"):
        job = work.options(run_at=text).submit()
        assert job.state == "scheduled"
        assert job.to_dict()["run_at"].startswith("2030-01-31T09:00:00")
    assert work.options(run_at="2030-01-01").submit().state == "scheduled"


def test_retry_on_takes_any_iterable_of_exception_classes(ls: Longshore) -> None:
    for retry_on in ([OSError, KeyError], {OSError, KeyError}, (c for c in (OSError, KeyError))):
        work = ls.task(name="work", retry_on=retry_on)(lambda: None)
        assert set(work.retry_on) == {OSError, KeyError}
        assert work.classify(KeyError()).retryable
        assert not work.classify(ValueError()).retryable


@pytest.mark.parametrize("retry_on", ["x", (OSError, "y"), [OSError()], 5, int, None])
def test_retry_on_refuses_what_is_no_class_of_exceptions(ls: Longshore, retry_on: Any) -> None:
    with pytest.raises(TypeError, match=r"^retry_on: .* is not a class of exceptions: name one"):
        ls.task(retry_on=retry_on)
