"""Arguments of a task to a payload and back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from longshore import BadPayload, Call, Context, Longshore, Task

if TYPE_CHECKING:
    from fractions import Fraction


@dataclass
class Row:
    id: int
    day: date


@pytest.fixture
def ls() -> Longshore:
    """A client that is never connected."""
    return Longshore("http://127.0.0.1:1", give_up=0)


class Silent:
    """A reporter that is never used."""

    def report_progress(self, percent: float, message: str) -> None: ...
    def report_log(self, text: str) -> None: ...
    def stop_reason(self) -> str | None:
        return None


CONTEXT = Context(7, "work", "default", 1, 5, Silent())


def there_and_back(task: Task[..., Any], call: Call[Any]) -> Any:
    """Returns what the function returns when a worker calls it with the payload of a call."""
    args, kwargs = task.decode_arguments(call.payload, CONTEXT)
    return task(*args, **kwargs)


def test_arguments_are_passed_by_name(ls: Longshore) -> None:
    @ls.task
    def work(a: int, b: Row, *, c: str = "x") -> Any:
        return a, b, c

    row = Row(1, date(2030, 1, 1))
    call = work.s(1, b=row)
    assert call.payload == {"a": 1, "b": {"id": 1, "day": "2030-01-01"}}
    assert there_and_back(work, call) == (1, row, "x")
    assert there_and_back(work, work.s(1, row, c="y")) == (1, row, "y")


def test_positional_and_variadic_arguments_return(ls: Longshore) -> None:
    @ls.task
    def work(a: int, /, b: int = 2, *rest: date, c: int = 3, **more: date) -> Any:
        return a, b, rest, c, more

    day = date(2030, 1, 1)
    assert there_and_back(work, work.s(1)) == (1, 2, (), 3, {})
    assert there_and_back(work, work.s(1, 5, day, day)) == (1, 5, (day, day), 3, {})
    call = work.s(1, c=4, x=day)
    assert call.payload == {"a": 1, "c": 4, "more": {"x": "2030-01-01"}}
    assert there_and_back(work, call) == (1, 2, (), 4, {"x": day})
    assert work.decode_arguments({"a": 1, "rest": ["2030-01-01"]}) == ((1, 2, day), {"c": 3})


def test_the_context_is_no_argument(ls: Longshore) -> None:
    @ls.task
    def first(context: Context, a: int) -> Any:
        return context, a

    @ls.task
    def middle(a: int, context: Context | None = None, *rest: int) -> Any:
        return a, context, rest

    assert first._call((1,), {}).payload == {"a": 1}
    assert there_and_back(first, first._call((1,), {})) == (CONTEXT, 1)
    assert there_and_back(middle, middle._call((1, 2, 3), {})) == (1, CONTEXT, (2, 3))
    assert middle.decode_arguments({"a": 1}) == ((1, None), {})


def test_defaults_are_those_of_the_worker(ls: Longshore) -> None:
    @ls.task
    def work(a: int = 1) -> Any:
        return a

    assert work.s().payload == {}
    assert there_and_back(work, work.s()) == 1


@pytest.mark.parametrize(
    ("args", "kwargs", "why"),
    [
        ((), {"b": "x"}, "the argument 'a' is missing"),
        ((1,), {}, "missing a required argument: 'b'|the argument 'b' is missing"),
        ((1, "x", 3), {}, "too many positional arguments"),
        ((1, "x"), {"z": 1}, "unexpected keyword argument 'z'"),
        (("1", "x"), {}, "work: the argument 'a': Expected `int`, got `str`"),
        ((1, object()), {}, "work: the argument 'b': .*no JSON form"),
    ],
)
def test_a_wrong_call_raises_before_anything_is_sent(
    ls: Longshore, args: Any, kwargs: Any, why: str
) -> None:
    @ls.task
    def work(a: int, b: str) -> None: ...

    with pytest.raises(TypeError, match=why):
        work.submit(*args, **kwargs)


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ([1], "must be an object of arguments by parameter name, not list"),
        ({}, "the argument 'a' is missing"),
        (None, "the argument 'a' is missing"),
        ({"a": 1, "z": 1}, "has no parameter 'z'"),
        ({"a": "1"}, "the argument 'a': Expected `int`, got `str`"),
        ({"a": 1, "rest": 1}, "the argument 'rest' must be a list"),
        ({"a": 1, "more": [1]}, "the argument 'more' must be an object"),
    ],
)
def test_a_payload_that_does_not_fit_is_refused(ls: Longshore, payload: Any, why: str) -> None:
    @ls.task
    def work(a: int, *rest: int, **more: int) -> None: ...

    with pytest.raises(BadPayload, match=why):
        work.decode_arguments(payload)


def test_a_type_that_is_imported_for_checkers_only_is_named(ls: Longshore) -> None:
    @ls.task
    def work(a: Fraction) -> None: ...

    with pytest.raises(TypeError, match=r"work: the annotation of 'a' .*'Fraction' is not defined"):
        work.submit(1)  # type: ignore[arg-type]


def test_types_of_an_enclosing_function_can_be_used(ls: Longshore) -> None:
    @dataclass
    class Inner:
        n: int

    @ls.task
    def work(a: Inner) -> Inner:
        return Inner(a.n + 1)

    assert there_and_back(work, work.s(Inner(1))) == Inner(2)


def test_a_follow_up_may_miss_its_first_free_argument(ls: Longshore) -> None:
    @ls.task
    def report(title: str, numbers: list[int], unit: str = "") -> None: ...
    @ls.task
    def collect(*numbers: int) -> None: ...
    @ls.task
    def nothing() -> None: ...

    source = {"$from": "job"}
    with pytest.raises(TypeError, match="missing a required argument: 'numbers'"):
        report.s()  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    arguments: Any = {"title": "x"}
    call = report.s(**arguments)
    assert call.to_follow_up("job")["payload"] == {"title": "x", "numbers": source}
    with pytest.raises(TypeError, match="the argument 'numbers' is missing"):
        ls.submit(call)
    full = report.s("x", [1]).to_follow_up("job")
    assert full["payload"] == {"title": "x", "numbers": [1], "unit": source}
    assert collect.s().to_follow_up("job")["payload"] == {"numbers": [source]}
    assert nothing.s().to_follow_up("job")["payload"] == {}
    of_batch = {"$from": "batch", "pointer": "/results"}
    assert collect.s().to_follow_up("batch")["payload"] == {"numbers": [of_batch]}
