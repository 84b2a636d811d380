"""Places for requests of one key, in one process and in several."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest

from backend.live import fanout_calls
from backend.live.calls import Calls
from backend.live.fanout import client
from backend.live.fanout_calls import SharedCalls
from tests import redis_server
from tests.live.builders import until
from tests.redis_server import RedisServer


@pytest.fixture
async def processes(redis_url: str | None) -> AsyncIterator[list[Calls]]:
    """What two processes count, or one that stands for both."""
    counts = [SharedCalls(redis_url), SharedCalls(redis_url)] if redis_url else [Calls()] * 2
    yield counts
    for each in counts:
        await each.close()


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    with redis_server.running() as server:
        yield server


async def taken(held: AsyncExitStack, calls: Calls, key: str, limit: int = 5) -> bool:
    return await held.enter_async_context(calls.place(key, limit))


async def test_the_sixth_request_is_refused_wherever_it_comes_until_one_is_over(processes: list[Calls]) -> None:
    here, there = processes
    async with AsyncExitStack() as held:
        results = await asyncio.gather(*(taken(held, (here, there)[turn % 2], "k1") for turn in range(8)))
        assert sorted(results) == [False] * 3 + [True] * 5
        assert await taken(held, there, "k2")
        assert all([await taken(held, here, "k3", limit=0) for _ in range(20)])
    async with here.place("k1", 5) as free:
        assert free


async def test_no_place_is_lost_over_many_requests(processes: list[Calls]) -> None:
    async def client_(calls: Calls) -> int:
        refused = 0
        for _ in range(20):
            async with calls.place("busy", 5) as free:
                refused += not free
                await asyncio.sleep(0)
        return refused

    here, there = processes
    assert await asyncio.gather(*(client_((here, there)[turn % 2]) for turn in range(5))) == [0] * 5


async def test_while_redis_is_frozen_each_counts_alone_and_nothing_is_refused_afterwards(
    own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fanout_calls, "PATIENCE_S", 0.25)
    here, there = SharedCalls(own_redis.url), SharedCalls(own_redis.url)
    try:
        async with AsyncExitStack() as held:
            assert all([await taken(held, here, "k") for _ in range(5)])
            own_redis.freeze()
            async with asyncio.timeout(60):
                assert all([await taken(held, there, "k") for _ in range(5)])
                assert not await taken(held, there, "k")
        own_redis.thaw()
        await until(lambda: not here._owed and not there._owed, deadline_s=60)
        async with client(own_redis.url, 100.0) as redis:
            assert await redis.zcard(f"{here._prefix}k") == 0
        await until(lambda: not there._giving)
        await until(lambda: time.monotonic() > max(here._alone_until, there._alone_until))
        for each in (here, there):  # from now on a Redis that takes long to answer is no trouble
            await each._redis.aclose()
            each._redis = client(own_redis.url, 100.0)
        async with AsyncExitStack() as held:
            assert all([await taken(held, there, "k") for _ in range(5)])
            assert not await taken(held, here, "k")
    finally:
        own_redis.thaw()
        await here.close()
        await there.close()


async def test_a_request_that_breaks_off_as_it_asks_for_its_place_keeps_none(own_redis: RedisServer) -> None:
    calls = SharedCalls(own_redis.url)
    async with calls.place("k", 5):
        pass  # there is a connection, over which the next one is asked for
    own_redis.freeze()
    try:
        async with AsyncExitStack() as held:
            asking = asyncio.create_task(taken(held, calls, "k"))
            await until(lambda: calls._redis.connection_pool._in_use_connections != set(), deadline_s=60)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
    finally:
        own_redis.thaw()
    await until(lambda: not calls._owed, deadline_s=60)
    async with client(own_redis.url, 100.0) as redis:
        assert await redis.zcard(f"{calls._prefix}k") == 0
    await calls.close()


async def test_a_process_that_died_gives_its_places_back_after_a_while(own_redis: RedisServer) -> None:
    died, other = SharedCalls(own_redis.url), SharedCalls(own_redis.url)
    async with client(own_redis.url, 100.0) as redis:
        for number in range(5):
            assert await died._enter("k", 5, str(number))
        assert not await other._enter("k", 5, "mine")
        now_s = (await redis.time())[0]
        await redis.zadd(f"{other._prefix}k", {str(number): now_s - 1 for number in range(5)}, xx=True)
        assert await other._enter("k", 5, "mine")
    await died.close()
    await other.close()


async def test_a_full_redis_refuses_nobody(own_redis: RedisServer) -> None:
    assert b"OK" in own_redis.command("CONFIG SET maxmemory 1")
    calls = SharedCalls(own_redis.url)
    async with AsyncExitStack() as held:
        assert all([await taken(held, calls, "k") for _ in range(5)])
        assert not await taken(held, calls, "k")
    await calls.close()
