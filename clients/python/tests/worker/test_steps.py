"""Coroutines that stop before a step which their lease does not allow."""

import asyncio
import gc

import pytest

from longshore.worker.pools.steps import Steps


async def test_a_coroutine_is_cancelled_before_its_next_step_and_cleans_up() -> None:
    reasons: list[str] = []
    seen: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(0)
            seen.append("goes on")
            reasons.append("expired")
            await asyncio.sleep(0)
            seen.append("has an effect")
        finally:
            await asyncio.sleep(0)
            seen.append("cleans up")

    steps = Steps(work, lambda: reasons[-1] if reasons else None)
    with pytest.raises(asyncio.CancelledError):
        await steps
    assert seen == ["goes on", "cleans up"]
    assert steps.is_stopped


async def test_results_errors_and_cancellations_pass() -> None:
    async def fails() -> None:
        await asyncio.sleep(0)
        raise OSError("no")

    async def waits() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return "cancelled"
        return "done"

    assert await Steps(number, never) == 7
    with pytest.raises(OSError, match="no"):
        await Steps(fails, never)
    waiting = asyncio.create_task(Steps(waits, never).run())
    await asyncio.sleep(0)
    waiting.cancel()
    assert await waiting == "cancelled"


async def test_a_coroutine_that_never_starts_leaves_nothing_behind() -> None:
    attempt = asyncio.create_task(Steps(number, never).run())
    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt
    gc.collect()  # a coroutine that was never awaited would be a warning, and so an error


async def number() -> int:
    await asyncio.sleep(0)
    return 7


def never() -> None:
    """The reason to stop: none."""
