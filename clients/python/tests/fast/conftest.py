"""A server for `longshore.fast`."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from longshore import Longshore, fast
from longshore.testing import server


@pytest.fixture(scope="session")
def shared_server() -> Generator[Longshore]:
    with server() as running:
        yield running.client


@pytest.fixture(autouse=True)
def used_server(shared_server: Longshore) -> Longshore:
    """The client of the server that the tests of this folder use."""
    fast.use(shared_server)
    return shared_server
