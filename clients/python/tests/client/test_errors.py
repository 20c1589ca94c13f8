"""The exceptions of the client."""

import pickle

import pytest

from client.service import run_service
from longshore import (
    ErrorItem,
    Fatal,
    JobCancelled,
    JobFailed,
    Longshore,
    LongshoreError,
    NotAllowed,
    NotFound,
    Refused,
    Retry,
    Stopped,
    Unavailable,
    current,
)
from longshore._http import Request


@pytest.mark.parametrize(
    "error",
    [
        JobFailed(7, "failed", "no", traceback="Traceback", attempts=[{"attempt": 1}]),
        JobCancelled(7, "expired", "too late"),
        Refused(422, "invalid", "Unprocessable", "1 field", [ErrorItem("/kind", "is wrong")]),
        Fatal("gone", code="no_user"),
        Retry(5, counts=False, message="full"),
        Stopped("the job was cancelled"),
        Unavailable("away"),
    ],
)
def test_errors_survive_pickling(error: BaseException) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert (str(copy), vars(copy)) == (str(error), vars(error))


def test_a_refusal_says_what_is_wrong_and_where(ls: Longshore) -> None:
    @ls.task
    def work() -> None: ...

    with pytest.raises(Refused) as refused:
        work.options(priority=500, queue="No Queue").submit()
    error = refused.value
    assert (error.status, error.type) == (422, "invalid")
    assert {item.pointer for item in error.errors} == {"/priority", "/queue"}
    assert "/priority: must be between -100 and 100" in str(error)


def test_a_job_that_does_not_exist_is_not_found(ls: Longshore) -> None:
    with pytest.raises(NotFound, match="job 99 does not exist"):
        ls.job(99).refresh()
    with pytest.raises(NotFound):
        ls.get_batch(99)
    with pytest.raises(NotFound):
        list(ls.job(99).events())
    with pytest.raises(NotFound):
        ls.job(99).result()


def test_a_key_is_needed_if_the_server_has_keys(
    ls: Longshore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Longshore(ls.url, key=make_key(ls, "admin")) as admin:
        reader = make_key(admin, "read")
        work = admin.task(name="work")(lambda: None)
        assert work.submit().state == "queued"
    with pytest.raises(NotAllowed, match="401"):
        ls.job(1).refresh()
    monkeypatch.setenv("LONGSHORE_KEY", f" {reader}\n")
    monkeypatch.setenv("LONGSHORE_URL", ls.url)
    with Longshore() as reading:
        assert reading.job(1).refresh().kind == "work"
        with pytest.raises(NotAllowed, match="403"):
            reading.task(name="work")(lambda: None).submit()


def make_key(ls: Longshore, scope: str) -> str:
    """Returns a new API key of the server."""
    made = ls.session.send(Request("POST", "/v1/keys", body={"name": scope, "scopes": [scope]}))
    return str(made.json()["secret"])


def test_an_address_that_cannot_be_used_is_named() -> None:
    with pytest.raises(LongshoreError, match="ftp://"):
        Longshore("ftp://shop.example").job(1).refresh()
    with pytest.raises(LongshoreError, match="cannot be sent"):
        Longshore("127.0.0.1:7373").job(1).refresh()
    with pytest.raises(ValueError, match="visible ASCII"):
        Longshore(key="two lines")


def test_an_answer_that_is_not_json_is_shown(ls: Longshore) -> None:
    with pytest.raises(LongshoreError, match="is this the address of a Longshore server"):
        Longshore(f"{ls.url}/jobs?").job(1).refresh()


def test_an_answer_of_another_server_is_named() -> None:
    hint = "not one of Longshore: is this the address of a Longshore server"
    with run_service() as service:
        service.answer = {"name": "another service"}
        other = Longshore(service.url)
        work = other.task(name="work")(lambda: None)
        for call in (work.submit, lambda: other.batch([work.s()]), other.job(1).refresh):
            with pytest.raises(LongshoreError, match=hint):
                call()
        service.status = 404
        with pytest.raises(NotFound, match=hint):
            work.submit()


def test_an_id_that_is_none_is_named(ls: Longshore) -> None:
    with pytest.raises(ValueError, match="'abc' is not the id of a job: ids are whole numbers"):
        ls.job("abc")
    with pytest.raises(ValueError, match="'abc' is not the id of a batch"):
        ls.get_batch("abc")
    assert ls.job("7").id == 7


def test_a_follow_up_is_not_known_before_the_job_was_read(ls: Longshore) -> None:
    with pytest.raises(LongshoreError, match="then of job 1 is not known yet: call refresh"):
        _ = ls.job(1).then


def test_a_thread_without_the_context_is_told_how_to_get_it() -> None:
    with pytest.raises(LongshoreError, match=r"contextvars\.copy_context\(\)\.run"):
        current()


def test_stopped_is_not_swallowed_by_except_exception() -> None:
    assert not issubclass(Stopped, Exception)
    assert issubclass(JobFailed, LongshoreError)


def test_a_refusal_with_one_error_says_it_once() -> None:
    item = ErrorItem("/kind", "there is no such kind")
    once = Refused(422, "invalid", "Unprocessable", "kind: there is no such kind", [item])
    assert str(once) == "422 kind: there is no such kind"
    more = Refused(422, "invalid", "Unprocessable", "the body has 1 error", [item])
    assert str(more) == "422 the body has 1 error\n  /kind: there is no such kind"
