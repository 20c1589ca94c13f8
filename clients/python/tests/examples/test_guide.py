from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from examples.guide import blocks, write_files
from examples.model import server_with_model
from examples.page import environment_of
from examples.sections import EXAMPLES
from longshore.testing import Server

GUIDE = EXAMPLES.parents[2] / "docs" / "PYTHON.md"
PROGRAM = Path(__file__).with_name("guide.py")


@pytest.fixture
def running() -> Generator[Server]:
    with server_with_model("50ms") as running:
        yield running


def test_the_blocks_of_the_guide_run_in_their_order(running: Server, tmp_path: Path) -> None:
    write_files(GUIDE, tmp_path)
    environment = environment_of(running.url, PYTHONPATH=str(tmp_path))
    worker = [sys.executable, "-m", "longshore.worker.cli", "tasks:ls", "--log", "warning"]
    with subprocess.Popen(worker, env=environment) as process:
        try:
            done = subprocess.run(
                [sys.executable, PROGRAM, GUIDE, tmp_path],
                env=environment,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
        finally:
            process.terminate()
    assert done.stderr == ""
    others = [block for block in blocks(GUIDE) if not block.file]
    assert done.stdout == f"{len(others)}\n"


def test_the_files_of_the_guide_can_be_imported_and_its_tests_pass(
    running: Server, tmp_path: Path
) -> None:
    modules = [name.removesuffix(".py") for name in write_files(GUIDE, tmp_path)]
    environment = environment_of(running.url, PYTHONPATH=str(tmp_path))
    command = [sys.executable, "-c", f"import {', '.join(modules)}"]
    subprocess.run(command, env=environment, cwd=tmp_path, check=True, timeout=60)
    plugin = ["-p", "longshore.pytest_plugin"]
    command = [sys.executable, "-m", "pytest", "-q", *plugin, "test_tasks.py"]
    tested = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert tested.returncode == 0, tested.stdout
    assert "3 passed" in tested.stdout
