"""`longshore.testing.server` runs the real binary."""

import os
import signal

import httpx2
import pytest

from longshore.testing import Server, StartError, server


def submit(running: Server, kind: str = "echo") -> int:
    """Submit a job and return its id."""
    answer = httpx2.post(f"{running.url}/v1/jobs", json={"kind": kind, "payload": 7})
    answer.raise_for_status()
    job: int = answer.json()["id"]
    return job


def max_attempts(running: Server) -> int:
    """Return a setting of the configuration, as a new job shows it."""
    attempts: int = httpx2.get(f"{running.url}/v1/jobs/{submit(running)}").json()["max_attempts"]
    return attempts


def jobs(running: Server) -> list[int]:
    answer = httpx2.get(f"{running.url}/v1/jobs").raise_for_status()
    return [job["id"] for job in answer.json()["jobs"]]


def test_two_servers_share_nothing() -> None:
    with server() as one, server() as other:
        assert one.url != other.url
        job = submit(one)
        assert jobs(one) == [job]
        assert jobs(other) == []


def test_the_directory_is_deleted_at_the_end() -> None:
    with server() as running:
        assert (running.directory / "longshore.db").exists()
    assert not running.directory.exists()
    assert running.pid is None


def test_the_server_ends_when_the_test_fails() -> None:
    with pytest.raises(ZeroDivisionError), server() as running:
        raise ZeroDivisionError
    assert running.pid is None


def test_a_killed_server_starts_again_on_its_port_with_its_jobs() -> None:
    with server() as running:
        url, job = running.url, submit(running)
        running.kill()
        with pytest.raises(httpx2.ConnectError):
            jobs(running)
        running.restart()
        assert running.url == url
        assert jobs(running) == [job]


def test_a_running_server_is_stopped_before_it_starts_again() -> None:
    with server() as running:
        job = submit(running)
        running.restart()
        assert jobs(running) == [job]
        assert running.log.count("stopped") == 1


def test_stopping_and_killing_twice_does_nothing() -> None:
    with server() as running:
        running.stop()
        running.stop()
        running.kill()
        assert running.pid is None
        running.start()
        with pytest.raises(RuntimeError, match="running already"):
            running.start()


def test_a_server_that_ended_by_itself_can_be_started_again() -> None:
    with server() as running:
        pid = running.pid  # Asked once: `pid` is `None` as soon as the process has ended.
        assert pid
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert running.pid is None
        running.restart()
        assert jobs(running) == []


def test_the_configuration_is_used() -> None:
    with server("[jobs]\nmax_attempts = 3") as running:
        assert max_attempts(running) == 3


def test_a_wrong_configuration_is_reported_with_the_log() -> None:
    with (
        pytest.raises(StartError, match=r"exit code 2(.|\n)*unknown field `leese`"),
        server("leese = 1"),
    ):
        pass


def test_settings_of_another_server_are_not_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGSHORE_LEESE", "refused")
    monkeypatch.setenv("LONGSHORE_LISTEN", "127.0.0.1:1")
    with server(environment={"LONGSHORE_JOBS__MAX_ATTEMPTS": "4"}) as running:
        assert max_attempts(running) == 4


def test_the_client_calls_this_server() -> None:
    with server() as running:
        job = running.client.job(submit(running))
        assert job.result(timeout=10) == 7
        assert running.client is running.client
