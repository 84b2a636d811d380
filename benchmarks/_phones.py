"""Phones that send positions over HTTP, as many as a measurement wants.

They are made for speed, not for realism: each request is bytes that were prepared, with a moment filled in. They send
either as fast as they are answered, which shows what a server can do at most, or at moments set beforehand, which shows
how long an answer takes: a request that had to wait because the one before it was slow has waited all the same.
"""

import argparse
import asyncio
import gc
import itertools
import math
import re
import time
from collections import deque
from functools import partial
from typing import Any, NamedTuple, Self

from benchmarks._offering import DIGITS, template
from benchmarks._servers import FIRST_S

ACCEPTED = re.compile(rb'"accepted":(\d+)')
RETRY_AFTER = re.compile(rb"^HTTP/1.1 503 .*\r\nretry-after: (\d+)\r\n", re.DOTALL)
MOMENT = DIGITS.encode()  # of a timestamp, filled in for each request
TICK_S = 0.001  # how closely the moments set beforehand are kept
PATIENCE_S = 20.0


class Phone(asyncio.Protocol):
    """One connection. When an answer has come it sends again at once, or is free until it is told to; where it was
    refused it sends again when the answer tells it to, or is free."""

    def __init__(self, token: str, size: int, moments: "itertools.count[int]") -> None:
        body = template(size)
        head = f"POST /driver/v1/positions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.request = (head + body).encode()
        self.moments = moments
        self.accepted = 0
        self.refused = 0
        self.stopping = False
        self.answered: deque[Phone] | None = None
        self.due: list[float] = []
        self.took_s: list[float] = []
        self.stopped: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def send(self) -> None:
        self.transport.write(self.request.replace(MOMENT, b"%d" % (FIRST_S + next(self.moments))))

    def send_due(self, due: float, free: "deque[Phone]") -> None:
        """Send what was due at a moment of ``time.perf_counter``; when it is answered the phone is ``free`` again."""
        self.due.append(due)
        self.answered = free
        self.send()

    def data_received(self, data: bytes) -> None:
        if found := ACCEPTED.search(data):
            self.accepted += int(found[1])
            if self.answered is None:
                self.again()
            else:
                self.took_s.append(time.perf_counter() - self.due[-1])
                self.answered.append(self)
        elif found := RETRY_AFTER.search(data):
            self.refused += 1
            if self.answered is None:
                asyncio.get_running_loop().call_later(int(found[1]), self.again)
            else:
                self.answered.append(self)
        elif not data.startswith(b"HTTP/1.1 200"):  # of which the body is still to come
            raise SystemExit(f"neither stored nor refused: {data[:1000]!r}")

    def again(self) -> None:
        if self.stopping:
            self.stopped.set_result(None)
        else:
            self.send()


async def load(port: int, tokens: list[str], size: int, seconds: float, moments: "itertools.count[int]") -> int:
    """How many positions were acknowledged in so many seconds, when each phone sends again as it is answered. Says so
    where requests were refused."""
    phones = await _connect(port, tokens, size, moments)
    for phone in phones:
        phone.send()
    before = sum(phone.accepted for phone in phones)
    await asyncio.sleep(seconds)
    done = sum(phone.accepted for phone in phones) - before
    for phone in phones:
        phone.stopping = True
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(*(phone.stopped for phone in phones))
    for phone in phones:
        phone.transport.close()
    if refused := sum(phone.refused for phone in phones):
        print(f"{'':14} {refused} requests were refused, with Retry-After; {done // size:,} were stored")
    return done


class Arrivals(NamedTuple):
    """In seconds, in order: from when each request that was stored was due to its answer, and from when each was due to
    when the load's own process came round to it."""

    took_s: list[float]
    late_s: list[float]
    accepted: int
    refused: int


async def arrive(
    port: int, tokens: list[str], size: int, rate: float, seconds: float, moments: "itertools.count[int]"
) -> Arrivals:
    """``rate`` requests a second, evenly, whether or not those before were answered; each waits for a free phone."""
    phones = await _connect(port, tokens, size, moments)
    free, waiting, late_s = deque(phones), deque[float](), list[float]()
    gc.disable()
    began = time.perf_counter() + 0.05
    due = (began + number / rate for number in range(int(rate * seconds)))
    upcoming = next(due, None)
    deadline = began + seconds + PATIENCE_S
    while upcoming is not None or waiting or len(free) < len(phones):
        now = time.perf_counter()
        while upcoming is not None and upcoming <= now:
            late_s.append(now - upcoming)
            waiting.append(upcoming)
            upcoming = next(due, None)
        while waiting and free:
            free.popleft().send_due(waiting.popleft(), free)
        if now > deadline:
            raise SystemExit(f"{len(waiting)} requests were not answered within {PATIENCE_S} s")
        await asyncio.sleep(TICK_S)
    for phone in phones:
        phone.transport.close()
    gc.enable()
    took_s = sorted(each for phone in phones for each in phone.took_s)
    accepted, refused = sum(phone.accepted for phone in phones), sum(phone.refused for phone in phones)
    return Arrivals(took_s, sorted(late_s), accepted, refused)


def percentile(ordered: list[float], share: float) -> float:
    """The least value that ``share`` of all do not exceed; they come in order."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


async def _connect(port: int, tokens: list[str], size: int, moments: "itertools.count[int]") -> list[Phone]:
    loop = asyncio.get_running_loop()
    gc.collect()
    return [
        (await loop.create_connection(partial(Phone, token, size, moments), "127.0.0.1", port))[1] for token in tokens
    ]


class Options(NamedTuple):
    """Of a measurement of servers in turn."""

    seconds: float
    rounds: int
    connections: int
    sizes: list[int]

    @classmethod
    def of(cls, asked: argparse.Namespace) -> Self:
        return cls(asked.seconds, asked.rounds, asked.connections, [int(size) for size in asked.sizes.split(",")])


def parser(about: str | None) -> argparse.ArgumentParser:
    """Reads ``Options``; whoever needs others adds them."""
    made = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    made.add_argument("--rounds", type=int, default=3, help="measurements of each server and size, in turn")
    made.add_argument("--connections", type=int, default=128, help="phones that send")
    made.add_argument("--sizes", default="100,10,1", help="positions in a batch")
    return made
