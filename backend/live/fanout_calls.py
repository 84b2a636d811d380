"""The same places for all processes, by Redis.

Each place is held under a name of its own until it is given back, or for ``LEASE_S`` where its process died. Without
Redis each process counts alone: then a key may have its places in every process, and nobody is refused for our trouble.
"""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.exceptions import RedisError

from backend.live.calls import Calls
from backend.live.fanout import client, prefix

log = logging.getLogger("codriver.live")

PATIENCE_S = 0.25
LEASE_S = 30
ALONE_S = 3.0  # without asking, after Redis did not answer
MOST_OWED = 10_000

_TROUBLE = (RedisError, OSError, TimeoutError)
_ENTER = f"""
local now = tonumber(redis.call('TIME')[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[1], now + {LEASE_S}, ARGV[2])
redis.call('EXPIRE', KEYS[1], {LEASE_S})
return 1
"""


class SharedCalls(Calls):
    """Counts the requests of every process that has the same Redis."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._redis = client(url, PATIENCE_S)
        self._prefix = f"{prefix(self._redis)}:calls:"
        self._alone_until = 0.0
        self._troubled = False  # and it was said
        self._owed: dict[tuple[str, str], None] = {}  # places that could not be given back
        self._giving: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def place(self, key: str, limit: int) -> AsyncIterator[bool]:
        async with super().place(key, limit) as free:
            if not free or not limit:
                yield free
                return
            name = secrets.token_hex(8)
            if not await self._enter(key, limit, name):
                yield False
                return
            try:
                yield True
            finally:
                await asyncio.shield(self._leave(key, name))

    async def close(self) -> None:
        if self._giving is not None:
            self._giving.cancel()
        with contextlib.suppress(*_TROUBLE):
            await self._redis.aclose()

    async def _enter(self, key: str, limit: int, name: str) -> bool:
        if time.monotonic() < self._alone_until:
            return True
        try:
            free = bool(await self._redis.eval(_ENTER, 1, self._prefix + key, limit, name))
        except _TROUBLE as error:
            self._trouble(error)
            self._owe(key, name)  # it may have been taken all the same
            return True
        except asyncio.CancelledError:
            self._owe(key, name)  # here too
            raise
        self._troubled = False
        return free

    async def _leave(self, key: str, name: str) -> None:
        if time.monotonic() < self._alone_until:
            self._owe(key, name)
            return
        try:
            await self._redis.zrem(self._prefix + key, name)
        except _TROUBLE as error:
            self._trouble(error)
            self._owe(key, name)

    def _owe(self, key: str, name: str) -> None:
        if len(self._owed) < MOST_OWED:  # the others end with their lease
            self._owed[key, name] = None
        if self._giving is None:
            self._giving = asyncio.get_running_loop().create_task(self._give_back())

    async def _give_back(self) -> None:
        try:
            while self._owed:
                await asyncio.sleep(max(0.1, self._alone_until - time.monotonic()))
                owed = list(self._owed)
                try:
                    async with self._redis.pipeline(transaction=False) as pipeline:
                        for key, name in owed:
                            pipeline.zrem(self._prefix + key, name)
                        await pipeline.execute()
                except _TROUBLE as error:
                    self._trouble(error)
                else:
                    for each in owed:
                        self._owed.pop(each, None)
        finally:
            self._giving = None

    def _trouble(self, error: BaseException) -> None:
        if not self._troubled:
            self._troubled = True
            log.warning("requests of a key are counted by each process alone (%s)", type(error).__name__)
        self._alone_until = time.monotonic() + ALONE_S
