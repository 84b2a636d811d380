"""A process full of watchers. Takes its orders from the standard input, a line each, and answers with lines of JSON.

`begin` forgets what was heard, `end` tells it. Of each frame of positions is noted when all of it was here, and how
long before that the phones had sent the fixes in it: some watchers read it to the end, and stand for the others who got
the same frame, of which these look at the first driver alone.
"""

import asyncio
import json
import random
import re
import sys
import time
from typing import Any

import msgspec
import uvloop

from benchmarks.watching.sockets import Client, connect, many_files

SENT = re.compile(rb'"timestamp":([0-9.]+)')
THOROUGH = 20  # of a group
FIXES = 10  # of a frame that are taken for the delays of each who got it


class Group:
    """Watchers with the same wish."""

    def __init__(
        self, name: str, count: int, wish: dict[str, Any], stuck: bool = False, bytes_a_second: int = 0
    ) -> None:
        self.name = name
        self.count = count
        self.wish = wish
        self.stuck = stuck
        self.bytes_a_second = bytes_a_second
        self.clients: list[Client] = []
        self._told = 0
        self._all_told = asyncio.Event()
        self.forget()

    def forget(self) -> None:
        self.frames = self.bytes = 0
        self._here: list[tuple[str, int, float]] = []  # its first fix and size, and when
        self._fixes: dict[tuple[str, int], list[float]] = {}  # of frames that were read to their end

    def heard(self, client: Client, seen: bytes, size: int) -> None:
        if client.frames == 1:
            self._told += 1
            if self._told == self.count:
                self._all_told.set()
        if seen.startswith(b'{"type":"positions"'):
            now = time.time()
            self.frames += 1
            self.bytes += size
            sent = [float(each) for each in SENT.findall(seen)]
            self._here.append((str(sent[0]), size, now))
            if client.thorough:
                self._fixes[str(sent[0]), size] = sent

    async def join(self, port: int, key: str) -> None:
        self.clients = await connect(
            port,
            lambda: Client("/live", key, self.heard, self.bytes_a_second),
            50,
            self.count,
            60,
            narrow=self.stuck or bool(self.bytes_a_second),
        )
        for number, client in enumerate(self.clients):
            client.thorough = number % max(1, self.count // THOROUGH) == 0
            client.say(json.dumps({"type": "subscribe", "id": "a", **self._wish(number)}).encode())
        if self.stuck:
            for client in self.clients:
                client.transport.pause_reading()
        elif not self.bytes_a_second:
            await asyncio.wait_for(self._all_told.wait(), 60)

    def _wish(self, number: int) -> dict[str, Any]:
        """A wish may hold lists of which each watcher has its own."""
        return {name: each[number] if name == "bbox" else each for name, each in self.wish.items()}

    def report(self) -> dict[str, Any]:
        codes = [client.code for client in self.clients if client.code]
        return {"frames": self.frames, "bytes": self.bytes, "delaysMs": self._delays_ms(), "codes": codes}

    def _delays_ms(self) -> list[float]:
        chance, found = random.Random(1), []
        for first, size, here_at in self._here:
            sent = self._fixes.get((first, size), [float(first)])
            found += [round((here_at - at) * 1000, 1) for at in chance.sample(sent, min(FIXES, len(sent)))]
        return found


async def main() -> None:
    many_files()
    loop = asyncio.get_running_loop()
    asked = json.loads(sys.stdin.readline())
    groups = [Group(**each) for each in asked["groups"]]
    for group in groups:
        await group.join(asked["port"], asked["key"])
    print(json.dumps({"joined": sum(len(group.clients) for group in groups)}), flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        if line.strip() == "begin":
            for group in groups:
                group.forget()
        elif line.strip() == "end":
            print(msgspec.json.encode({group.name: group.report() for group in groups}).decode(), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
