"""How much of a plain decode's speed is left when positions are checked, stored and on the disk before the answer?

Two servers, both real processes on the same server code: Codriver, and a Litestar handler that only decodes the same
body into the same types. The same requests go to one and the other in turn, and the ratio is of what was done in the
same run, so that the machine's speed and its other work cancel out. At the end Codriver is killed like by a power cut,
and what it had acknowledged is counted in its database.

    python benchmarks/ingest.py [--seconds 2] [--rounds 3] [--connections 128] [--sizes 100,10,1]
"""

import argparse
import asyncio
import gc
import itertools
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import uvloop
from litestar import Litestar, Request, Response, post
from sqlalchemy import func, select

from backend import server
from backend.api.intake import PositionBatch
from backend.domain.accounts import Account, Device, Settings
from backend.domain.drivers import Driver
from backend.service.identity import digest
from backend.store import fleet, people
from backend.store.database import Database
from backend.store.tables import chunks

AIM = 0.6
FIRST_S = 1_767_000_000
ACCEPTED = re.compile(rb'"accepted":(\d+)')
DIGITS = b"@@@@@@"  # of the timestamp's seconds, filled in for each request


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    options.add_argument("--rounds", type=int, default=3, help="measurements of each server and size, in turn")
    options.add_argument(
        "--connections", type=int, default=128, help="phones that send, each its next batch when answered"
    )
    options.add_argument("--sizes", default="100,10,1", help="positions in a batch")
    options.add_argument("--decode-only", action="store_true", help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.decode_only:
        serve_decoding()
        return
    uvloop.run(measure(asked.seconds, asked.rounds, asked.connections, [int(size) for size in asked.sizes.split(",")]))


def serve_decoding() -> None:
    """What the speed is compared with: the framework, and one decode of the body."""
    decoder = msgspec.json.Decoder(PositionBatch)

    @post("/driver/v1/positions", status_code=200)
    async def decode(request: Request[Any, Any, Any]) -> Response[bytes]:
        count = len(decoder.decode(await request.body()).positions)
        return Response(b'{"accepted":%d,"duplicates":0,"rejected":[]}' % count, media_type="application/json")

    server.run(Litestar([decode], openapi_config=None, logging_config=None), server.bind("127.0.0.1", 0))


async def measure(seconds: float, rounds: int, connections: int, sizes: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tokens = prepare(Path(folder), connections)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        ours = start([sys.executable, "-m", "backend.cli", "serve", "--port", "0", "--data", folder], environment)
        plain = start([sys.executable, __file__, "--decode-only"], environment)
        try:
            servers = {port_of(ours): ours.pid, port_of(plain): plain.pid}
            acknowledged = await compare(servers, tokens, seconds, rounds, sizes)
        finally:
            plain.kill()
            ours.kill()
            plain.wait()
            ours.wait()
        database = Database.open(Path(folder))
        stored = database.read_now(lambda conn: conn.scalar(select(func.sum(chunks.c.count))))
        database.close()
    print(f"\nacknowledged {acknowledged:,} positions; after a kill the database holds {stored:,}")
    if stored < acknowledged:
        raise SystemExit("positions were lost")


async def compare(servers: dict[int, int], tokens: list[str], seconds: float, rounds: int, sizes: list[int]) -> int:
    """Print two lines for each size; tells how many positions Codriver, the first of the servers, acknowledged."""
    acknowledged = 0
    moments = itertools.count()
    ours, plain = servers
    print(f"positions a second, median of {rounds} x {seconds} s in turn; {len(tokens)} connections")
    for size in sizes:
        rates: dict[int, list[float]] = {ours: [], plain: []}
        costs: dict[int, list[float]] = {ours: [], plain: []}
        for port in [ours, plain] * (rounds + 1):
            used_s = processor_s(servers[port])
            done = await load(port, tokens, size, seconds, moments)
            rates[port].append(done / seconds)
            costs[port].append((processor_s(servers[port]) - used_s) / max(done / size, 1) * 1e6)
            acknowledged += done if port == ours else 0
        stored, decoded = (statistics.median(rates[port][1:]) for port in (ours, plain))  # the first warms up
        ratio = stored / decoded
        verdict = "" if size != 100 else f"  (aim {AIM}: {'reached' if ratio >= AIM else 'missed'})"
        print(
            f"batches of {size:>3}: stored {stored:>9,.0f}   only decoded {decoded:>9,.0f}   ratio {ratio:.2f}{verdict}"
        )
        stored_us, decoded_us = (statistics.median(costs[port][1:]) for port in (ours, plain))
        print(f"{'':14} processor time a batch, all threads: {stored_us:.0f} µs, only decoded {decoded_us:.0f} µs")
    return acknowledged


def processor_s(pid: int) -> float:
    """What a process has used of the processor, in user and system mode. Linux; elsewhere 0."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Phone(asyncio.Protocol):
    """One connection that sends its next batch when the last is answered."""

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
        self.stopping = False
        self.stopped: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.send()

    def send(self) -> None:
        self.transport.write(self.request.replace(DIGITS, b"%06d" % next(self.moments)))

    def data_received(self, data: bytes) -> None:
        found = ACCEPTED.search(data)
        if found is None:
            if data.startswith(b"HTTP/1.1 200"):
                return  # the answer's body is still to come
            raise SystemExit(f"refused: {data[:1000]!r}")
        self.accepted += int(found[1])
        if self.stopping:
            self.stopped.set_result(None)
        else:
            self.send()


async def load(port: int, tokens: list[str], size: int, seconds: float, moments: "itertools.count[int]") -> int:
    """How many positions were acknowledged in so many seconds."""
    loop = asyncio.get_running_loop()
    gc.collect()
    phones = [
        (await loop.create_connection(lambda token=token: Phone(token, size, moments), "127.0.0.1", port))[1]
        for token in tokens
    ]
    before = sum(phone.accepted for phone in phones)
    await asyncio.sleep(seconds)
    done = sum(phone.accepted for phone in phones) - before
    for phone in phones:
        phone.stopping = True
    async with asyncio.timeout(20):
        await asyncio.gather(*(phone.stopped for phone in phones))
    for phone in phones:
        phone.transport.close()
    return done


def prepare(folder: Path, connections: int) -> list[str]:
    """A data folder with an account and as many drivers with phones; the phones' tokens."""
    database = Database.open(folder)
    account = Account("a" * 32, "Benchmark", Settings())
    tokens = [f"token-of-phone-{number:06d}-which-is-as-long" for number in range(connections)]
    conn = database.engine.writer
    with conn.begin():
        people.add_account(conn, account, FIRST_S * 1000)
        fleet.add_drivers(
            conn, account.id, [Driver(f"{number:032x}", f"Driver {number}") for number in range(connections)]
        )
        for number, token in enumerate(tokens):
            device = Device(f"{number:032x}", account, f"{number:032x}")
            people.add_device(conn, device, digest(token), platform="", model="", app_version="", now_ms=FIRST_S * 1000)
    database.close()
    return tokens


def start(command: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, env=environment)


def port_of(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    line = process.stdout.readline()
    if "serves on" not in line:
        raise SystemExit(f"the server did not start: {line}")
    return int(line.rsplit(":", 1)[1])


if __name__ == "__main__":
    main()
