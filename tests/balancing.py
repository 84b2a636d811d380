"""One address before several servers, as a balancer of the network's fourth layer has it: each connection goes to the
next server that takes it."""

import asyncio
import contextlib
import threading
from collections.abc import Sequence

from tests.serving import Server

PATIENCE_S = 60.0  # for a server that is only just started again


class Balancer:
    """Give it the servers before or after they were started; ``begin`` and ``close`` it from any thread."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self._servers = servers
        self._next = 0
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="balancer", daemon=True)
        self.port = 0

    def begin(self) -> None:
        self._thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(60)

    def close(self) -> None:
        async def end() -> None:
            self._listener.close()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()

    async def _listen(self) -> int:
        self._listener = await asyncio.start_server(self._came, "127.0.0.1", 0)
        return int(self._listener.sockets[0].getsockname()[1])

    async def _came(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            behind = await self._reach()
            if behind is not None:
                await asyncio.gather(_pass(reader, behind[1]), _pass(behind[0], writer))
                behind[1].close()
        writer.close()

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for _ in self._servers:
                    self._next = (self._next + 1) % len(self._servers)
                    with contextlib.suppress(OSError):
                        return await asyncio.open_connection("127.0.0.1", self._servers[self._next].port)
                await asyncio.sleep(0.05)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:  # cut off at one side is cut off at the other
        writer.transport.abort()
