"""Tasks of the Python client for the tests of its worker. They record starts and effects in the history."""
import asyncio
import json
import os
import time

from longshore import Context, Longshore

ls = Longshore()


def record(event: str, context: Context, **fields: object) -> None:
    line = {"event": event, "job": context.job_id, "token": context.lease_token, **fields}
    # A single write, so that lines of several processes do not mix.
    file = os.open(os.environ["HISTORY"], os.O_WRONLY | os.O_APPEND)
    os.write(file, (json.dumps(line) + "\n").encode())
    os.close(file)


def start(context: Context) -> None:
    record("start", context, worker=str(os.getpid()))


def effect(context: Context) -> None:
    context.check()  # a worker that was paused past the lease must not have the effect any more
    record("effect", context, attempt=None)


@ls.task
def square(number: int, seconds: float, context: Context) -> int:
    start(context)
    time.sleep(seconds)
    effect(context)
    return number**2


@ls.task(name="square-in-coroutine")
async def square_in_coroutine(number: int, seconds: float, context: Context) -> int:
    start(context)
    await asyncio.sleep(seconds)
    effect(context)
    return number**2


@ls.task(name="square-in-process", process=True)
def square_in_process(number: int, seconds: float, context: Context) -> int:
    start(context)
    time.sleep(seconds)
    effect(context)
    return number**2
