"""Tests of the wheel that is installed in this environment. LONGSHORE_WHEEL is its path."""

import os
from pathlib import Path
from zipfile import ZipFile

import pytest


@pytest.fixture
def wheel() -> Path:
    path = os.environ.get("LONGSHORE_WHEEL")
    if not path:
        pytest.skip("LONGSHORE_WHEEL names no wheel; clients/python/tools/check --wheel builds one")
    return Path(path)


@pytest.fixture
def names(wheel: Path) -> list[str]:
    """The names of the files in the wheel."""
    with ZipFile(wheel) as archive:
        return archive.namelist()
