"""Functions that processes find by their names."""

from __future__ import annotations

import os
import time
from datetime import date
from pathlib import Path
from typing import Any

from longshore.fast import threaded


def square(n: int) -> int:
    return n * n


def pid_of(n: int) -> int:
    time.sleep(0.2)
    return os.getpid()


def times(factor: int, n: int, plus: int = 0) -> int:
    return factor * n + plus


def fail_at_three(n: int) -> int:
    if n == 3:
        raise KeyError("three")
    return n


def next_day(day: date) -> date:
    return date(day.year, day.month, day.day + 1)


def anything(value: Any) -> str:
    return str(value)


def pair_of(n: int):  # type: ignore[no-untyped-def]
    return n, n


def path_name(path: Path) -> str:
    return path.name


@threaded(process=True)
def in_process(n: int) -> tuple[int, int]:
    return n + 1, os.getpid()
