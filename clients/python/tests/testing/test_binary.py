"""Where `longshore.testing.binary` looks for the server."""

import subprocess
import sys
import sysconfig
from pathlib import Path
from unittest.mock import Mock

import pytest

from longshore.testing import binary


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Hide the binary of this environment. Returns the folder of commands, which is empty."""
    monkeypatch.delenv("LONGSHORE_BINARY", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    scripts = str(tmp_path / "scripts")
    monkeypatch.setattr(sysconfig, "get_path", Mock(return_value=scripts))
    (tmp_path / "path").mkdir()
    (tmp_path / "scripts").mkdir()
    return tmp_path / "scripts"


def program(path: Path) -> Path:
    """Write a program that prints its arguments and the name of each variable of Longshore."""
    path.write_text(
        '#!/bin/sh\necho "$@"\n/usr/bin/env | /bin/grep -o "^LONGSHORE_[A-Z]*"\nexit 7\n'
    )
    path.chmod(0o755)
    return path


def test_the_variable_comes_first(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(nowhere / "longshore")
    named = program(nowhere.parent / "mine")
    monkeypatch.setenv("LONGSHORE_BINARY", str(named))
    assert binary() == named


def test_the_command_of_this_environment_comes_before_that_on_path(nowhere: Path) -> None:
    on_path = program(nowhere.parent / "path/longshore")
    assert binary() == on_path
    installed = program(nowhere / "longshore")
    assert binary() == installed


def test_a_missing_binary_is_an_error_that_says_what_to_do(nowhere: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=f"neither in {nowhere} nor on PATH: install the wheel"
    ):
        binary()


@pytest.mark.parametrize("name", ["missing", "text", "folder"])
def test_the_variable_must_name_a_program(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (nowhere / "text").write_text("no program")
    (nowhere / "folder").mkdir()
    monkeypatch.setenv("LONGSHORE_BINARY", str(nowhere / name))
    with pytest.raises(
        FileNotFoundError, match=f"LONGSHORE_BINARY is {nowhere / name}, which is not"
    ):
        binary()


def test_the_module_runs_the_binary(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGSHORE_BINARY", str(program(nowhere / "mine")))
    monkeypatch.setenv("LONGSHORE_KEY", "kept")
    command = [sys.executable, "-m", "longshore", "submit", "two words"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    # The server refuses settings that it does not know, such as LONGSHORE_BINARY.
    assert done.stdout == "submit two words\nLONGSHORE_KEY\n", done.stderr
    assert done.returncode == 7


def test_the_module_explains_a_missing_binary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGSHORE_BINARY", "/nowhere/longshore")
    command = [sys.executable, "-m", "longshore"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr.startswith("error: LONGSHORE_BINARY is /nowhere/longshore")
    assert done.returncode == 2
