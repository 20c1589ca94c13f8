from __future__ import annotations

import re
from collections.abc import Generator
from pathlib import Path

import pytest

from examples.model import server_with_model
from examples.sections import SECTIONS, run_section
from longshore.testing import Server
from web.browser import is_installed

# The times are not checked: other programs of this machine may slow the sections down.
TIME = r"\d+\.\d s"
LINES = {
    "section1_queue": "taken: Ann, Bob, Cleo; last result: posted to Cleo",
    "section2_pool": rf"6 jobs of 0.5 s on 3 threads: {TIME}, 0.small.png to 5.small.png",
    "section3_prompts": rf"one by one {TIME}, batch {TIME}, asyncio {TIME}",
    "section4_semaphore": rf"10 calls, at most [2-5] at once: {TIME}",
    "section5_page": rf"after {TIME} the page says: .{{20,}}; both tasks showed progress and ended",
    "section6_parallel": rf"threads: \[0, 1, 4, 9, 16, 25, 36, 49\] in {TIME}; processes: 2, .*",
    "section7_threaded": rf"alive at first: True; tea is ready, toast is ready after {TIME}",
    "section8_startthread": r"0 lines at first, 3 at the end; job \d+ fast.threaded-[0-9a-f]{8}",
}


@pytest.fixture(scope="module")
def running() -> Generator[Server]:
    with server_with_model() as running:
        yield running


@pytest.mark.parametrize("path", SECTIONS, ids=lambda path: path.stem)
def test_a_section_does_what_it_says(running: Server, path: Path) -> None:
    if path.stem == "section5_page" and not is_installed():
        pytest.skip("chromium is not installed")
    assert re.fullmatch(LINES[path.stem], run_section(path, running.url))


@pytest.mark.parametrize("path", SECTIONS, ids=lambda path: path.stem)
def test_a_section_has_at_most_25_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 25
