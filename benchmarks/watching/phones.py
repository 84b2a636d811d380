"""A process full of phones, each of which sends where it is at a steady pace, stamped with the moment of sending.

Takes its orders from the standard input: first what to do, as JSON, then `begin`, `end` and at last nothing.
"""

import asyncio
import json
import math
import random
import sys
import time
from collections import deque
from typing import Any

import msgspec
import uvloop

from benchmarks.watching.sockets import Client, connect, many_files, masked

TURN_S = 0.01
WEST, SOUTH, EAST, NORTH = 15.8, 45.7, 16.2, 45.9  # the town


class Phone:
    """One driver's. ``number`` of ``count`` says where it drives."""

    def __init__(self, number: int, count: int, client: Client) -> None:
        columns = math.ceil(math.sqrt(count))
        self.client = client
        self.latitude = SOUTH + (NORTH - SOUTH) * (number // columns + 0.5) / columns
        self.longitude = WEST + (EAST - WEST) * (number % columns + 0.5) / columns
        self.steps = 0
        self.sent: deque[float] = deque()

    def send(self) -> None:
        """A fix about 7 m from the last, there and back again."""
        self.steps += 1
        step = abs(self.steps % 40 - 20) * 0.00006
        now = time.time()
        self.sent.append(now)
        self.client.transport.write(
            masked(
                b'{"type":"positions","positions":[{"timestamp":%.3f,"latitude":%.6f,"longitude":%.6f,'
                b'"accuracy":5.5,"speed":13.25,"heading":90.5}]}' % (now, self.latitude + step, self.longitude + step)
            )
        )


class Fleet:
    def __init__(self) -> None:
        self.phones: dict[Client, Phone] = {}
        self.sent = self.refused = 0
        self.late_s = 0.0  # behind the pace, at the worst
        self.acks_ms: list[float] = []

    def heard(self, client: Client, peek: bytes, size: int) -> None:
        sent_at = self.phones[client].sent.popleft()
        if peek.startswith(b'{"type":"ack","accepted":1'):
            self.acks_ms.append(round((time.time() - sent_at) * 1000, 2))
        else:
            self.refused += 1

    async def drive(self, period_s: float) -> None:
        """Each phone sends once a period, in another order each time: frames come at the same pace, and one who always
        sent just before the frame would look quick."""
        phones, chance = list(self.phones.values()), random.Random(1)
        began, done = time.monotonic(), 0
        while True:
            due = int((time.monotonic() - began) / period_s * len(phones))
            self.late_s = max(self.late_s, (due - done) * period_s / len(phones))
            while done < due:
                if done % len(phones) == 0:
                    chance.shuffle(phones)
                phones[done % len(phones)].send()
                done += 1
                self.sent += 1
            await asyncio.sleep(TURN_S)

    def report(self) -> dict[str, Any]:
        waiting = sum(len(phone.sent) for phone in self.phones.values())
        gone = sum(client.code is not None for client in self.phones)
        return {
            "sent": self.sent,
            "refused": self.refused,
            "waiting": waiting,
            "gone": gone,
            "lateMs": self.late_s * 1000,
            "acksMs": self.acks_ms,
        }

    def forget(self) -> None:
        self.sent = self.refused = 0
        self.late_s = 0.0
        self.acks_ms = []


async def main() -> None:
    many_files()
    loop = asyncio.get_running_loop()
    asked = json.loads(sys.stdin.readline())
    fleet, tokens = Fleet(), iter(asked["tokens"])
    clients = await connect(
        asked["port"],
        lambda: Client("/driver/v1/ws", next(tokens), fleet.heard),
        50,
        len(asked["tokens"]),
        60,
    )
    fleet.phones = {client: Phone(number, len(clients), client) for number, client in enumerate(clients)}
    print(json.dumps({"joined": len(clients)}), flush=True)
    driving = loop.create_task(fleet.drive(asked["periodS"])) if asked["periodS"] else None
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        if line.strip() == "begin":
            fleet.forget()
        elif line.strip() == "end":
            print(msgspec.json.encode(fleet.report()).decode(), flush=True)
    if driving:
        driving.cancel()


if __name__ == "__main__":
    uvloop.run(main())
