"""The installed command, which child processes import as their main module."""

import os
import subprocess
import sys
from pathlib import Path

from longshore import Longshore
from longshore.testing import Server
from worker import sample as tasks
from worker.kit import HERE

SCRIPT = HERE.parent.parent / "data" / "scripts" / "longshore-worker"


def test_the_installed_command_runs_tasks_in_processes(
    sample: Longshore, longshore_server: Server, tmp_path: Path
) -> None:
    job = tasks.pcontext.submit("half")
    variables = {**os.environ, "LONGSHORE_URL": longshore_server.url, "EFFECTS": "unused"}
    command = [sys.executable, str(SCRIPT), "sample:ls", "--processes", "1"]
    with subprocess.Popen(command, cwd=HERE, env=variables) as process:
        try:
            assert job.result(30)["job"] == job.id
        finally:
            process.terminate()
        assert process.wait(30) == 0
