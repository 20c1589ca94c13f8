"""Tests of the wheel that is installed in this environment. TESTED_WHEEL is its path."""

import os
from pathlib import Path
from zipfile import ZipFile

import pytest


@pytest.fixture
def wheel() -> Path:
    path = os.environ.get("TESTED_WHEEL")
    if not path:
        pytest.skip("TESTED_WHEEL names no wheel; clients/python/tools/check --wheel builds one")
    return Path(path)


@pytest.fixture
def names(wheel: Path) -> list[str]:
    """The names of the files in the wheel."""
    with ZipFile(wheel) as archive:
        return archive.namelist()
