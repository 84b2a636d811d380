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
import shutil
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from backend.store.transfer import transfer
from benchmarks._phones import ACCEPTED, MOMENT, Phone
from benchmarks._servers import Served, metric, prepare, processor_s, resident_kb, serving
from benchmarks._squeezing import CHUNKS, pages, squeezing
from tests import postgresql, redis_server

PATIENCE_S = 30.0
HANDSHAKE = (
    b"GET /driver/v1/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer %b\r\n\r\n"
)
LOG = "select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')"
MOMENTS = itertools.count()


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
        action = b'{"id":"00000000-0000-4000-8000-00%b","action":"on_duty","timestamp":%b}' % (MOMENT, MOMENT)
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


async def connected(port: int, kind: type[Phone], token: str, size: int, tls: ssl.SSLContext | None) -> Phone:
    """A phone that may send."""
    made, name = partial(kind, token, size, MOMENTS), "localhost" if tls else None
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(PATIENCE_S):
        _, phone = await loop.create_connection(made, "127.0.0.1", port, ssl=tls, server_hostname=name)
        if isinstance(phone, Socket):
            await phone.opened
    return phone


async def load(
    port: int, kind: type[Phone], tokens: list[str], size: int, seconds: float, tls: ssl.SSLContext | None
) -> int:
    """How many positions were acknowledged until the last answer."""
    phones = [await connected(port, kind, token, size, tls) for token in tokens]
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


def processor(name: str, pid: int) -> Gauge:
    return Gauge(name, lambda: processor_s(pid) * 1e6, "{:.1f} µs")


def commits(port: int) -> Gauge:
    return Gauge("commits", lambda: metric(port, "codriver_commit_seconds_count"), "{:.4f}")


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

    async def opened(some: list[str]) -> list[Phone]:
        return [await connected(port, Socket, token, 1, tls) for token in some]

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
    with ExitStack() as stack:
        database = stack.enter_context(postgresql.running())
        redis = stack.enter_context(redis_server.running())
        assert redis.process is not None
        url = database.empty()
        await asyncio.to_thread(transfer, folder, url, lambda line: None)
        environment = {"CODRIVER_DATABASE_URL": url, "CODRIVER_REDIS_URL": redis.url}
        served, other = (stack.enter_context(serving(folder, **environment)) for _ in range(2))

        def of_postgresql() -> float:
            return sum(map(processor_s, postgresql.children(database.pid))) * 1e6

        def asked(query: str) -> Callable[[], float]:
            return lambda: float(database.ask(query, postgresql.name_of(url)))

        def into_redis() -> float:
            return float(redis.command("INFO stats").decode().partition("total_net_input_bytes:")[2].split()[0])

        gauges = [
            processor("processor", served.pid),
            Gauge("of PostgreSQL", of_postgresql, "{:.1f} µs"),
            processor("of Redis", redis.process.pid),
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
        # Without what SQLite is sent: it would be merged and squeezed while PostgreSQL is measured
        moved = shutil.copytree(folder, folder.with_name("moved"))
        if options.only != "postgresql":
            await on_sqlite(folder, tokens, options)
        if options.only != "sqlite":
            await on_postgresql(moved, tokens, options)
        if options.only is None:
            await squeezing(folder.with_name("squeezed"))


if __name__ == "__main__":
    asyncio.run(main())
