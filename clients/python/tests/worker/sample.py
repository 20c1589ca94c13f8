"""The application that worker programs run in tests. Effects are lines of the file in EFFECTS."""

import asyncio
import os
import signal
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from longshore import Longshore, Stopped, current

ls = Longshore()


def effect(text: str) -> None:
    """Add a line in one write, so that lines of several processes stay whole."""
    with Path(os.environ["EFFECTS"]).open("ab", buffering=0) as file:
        file.write(f"{text}\n".encode())


@ls.task
def add(a: int, b: int) -> int:
    print("adding", a, b)
    return a + b


@ls.task(retries=20, backoff=0.05)
def count(n: int) -> int:
    time.sleep(0.02)
    effect(f"count {n}")
    return n


@ls.task(retries=20, backoff=0.05)
async def acount(n: int) -> int:
    await asyncio.sleep(0.02)
    effect(f"acount {n}")
    return n


@ls.task(process=True, retries=20, backoff=0.05)
def pcount(n: int) -> int:
    time.sleep(0.02)
    effect(f"pcount {n}")
    return n


@ls.task(retries=3, backoff=0.05)
def steps(n: int, pause: float) -> str:
    """Report progress in short steps, and say what happened."""
    context = current()
    effect(f"steps begin {context.attempt}")
    try:
        for step in range(n):
            context.progress(100 * step / n, f"step {step}")
            time.sleep(pause)
    except Stopped:
        effect("steps stopped")
        raise
    effect("steps end")
    return f"attempt {context.attempt}"


@ls.task(retries=3, backoff=0.05)
def stubborn(seconds: float) -> str:
    """Do not look at whether the job is to stop."""
    effect(f"stubborn begin {current().attempt}")
    time.sleep(seconds)
    effect("stubborn end")
    return f"attempt {current().attempt}"


@ls.task(retries=3, backoff=0.05)
async def asleep(seconds: float) -> str:
    effect("asleep begin")
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        effect("asleep stopped")
        raise
    return "done"


@ls.task(retries=3, backoff=0.05)
async def aeffect(gate: str) -> int:
    """Have an effect once a file exists, without a look at whether the job is to stop."""
    effect("aeffect begin")
    while not Path(gate).exists():  # noqa: ASYNC110, ASYNC240
        await asyncio.sleep(0.01)
    effect(f"aeffect end {current().attempt}")
    return current().attempt


@ls.task(process=True)
def pdouble(n: int) -> int:
    return 2 * n


@ls.task(process=True, retries=3, backoff=0.05)
def psleep(seconds: float) -> str:
    effect(f"psleep begin {os.getpid()}")
    try:
        time.sleep(seconds)
    except Stopped:
        effect("psleep stopped")
        raise
    return "done"


@ls.task(process=True, retries=3, backoff=0.05)
def pdeaf(seconds: float) -> str:
    """Ignore SIGTERM, as some libraries do."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    effect(f"pdeaf begin {os.getpid()}")
    time.sleep(seconds)
    return "done"


@ls.task(process=True)
def pdie(number: int) -> None:
    os.kill(os.getpid(), number)
    time.sleep(10)


@ls.task(process=True)
def pcontext(text: str) -> dict[str, Any]:
    context = current()
    context.progress(50, text)
    context.log("a line of the context")
    print("printed in", current().kind)
    return {"job": context.job_id, "key": context.idempotency_key, "pid": os.getpid()}


@ls.task(process=True)
def ppool(n: int) -> list[int]:
    with ProcessPoolExecutor(2) as pool:
        return list(pool.map(abs, range(-n, 0)))


@ls.task(process=True)
def pfail() -> None:
    raise KeyError("missing")
