"""Fixtures for pytest, which finds this module by its entry point."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from longshore.testing import Server, server

if TYPE_CHECKING:
    from collections.abc import Generator


@pytest.fixture
def longshore_config() -> str:
    """Configuration of `longshore_server` in TOML. Override this fixture to change it."""
    return ""


@pytest.fixture
def longshore_server(longshore_config: str) -> Generator[Server]:
    """A server of its own for each test, with a database that is thrown away."""
    with server(longshore_config) as running:
        yield running
