"""Fixtures of the tests of the client."""

from collections.abc import Iterator

import pytest

from client.kit import Hand
from longshore import Longshore
from longshore.testing import Server


@pytest.fixture
def ls(longshore_server: Server) -> Longshore:
    """A client of a new server."""
    return longshore_server.client


@pytest.fixture
def hand(longshore_server: Server) -> Iterator[Hand]:
    """A worker of the same server that is moved by hand."""
    hand = Hand(longshore_server.url)
    yield hand
    hand.close()
