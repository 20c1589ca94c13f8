"""The free places of a pool, which several calls for leases share."""

import asyncio

from longshore.worker.leases.poller import Room


async def test_a_call_that_asks_again_at_once_does_not_overtake_one_that_waits() -> None:
    room = Room(1)
    taken: list[str] = []

    async def take(name: str) -> None:
        for _ in range(3):
            places = await room.take()
            taken.append(name)
            await asyncio.sleep(0)
            room.give(places)

    await asyncio.gather(take("a"), take("b"))
    assert taken == ["a", "b", "a", "b", "a", "b"]


async def test_places_of_a_call_that_was_cancelled_as_it_got_them_go_to_the_next_one() -> None:
    room = Room(2)
    assert await room.take() == 2
    first, second = (asyncio.ensure_future(room.take()) for _ in range(2))
    await asyncio.sleep(0)
    room.give(2)
    first.cancel()
    assert await second == 2
    assert room.take_now() == 0
