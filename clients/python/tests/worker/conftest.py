"""Fixtures for the tests of the worker."""

from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from longshore import Longshore
from longshore.testing import Server
from worker.kit import HERE, Program


@pytest.fixture
def ls(longshore_server: Server) -> Generator[Longshore]:
    with Longshore(longshore_server.url) as ls:
        yield ls


@pytest.fixture
def sample(longshore_server: Server, monkeypatch: pytest.MonkeyPatch) -> Generator[Longshore]:
    """A client of the server with the tasks of `sample.py`, to submit them."""
    from worker import sample

    session = Longshore(longshore_server.url).session
    monkeypatch.setattr(sample.ls, "session", session)
    yield sample.ls
    session.close()


@pytest.fixture
def program(longshore_server: Server, tmp_path: Path) -> Generator[Callable[..., Program]]:
    """Start worker programs, which end with the test."""
    programs: list[Program] = []

    def start(*options: str, application: str = "sample:ls", cwd: Path = HERE) -> Program:
        program = Program(
            tmp_path, longshore_server.url, *options, application=application, cwd=cwd
        )
        programs.append(program)
        return program

    yield start
    for program in programs:
        program.close()
