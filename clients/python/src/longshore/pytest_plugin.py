"""Fixtures for pytest, which finds this module by its entry point."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from longshore.testing import Server, server

if TYPE_CHECKING:
    from collections.abc import Generator

_LOG_LINES = 50


@pytest.fixture
def longshore_config() -> str:
    """Configuration of `longshore_server` in TOML. Override this fixture to change it."""
    return ""


@pytest.fixture
def longshore_server(longshore_config: str) -> Generator[Server]:
    """A server of its own for each test, with a database that is thrown away."""
    with server(longshore_config) as running:
        yield running


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of the server's log with a test that failed."""
    report = yield
    if isinstance(item, pytest.Function) and call.when == "call" and report.failed:
        running = item.funcargs.get("longshore_server")
        if isinstance(running, Server):
            lines = running.log.splitlines()[-_LOG_LINES:]
            report.sections.append(("Log of the Longshore server", "\n".join(lines)))
    return report
