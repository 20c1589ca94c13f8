"""Servers for tests: the real binary on a free port, with a database that is thrown away.

    with server() as longshore:
        job = longshore.client.chat.submit("Hello", model="gpt-4o")

Tests under pytest use the fixture `longshore_server`, which yields such a server.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
import tempfile
import threading
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from longshore.client import Longshore

_START_SECONDS = 30
# The server gives running jobs 25 seconds, unless `shutdown_grace` says otherwise.
_STOP_SECONDS = 60
_LOG_LINES_OF_ERRORS = 20


class StartError(RuntimeError):
    """The server did not start; the message ends with its log."""


def binary() -> Path:
    """Return the path of the server binary.

    It is the file that the variable LONGSHORE_BINARY names, or else the command `longshore` of this
    Python environment, or else the one on PATH. Raises FileNotFoundError if there is none.
    """
    named = os.environ.get("LONGSHORE_BINARY")
    if named:
        return _executable(Path(named))
    folders = [sysconfig.get_path("scripts"), sysconfig.get_path("scripts", f"{os.name}_user")]
    for places in (*folders, os.environ.get("PATH", os.defpath)):
        found = shutil.which("longshore", path=places)
        if found:
            return Path(found)
    raise FileNotFoundError(
        f"the server binary `longshore` is neither in {folders[0]} nor on PATH: install the wheel"
        " of longshore in this environment, or set LONGSHORE_BINARY to the path of the binary"
    )


def _executable(path: Path) -> Path:
    if not os.access(path, os.X_OK) or path.is_dir():
        raise FileNotFoundError(
            f"LONGSHORE_BINARY is {path}, which is not a program: set it to the path of the server"
            " binary, or unset it"
        )
    return path.absolute()


class Server:
    """A server process on 127.0.0.1 and its directory, which has the database and the log."""

    def __init__(
        self, directory: Path, config: str = "", environment: Mapping[str, str] | None = None
    ) -> None:
        self.directory = directory
        self._environment = dict(environment or {})
        self._config = directory / "longshore.toml"
        self._config.write_text(config, encoding="utf-8")
        self._process: subprocess.Popen[str] | None = None
        self._address = "127.0.0.1:0"

    @property
    def url(self) -> str:
        """The address of the server. It stays the same when the server starts again."""
        return f"http://{self._address}"

    @cached_property
    def client(self) -> Longshore:
        """A client of this server, which is closed with the server."""
        from longshore.client import Longshore

        return Longshore(self.url)

    @property
    def log(self) -> str:
        """Everything that the server has logged, over all its starts."""
        return (self.directory / "server.log").read_text(encoding="utf-8", errors="replace")

    @property
    def pid(self) -> int | None:
        """The process id of the server, or None while it does not run."""
        if self._process is None or self._process.poll() is not None:
            return None
        return self._process.pid

    def start(self) -> None:
        """Start the server, and return when it accepts requests. Raises StartError."""
        if self.pid:
            raise RuntimeError("the server is running already")
        # A server that ended by itself still has its pipe.
        self.kill()
        with (self.directory / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                env=self._variables(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._address = self._read_address(self._process)

    def kill(self) -> None:
        """End the server at once, as a crash does. Accepted jobs are in the database."""
        if self._process is not None:
            self._process.kill()
            self._reap(self._process)

    def stop(self) -> None:
        """Ask the server to stop, and wait. Running jobs get the time of `shutdown_grace`."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        self._reap(self._process)

    def restart(self) -> None:
        """Start the server again on the same port and database, after stopping it if it runs."""
        self.stop()
        self.start()

    def _reap(self, process: subprocess.Popen[str]) -> None:
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
        self._process = None

    def _command(self) -> list[str]:
        database = self.directory / "longshore.db"
        options = {"--listen": self._address, "--database": database, "--config": self._config}
        pairs = (str(part) for pair in options.items() for part in pair)
        return [str(binary()), "serve", *pairs]

    def _variables(self) -> dict[str, str]:
        """Return the environment without the settings of another server."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("LONGSHORE_")}
        return inherited | self._environment

    def _read_address(self, process: subprocess.Popen[str]) -> str:
        """Wait for the line `listening on http://127.0.0.1:43907`."""
        assert process.stdout is not None
        overdue = threading.Timer(_START_SECONDS, process.kill)
        overdue.start()
        line = process.stdout.readline()
        overdue.cancel()
        _, scheme, address = line.strip().rpartition("http://")
        if not scheme:
            self._reap_failed(process)
        return address

    def _reap_failed(self, process: subprocess.Popen[str]) -> None:
        process.kill()
        self._reap(process)
        log = "\n".join(self.log.splitlines()[-_LOG_LINES_OF_ERRORS:])
        raise StartError(f"the server did not start (exit code {process.returncode}):\n{log}")

    def close(self) -> None:
        """Close the client and end the server."""
        if "client" in self.__dict__:
            self.client.close()
        self.kill()


@contextmanager
def server(config: str = "", *, environment: Mapping[str, str] | None = None) -> Generator[Server]:
    """Run a server on a free port of 127.0.0.1, with a new database that is deleted at the end.

    `config` is the text of a configuration file in TOML. `environment` adds variables to those of
    this process, from which the variables LONGSHORE_* are removed. At the end the server is killed,
    because nobody reads its database any more.
    """
    with tempfile.TemporaryDirectory(prefix="longshore-", ignore_cleanup_errors=True) as directory:
        running = Server(Path(directory), config, environment)
        try:
            running.start()
            yield running
        finally:
            running.close()
