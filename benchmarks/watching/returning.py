"""A process full of watchers that come back whenever they are cut off, at once or when the server asked them to.

Takes its orders from the standard input: first what to do, as JSON, then `begin` and `end`, which waits until all have
a snapshot and tells when each had it (Unix seconds), how many tries were in vain and why, and how many had a hint.
"""

import asyncio
import json
import re
import sys
import time
from collections import Counter
from typing import Any

import uvloop

from benchmarks.watching.sockets import Client, many_files, open_one

HINT = re.compile(rb'"retryInMs":(\d+)')
AGAIN_S = 0.2


class Crowd:
    def __init__(self, port: int, key: str, count: int, wish: dict[str, object]) -> None:
        self._port, self._key = port, key
        self._wish = json.dumps({"type": "subscribe", "id": "a", **wish}).encode()
        self.missing = count
        self.all_here = asyncio.Event()
        self.forget()
        self._tasks = [asyncio.ensure_future(self._stay()) for _ in range(count)]

    def forget(self) -> None:
        self.here_at: list[float] = []
        self.in_vain: Counter[str] = Counter()
        self.hinted = 0

    async def _stay(self) -> None:
        while True:
            told, hint_s = asyncio.Event(), 0.0

            def heard(client: Client, peek: bytes, size: int, told: asyncio.Event = told) -> None:
                nonlocal hint_s
                if peek.startswith(b'{"type":"snapshot"'):
                    told.set()
                elif found := HINT.search(peek):
                    hint_s = int(found[1]) / 1000

            try:
                client = await open_one(self._port, lambda: Client("/live", self._key, heard), 60)
                client.say(self._wish)
                here = asyncio.ensure_future(told.wait())
                ends: set[asyncio.Future[Any]] = {client.closed, here}
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                here.cancel()
            except (OSError, TimeoutError) as error:
                self.in_vain[type(error).__name__] += 1
                await asyncio.sleep(AGAIN_S)
                continue
            if told.is_set():
                self.here_at.append(time.time())
                self.missing -= 1
                if not self.missing:
                    self.all_here.set()
                await client.closed
                self.missing += 1
                self.all_here.clear()
            else:
                self.in_vain[f"closed with {client.code}"] += 1
            self.hinted += hint_s > 0
            await asyncio.sleep(hint_s)


async def main() -> None:
    many_files()
    loop = asyncio.get_running_loop()
    crowd = Crowd(**json.loads(sys.stdin.readline()))
    await crowd.all_here.wait()
    print(json.dumps({"joined": True}), flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        if line.strip() == "begin":
            crowd.forget()
        elif line.strip() == "end":
            await asyncio.wait_for(crowd.all_here.wait(), 120)
            print(json.dumps({"at": crowd.here_at, "inVain": crowd.in_vain, "hinted": crowd.hinted}), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
