"""What the programs about positions share: a data folder with drivers, servers as processes, and phones that send.

Phones are made for speed, not for realism: each request is bytes that were prepared, with a moment filled in. They send
either as fast as they are answered, which shows what a server can do at most, or at moments set beforehand, which shows
how long an answer takes: a request that had to wait because the one before it was slow has waited all the same.
"""

import argparse
import asyncio
import gc
import itertools
import math
import os
import re
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

from backend.domain.accounts import Account, Device, Office, Role, Settings
from backend.domain.drivers import Driver
from backend.service.identity import digest
from backend.store import fleet, people
from backend.store.database import Database

FIRST_S = 1_767_000_000
KEY = "tenant"
ACCEPTED = re.compile(rb'"accepted":(\d+)')
RETRY_AFTER = re.compile(rb"^HTTP/1.1 503 .*\r\nretry-after: (\d+)\r\n", re.DOTALL)
DIGITS = b"@@@@@@"  # of the timestamp's seconds, filled in for each request
TICK_S = 0.001  # how closely the moments set beforehand are kept
PATIENCE_S = 20.0


class Phone(asyncio.Protocol):
    """One connection. When an answer has come it sends again at once, or is free until it is told to; where it was
    refused it sends again when the answer tells it to, or is free."""

    def __init__(self, token: str, size: int, moments: "itertools.count[int]") -> None:
        fixes = ",".join(
            f'{{"timestamp":1767{DIGITS.decode()}.{number * 10 % 1000:03d},"latitude":{45.8 + number * 0.000123:.6f},'
            f'"longitude":{15.98 + number * 0.000231:.6f},"accuracy":{4 + number % 7}.5,"speed":{number % 20}.25,'
            f'"heading":{number * 3 + 1}.5}}'
            for number in range(size)
        )
        body = f'{{"positions":[{fixes}]}}'
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
        self.transport.write(self.request.replace(DIGITS, b"%06d" % next(self.moments)))

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
        (await loop.create_connection(lambda token=token: Phone(token, size, moments), "127.0.0.1", port))[1]
        for token in tokens
    ]


def prepare(folder: Path, drivers: int) -> list[str]:
    """A data folder with an account, whose key is ``KEY``, and as many drivers with phones; the phones' tokens."""
    database = Database.open(folder)
    account = Account("a" * 32, "Benchmark", Settings())
    conn = database.engine.writer
    now_ms = FIRST_S * 1000
    ids = [driver_id(number) for number in range(drivers)]
    tokens = tokens_of(drivers)
    with conn.begin():
        people.add_account(conn, account, now_ms)
        people.add_key(conn, Office("b" * 32, account, Role.TENANT), "Office", digest(KEY), now_ms)
        fleet.add_drivers(conn, account.id, [Driver(id, f"Driver {number}") for number, id in enumerate(ids)])
        for id, token in zip(ids, tokens, strict=True):
            device = Device(id, account, id)
            people.add_device(conn, device, digest(token), platform="", model="", app_version="", now_ms=now_ms)
    database.close()
    return tokens


def tokens_of(drivers: int) -> list[str]:
    return [f"token-of-phone-{number:06d}-which-is-as-long" for number in range(drivers)]


def driver_id(number: int) -> str:
    return f"{number:032x}"


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


class Served(NamedTuple):
    port: int
    pid: int


@contextmanager
def serving(folder: Path, **environment: str) -> Iterator[Served]:
    """Codriver on a data folder, killed at the end as by a power cut."""
    command = [sys.executable, "-m", "backend.cli", "serve", "--port", "0", "--data", str(folder)]
    with process(command, **environment) as served:
        yield served


@contextmanager
def process(command: list[str], **environment: str) -> Iterator[Served]:
    """A server that tells in its first line where it serves."""
    path = os.pathsep.join(filter(None, sys.path))
    started = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": path, **environment},
    )
    try:
        assert started.stdout is not None
        line = started.stdout.readline()
        if "serves on" not in line:
            raise SystemExit(f"the server did not start: {line}")
        yield Served(int(line.rsplit(":", 1)[1]), started.pid)
    finally:
        started.kill()
        started.wait()


def processor_s(pid: int) -> float:
    """What a process has used of the processor, in user and system mode. Linux; elsewhere 0."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
