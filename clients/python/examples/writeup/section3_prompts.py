"""Ten prompts: one after the other, as a batch, and with asyncio."""

import asyncio
import time

from longshore import Longshore

ls = Longshore(queue="prompts")
PROMPTS = [f"How many letters has the number {n}?" for n in range(10)]


async def gathered() -> int:
    jobs = [await ls.chat.asubmit(prompt, model="mock") for prompt in PROMPTS]
    return len(await asyncio.gather(*jobs))


if __name__ == "__main__":
    times = [time.perf_counter()]
    answers = [ls.chat.submit(prompt, model="mock").result().text for prompt in PROMPTS]
    times.append(time.perf_counter())
    assert answers == [a.text for a in ls.batch(ls.chat.s(p, model="mock") for p in PROMPTS).results()]
    times.append(time.perf_counter())
    asyncio.run(gathered())
    times.append(time.perf_counter())
    print("one by one {:.1f} s, batch {:.1f} s, asyncio {:.1f} s".format(*(b - a for a, b in zip(times, times[1:]))))
