"""A job server, and an application that hands on its jobs."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from starlette.applications import Starlette

from longshore import Longshore
from longshore.testing import Server
from longshore.web import routes
from web.pages import served


@pytest.fixture
def ls(longshore_server: Server) -> Longshore:
    """The client of a server of the test."""
    return longshore_server.client


@pytest.fixture
def relay(ls: Longshore) -> Generator[str]:
    """The address of an application with the routes of the pages."""
    with served(Starlette(routes=routes(ls))) as url:
        yield url + "/longshore"


@pytest.fixture
def relay_with_logs(ls: Longshore) -> Generator[str]:
    """The address of an application that also hands on the logs of jobs."""
    with served(Starlette(routes=routes(ls, logs=True))) as url:
        yield url + "/longshore"
