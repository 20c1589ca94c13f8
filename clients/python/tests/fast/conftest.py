"""A server for `longshore.fast`."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from longshore import Longshore, fast
from longshore.fast.runners import close_all
from longshore.testing import server


@pytest.fixture(scope="module")
def shared_server() -> Generator[Longshore]:
    with server() as running:
        yield running.client
        # Tests of other folders look for workers that are left.
        close_all()


@pytest.fixture(autouse=True)
def used_server(shared_server: Longshore) -> Longshore:
    """The client of the server that the tests of this folder use."""
    fast.use(shared_server)
    return shared_server
