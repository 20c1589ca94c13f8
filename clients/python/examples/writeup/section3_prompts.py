"""Ten prompts: one after the other, as a batch, and with asyncio."""

import asyncio
from time import perf_counter as now

from longshore import Longshore

ls = Longshore(queue="prompts")
CALLS = [ls.chat.s(f"How many letters has the number {n}?", model="mock") for n in range(10)]


async def gathered() -> list[str]:
    jobs = [await ls.asubmit(call) for call in CALLS]
    return [answer.text for answer in await asyncio.gather(*jobs)]


if __name__ == "__main__":
    begin = now()
    answers = [ls.submit(call).result().text for call in CALLS]
    one_by_one = now()
    assert [answer.text for answer in ls.batch(CALLS).results()] == answers
    batch = now()
    assert asyncio.run(gathered()) == answers
    times = one_by_one - begin, batch - one_by_one, now() - batch
    print("one by one {:.1f} s, batch {:.1f} s, asyncio {:.1f} s".format(*times))
