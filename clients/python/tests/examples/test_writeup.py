from __future__ import annotations

import re
from collections.abc import Generator
from pathlib import Path

import pytest

from examples.model import server_with_model
from examples.sections import SECTIONS, run_section
from longshore.testing import Server
from web.browser import is_installed

LINES = {
    "section1_queue": "taken: Ann, Bob, Cleo; last result: posted to Cleo",
    "section2_pool": r"6 jobs of 0.5 s on 3 threads: 1\.\d s, 0.small.png to 5.small.png",
    "section3_prompts": r"one by one [5-7]\.\d s, batch [01]\.\d s, asyncio [01]\.\d s",
    "section4_semaphore": r"10 calls, at most 5 at once: 1\.\d s",
    "section5_page": r"after \d\.\d s the page says: .{20,}; both tasks showed progress and ended",
    "section6_parallel": r"threads: \[0, 1, 4, 9, 16, 25, 36, 49\] in [01]\.\d s; processes: 2, .*",
    "section7_threaded": r"alive at first: True; tea is ready, toast is ready after [01]\.\d s",
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
