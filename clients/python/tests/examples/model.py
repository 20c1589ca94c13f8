"""A job server with a model server that needs no network."""

from __future__ import annotations

import subprocess
from collections.abc import Generator
from contextlib import contextmanager

from longshore.testing import Server, binary, server


@contextmanager
def mock_model(delay: str) -> Generator[str]:
    """Run the model server of the binary, and yield its address."""
    command = [str(binary()), "mock-llm", "--port", "0", "--delay", delay]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip().removeprefix("listening on ")
        finally:
            process.terminate()


@contextmanager
def server_with_model(delay: str = "500ms", config: str = "") -> Generator[Server]:
    """Run a job server whose only provider is the model server."""
    with mock_model(delay) as url:
        provider = f'[providers.mock]\nbase_url = "{url}"\n'
        with server(config + provider) as running:
            yield running
