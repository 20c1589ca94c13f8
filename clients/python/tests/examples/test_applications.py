from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import httpx2
import pytest

from examples.model import server_with_model
from examples.page import environment_of, joke_in_page, served_example
from examples.sections import EXAMPLES
from longshore.testing import Server
from web.browser import is_installed


@pytest.fixture(scope="module")
def running() -> Generator[Server]:
    with server_with_model("200ms") as running:
        yield running


@pytest.mark.skipif(not is_installed(), reason="chromium is not installed")
def test_the_application_of_the_readme_shows_tasks_and_a_joke(
    running: Server, tmp_path: Path
) -> None:
    seen = joke_in_page(EXAMPLES / "app.py", environment_of(running.url), tmp_path)
    assert "the page says:" in seen


def test_rows_of_a_file_are_answered_in_order_and_reported(running: Server, tmp_path: Path) -> None:
    rows = [f"Question {n}" for n in range(30)]
    file = "prompt\n" + "\n".join(rows) + "\n"
    worker = [sys.executable, "-m", "longshore.worker.cli", "rows:ls", "--queue", "reports"]
    environment = environment_of(running.url, PYTHONPATH=str(EXAMPLES))
    with (
        served_example(EXAMPLES / "rows.py", environment, tmp_path) as url,
        subprocess.Popen(worker, env=environment) as process,
    ):
        try:
            uploaded = httpx2.post(f"{url}/uploads", files={"file": ("rows.csv", file.encode())})
            sent = uploaded.raise_for_status().json()
            batch = running.client.get_batch(sent["batch"])
            own, params = f"{url}/longshore/batches/{batch.id}", {"token": sent["token"]}
            with httpx2.stream("GET", f"{own}/events", params=params, timeout=60) as answer:
                events = [(sent.event, sent.data) for sent in httpx2.EventSource(answer)]
            assert json.loads(events[-2][1])["counts"]["completed"] == 30
            assert events[-1][0] == "end"
            answers = httpx2.get(f"{own}/results", params=params, timeout=60).json()["results"]
            assert len(answers) == 30
            assert [job.refresh().metadata["prompt"] for job in batch.jobs] == rows
            follow_up = batch.refresh().then
            assert follow_up is not None
            assert follow_up.result(30) == 30
        finally:
            process.terminate()
