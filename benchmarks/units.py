"""What one position, one socket and one commit cost of each resource: the inputs of docs/scale.md.

Codriver in one process, first on SQLite and then on PostgreSQL and Redis (fsync on, all on this machine), is sent as
much as it takes; what every process has used of the processor, written to its log and its tables, and sent to Redis is
divided by the positions that were acknowledged, or by the actions, each in a request of its own. A second process
beside the one on PostgreSQL has no client at all: what it uses is what hearing of others' positions costs. Idle sockets
are opened, and counted in memory. At last some drivers' hours, a position every five seconds, each stored by itself,
are merged and squeezed.

    python benchmarks/units.py [--seconds 4] [--connections 40] [--sizes 1,10,100] [--sockets 500] [--only sqlite]
"""

import argparse
import asyncio
import itertools
import json
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks._phones import (  # noqa: E402
    ACCEPTED,
    DIGITS,
    Phone,
    Served,
    prepare,
    process,
    processor_s,
    serving,
)
from benchmarks._squeezing import CHUNKS, pages, squeezing  # noqa: E402
from tests.postgresql import Cluster, children  # noqa: E402
from tests.redis_server import RedisServer  # noqa: E402

PATIENCE_S = 30.0
HANDSHAKE = (
    b"GET /driver/v1/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer %b\r\n\r\n"
)
LOG = "select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')"


class Socket(Phone):
    """The same phone on a websocket: a frame when the last one was acknowledged."""

    def __init__(self, token: str, size: int, moments: "itertools.count[int]") -> None:
        super().__init__(token, size, moments)
        body = b'{"type":"positions","id":"m1",' + self.request.partition(b"\r\n\r\n{")[2]
        self.request = _masked(body)
        self.opened = asyncio.get_running_loop().create_future()
        self.token = token

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(HANDSHAKE % self.token.encode())

    def data_received(self, data: bytes) -> None:
        if not self.opened.done():
            assert data.startswith(b"HTTP/1.1 101"), data
            self.opened.set_result(None)
        elif ACCEPTED.search(data):
            super().data_received(data)


class Doing(Phone):
    """The same phone with an action in each request."""

    def __init__(self, token: str, size: int, moments: "itertools.count[int]") -> None:
        super().__init__(token, size, moments)
        action = b'{"id":"00000000-0000-4000-8000-000000%b","action":"on_duty","timestamp":1767%b}' % (DIGITS, DIGITS)
        body = b'{"actions":[%b]}' % action
        head = b"POST /driver/v1/actions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %b\r\n" % token.encode()
        self.request = head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)

    def data_received(self, data: bytes) -> None:
        if b'"success":true' in data:
            super().data_received(b'"accepted":1')
        else:
            super().data_received(data)


def _masked(body: bytes) -> bytes:
    """A text frame with a mask of zeros."""
    if len(body) < 126:
        return b"\x81%c" % (0x80 | len(body)) + bytes(4) + body
    return b"\x81\xfe" + len(body).to_bytes(2, "big") + bytes(4) + body


class Gauge(NamedTuple):
    """A cost that only grows: read before and after."""

    name: str
    read: Callable[[], float]
    form: str


async def load(
    port: int, kind: type[Phone], tokens: list[str], size: int, seconds: float, tls: ssl.SSLContext | None
) -> int:
    """How many positions were acknowledged until the last answer."""
    loop = asyncio.get_running_loop()
    phones = []
    for token in tokens:
        make = lambda token=token: kind(token, size, MOMENTS)  # noqa: E731
        name = "localhost" if tls else None
        phones.append((await loop.create_connection(make, "127.0.0.1", port, ssl=tls, server_hostname=name))[1])
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(*(phone.opened for phone in phones if isinstance(phone, Socket)))
    for phone in phones:
        phone.send()
    await asyncio.sleep(seconds)
    for phone in phones:
        phone.stopping = True
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(*(phone.stopped for phone in phones))
    for phone in phones:
        phone.transport.close()
    return sum(phone.accepted for phone in phones)


MOMENTS = itertools.count()


async def measure(
    where: str, port: int, gauges: list[Gauge], tokens: list[str], options: Any, tls: ssl.SSLContext | None = None
) -> None:
    sizes = [int(each) for each in options.sizes.split(",")]
    ways = [(kind, way, size) for kind, way in ((Phone, "HTTP"), (Socket, "websocket")) for size in sizes]
    for kind, way, size in [*ways, (Doing, "actions over HTTP", 1)]:
        some = tokens if kind is Doing else tokens[: options.connections]  # what has happened to a driver is read again
        await load(port, kind, some, size, 0.5, tls)  # warms up
        before = [gauge.read() for gauge in gauges]
        done = await load(port, kind, some, size, options.seconds, tls)
        await asyncio.sleep(1)  # for what comes after the answers
        costs = [(gauge.read() - earlier) / done for gauge, earlier in zip(gauges, before, strict=True)]
        told = ", ".join(f"{gauge.name} {gauge.form.format(cost)}" for gauge, cost in zip(gauges, costs, strict=True))
        print(f"{where}, {way}, batches of {size:>3}: {done / options.seconds:>8,.0f} a second; each {told}")


def processor(name: str, *pids: int) -> Gauge:
    return Gauge(name, lambda: sum(map(processor_s, pids)) * 1e6, "{:.1f} µs")


def commits(port: int) -> Gauge:
    def read() -> float:
        text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
        return float(re.search(r"^codriver_commit_seconds_count (\S+)", text, re.M)[1])  # type: ignore[index]

    return Gauge("commits", read, "{:.4f}")


def resident_kb(pid: int) -> int:
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])  # type: ignore[index]


@contextmanager
def proxied(upstream: int, folder: Path) -> Iterator[Served]:
    """Caddy with TLS, as deploy/Caddyfile has it, on a certificate of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    proxy = {"handler": "reverse_proxy", "upstreams": [{"dial": f"127.0.0.1:{upstream}"}]}
    served = {
        "listen": [f"127.0.0.1:{port}"],
        "routes": [{"match": [{"host": ["localhost"]}], "handle": [proxy]}],
        "automatic_https": {"disable_redirects": True},
        "protocols": ["h1", "h2"],
    }
    policies = [{"issuers": [{"module": "internal"}]}]
    apps = {
        "http": {"servers": {"one": served}},
        "tls": {"automation": {"policies": policies}},
        "pki": {"certificate_authorities": {"local": {"install_trust": False}}},
    }
    file = folder / "caddy.json"
    file.write_text(
        json.dumps({"admin": {"disabled": True}, "logging": {"logs": {"default": {"level": "ERROR"}}}, "apps": apps})
    )
    environment = {"HOME": str(folder), "PATH": "/usr/bin:/bin:/usr/local/bin"}
    caddy = subprocess.Popen(["caddy", "run", "--config", str(file)], env=environment, stderr=subprocess.DEVNULL)
    try:
        yield Served(port, caddy.pid)
    finally:
        caddy.terminate()
        caddy.wait(20)


def unchecked() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def idle(port: int, tokens: list[str], counted: dict[str, int], tls: ssl.SSLContext | None) -> None:
    """Websockets of phones that say nothing."""
    loop = asyncio.get_running_loop()

    async def opened(some: list[str]) -> list[Socket]:
        made = []
        for token in some:
            name = "localhost" if tls else None
            make = lambda token=token: Socket(token, 1, MOMENTS)  # noqa: E731
            made.append((await loop.create_connection(make, "127.0.0.1", port, ssl=tls, server_hostname=name))[1])
            await asyncio.wait_for(made[-1].opened, PATIENCE_S)
        return made

    first = await opened(tokens[:50])  # what is made once is not counted
    before = {name: resident_kb(pid) for name, pid in counted.items()}
    rest = await opened(tokens[50:])
    await asyncio.sleep(1)
    told = [f"{name} {(resident_kb(pid) - before[name]) / len(rest):.0f} KB" for name, pid in counted.items()]
    print(f"a phone's idle websocket{' through TLS' if tls else ''}, over {len(rest)}: {', '.join(told)}")
    for one in (*first, *rest):
        one.transport.abort()


async def on_sqlite(folder: Path, tokens: list[str], options: Any) -> None:
    with serving(folder) as served, ExitStack() as stack:
        gauges = [processor("processor", served.pid), commits(served.port)]
        gauges.append(Gauge("disk", lambda: pages(folder), "{:.0f} bytes"))
        await idle(served.port, tokens, {"server": served.pid}, None)  # first: later there is room left by others
        await measure("SQLite", served.port, gauges, tokens, options)
        if shutil.which("caddy"):
            proxy = stack.enter_context(proxied(served.port, folder))
            await asyncio.sleep(3)
            gauges = [processor("processor of the server", served.pid), processor("of the proxy", proxy.pid)]
            await idle(proxy.port, tokens, {"proxy": proxy.pid}, unchecked())
            await measure("SQLite behind Caddy with TLS", proxy.port, gauges, tokens, options, unchecked())


async def on_postgresql(folder: Path, tokens: list[str], options: Any) -> None:
    cluster, redis = Cluster(), RedisServer()
    cluster.start()
    with ExitStack() as stack:
        stack.callback(cluster.remove)
        redis.start()
        stack.callback(lambda: (redis.process.kill(), redis.process.wait()))  # type: ignore[union-attr]
        url = cluster.empty()
        command = [sys.executable, "-m", "backend.cli"]
        moving = [*command, "migrate", "--to", url, "--data", str(folder)]
        await asyncio.to_thread(subprocess.run, moving, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        environment = {"CODRIVER_DATABASE_URL": url, "CODRIVER_REDIS_URL": redis.url}
        command += ["serve", "--port", "0", "--data", str(folder)]
        served = stack.enter_context(process(command, **environment))
        other = stack.enter_context(process(command, **environment))
        conn = stack.enter_context(psycopg.connect(url, autocommit=True))

        def asked(query: str) -> Callable[[], float]:
            return lambda: float(conn.execute(query).fetchone()[0])  # type: ignore[arg-type, index]

        def into_redis() -> float:
            told = redis.command("INFO stats").decode()
            return float(re.search(r"total_net_input_bytes:(\d+)", told)[1])  # type: ignore[index]

        head = int((cluster.folder / "data" / "postmaster.pid").read_text().split()[0])
        gauges = [
            processor("processor", served.pid),
            Gauge("of PostgreSQL", lambda: sum(map(processor_s, children(head))) * 1e6, "{:.1f} µs"),
            processor("of Redis", redis.process.pid),  # type: ignore[union-attr]
            processor("of a process that only hears of it", other.pid),
            commits(served.port),
            Gauge("log", asked(LOG), "{:.0f} bytes"),
            Gauge("tables", asked(CHUNKS), "{:.0f} bytes"),
            Gauge("to Redis", into_redis, "{:.1f} bytes"),
        ]
        await measure("PostgreSQL", served.port, gauges, tokens, options)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--connections", type=int, default=40, help="phones that send, each again when it is answered")
    parser.add_argument("--sizes", default="1,10,100", help="positions in a batch")
    parser.add_argument("--sockets", type=int, default=500, help="idle ones")
    parser.add_argument("--only", choices=["sqlite", "postgresql", "squeezing"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "data"
        if options.only == "squeezing":
            await squeezing(folder)
            return
        tokens = await asyncio.to_thread(prepare, folder, max(options.sockets, options.connections))
        if options.only != "postgresql":
            await on_sqlite(folder, tokens, options)
        if options.only != "sqlite":
            await on_postgresql(folder, tokens, options)
        if options.only is None:
            await squeezing(folder.with_name("squeezed"))


if __name__ == "__main__":
    asyncio.run(main())
