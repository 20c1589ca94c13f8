"""The sections of the write-up."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from examples.page import environment_of, joke_in_page

EXAMPLES = Path(__file__).parents[2] / "examples"
SECTIONS = sorted((EXAMPLES / "writeup").glob("section*.py"))


def run_section(path: Path, url: str) -> str:
    """Run a section and return the line that it prints. Raise RuntimeError with its errors."""
    environment = environment_of(url)
    if path.stem == "section5_page":
        with tempfile.TemporaryDirectory() as folder:
            return joke_in_page(path, environment, Path(folder))
    done = subprocess.run(
        [sys.executable, path],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return done.stdout.strip()
