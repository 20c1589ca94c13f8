"""What the installed wheel offers."""

import os
import subprocess
import sys
from importlib.metadata import entry_points, metadata, version
from pathlib import Path

import pytest

import longshore
from longshore.testing import binary

SCRIPTS = Path(sys.prefix) / "bin"

pytestmark = pytest.mark.usefixtures("wheel")


def output(*command: str | Path) -> str:
    # Without PATH, only the environment itself can offer the commands.
    environment = {"HOME": os.environ["HOME"], "PATH": "/nowhere"}
    return subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True
    ).stdout


def test_the_package_comes_from_the_environment() -> None:
    assert Path(longshore.__file__).is_relative_to(sys.prefix)


def test_the_command_is_the_server() -> None:
    assert output(SCRIPTS / "longshore", "--version") == f"longshore {version('longshore')}\n"
    assert (SCRIPTS / "longshore").read_bytes()[:4] == b"\x7fELF"
    assert binary() == SCRIPTS / "longshore"


def test_the_module_is_the_server() -> None:
    expected = output(SCRIPTS / "longshore", "--help")
    assert output(sys.executable, "-m", "longshore", "--help") == expected


def test_the_worker_is_a_command() -> None:
    assert "--threads" in output(SCRIPTS / "longshore-worker", "--help")


def test_the_version_is_that_of_the_crate() -> None:
    crate = (Path(__file__).parents[4] / "Cargo.toml").read_text()
    assert f'\nversion = "{version("longshore")}"\n' in crate


def test_pytest_finds_the_plugin() -> None:
    [plugin] = entry_points(group="pytest11", name="longshore.pytest_plugin")
    # Equal names keep pytest from loading it twice where a configuration names it too.
    assert plugin.name == plugin.value


def test_the_metadata_name_licenses_and_extras() -> None:
    about = metadata("longshore")
    assert about["License-Expression"] == "MIT OR Apache-2.0"
    assert about["Requires-Python"] == ">=3.10"
    assert {"starlette", "fasthtml", "openai"} <= set(about.get_all("Provides-Extra") or [])
    assert "pip install 'longshore" in about.json["description"]
