"""What single pieces of work cost that are no position: a refusal, a span, a move to PostgreSQL, a plan's beginning.

A refusal is what a phone's batch costs that is turned away before it is parsed: our own code alone, and with reading
and answering it on a connection of this machine. A span is that of a request, recorded and not, sent to a collector in
another process. The move is `codriver migrate`, of tracks that came ten positions at a time. A plan's beginning is the
reading of its orders, the building of its problem, and the last look in the turn that all changes wait for.

    python benchmarks/pieces.py [--only refusal,span,move,plan] [--positions 2000000] [--orders 10000]

All but the move is processor time of the one thread that does it.
"""

import argparse
import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from backend.domain.accounts import Account, Settings
from backend.domain.drivers import Driver
from backend.domain.orders import Location, Order
from backend.domain.plans import PlanRequest
from backend.domain.positions import Position
from backend.server.gate import Gate
from backend.service import selection
from backend.store import fleet, orders, people
from backend.store.database import Connection, Database
from backend.store.journal import Journal
from backend.store.orders import Record
from backend.store.transfer import transfer
from tests import postgresql

DAY = "2026-03-02"
AT_S = 1_772_438_400  # its morning
PATH = b"/driver/v1/positions"
TIMES = 20_000
COLLECTOR = """
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200); self.send_header("Content-Length", "0"); self.end_headers()
    def log_message(self, *_): pass
server = HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="refusal,span,move,plan")
    parser.add_argument("--positions", type=int, default=2_000_000)
    parser.add_argument("--orders", type=int, default=10_000)
    options = parser.parse_args()
    wanted = options.only.split(",")
    with tempfile.TemporaryDirectory() as name:
        if "refusal" in wanted:
            asyncio.run(refusal())
        if "span" in wanted:
            span()
        if "plan" in wanted:
            asyncio.run(plan(Path(name) / "planned", options.orders))
        if "move" in wanted:
            asyncio.run(move(Path(name) / "moved", options.positions))


async def refusal() -> None:
    full: Any = SimpleNamespace(under_way=0, full=lambda most: True, turned_away=lambda: None)
    gate = Gate(full, {PATH: 1})
    body = b"x" * 13_000
    request = b"POST %b HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %b\r\ncontent-length: %d\r\n\r\n%b"
    request %= (PATH, b"k" * 43, len(body), body)
    answer = gate.answer(close=False)
    ours = kernels = 0.0
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as phone:
        server, _ = listener.accept()
        with server:
            for _ in range(TIMES):
                phone.sendall(request)
                began = time.thread_time()
                data = server.recv(1 << 16)
                while len(data) < len(request):
                    data += server.recv(1 << 16)
                read = time.thread_time()
                assert gate.refuses_whole(data)
                refused = time.thread_time()
                server.sendall(answer)
                ours += refused - read
                kernels += time.thread_time() - refused + read - began
                phone.recv(1 << 16)
    print(f"a refusal: {ours / TIMES * 1e6:.1f} µs, with reading and answering {(ours + kernels) / TIMES * 1e6:.0f} µs")


def span() -> None:
    from backend.telemetry import Tracing

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def send(message: Any) -> None:
        pass

    async def ask(one: Any) -> float:
        began = time.thread_time()
        for number in range(TIMES):
            scope = {"type": "http", "method": "POST", "scheme": "http", "path_template": "/x", "headers": []}
            await one({**scope, "path": "/x"}, None, send)
            if not number % 500:
                await asyncio.sleep(0.05)  # or the queue to the collector would drop some
        return time.thread_time() - began

    costs = {}
    with ExitStack() as stack:
        collector = stack.enter_context(subprocess.Popen([sys.executable, "-c", COLLECTOR], stdout=subprocess.PIPE))
        stack.callback(collector.kill)
        assert collector.stdout is not None
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{int(collector.stdout.readline())}"
        plain = asyncio.run(ask(app))
        for sampler in ("always_on", "always_off"):
            os.environ["OTEL_TRACES_SAMPLER"] = sampler
            tracing = Tracing()
            took = asyncio.run(ask(tracing.around(app)))
            tracing.close()
            costs[sampler] = (took - plain) / TIMES * 1e6
    recorded, not_ = costs["always_on"], costs["always_off"]
    print(f"a span: {recorded:.0f} µs where it is recorded, {not_:.1f} where not")


async def plan(folder: Path, count: int) -> None:
    account = Account("a" * 32, "Benchmark", Settings())
    database = Database.open(folder)
    journal = Journal(database)
    await journal.transact(lambda conn: a_day(conn, account, count))
    request = PlanRequest(DAY, DAY)
    took: dict[str, list[float]] = {"reading": [], "building": [], "the last look": []}

    def timed(what: str, work: Callable[..., Any], *given: Any) -> Any:
        began = time.thread_time()
        found = work(*given)
        took[what].append((time.thread_time() - began) * 1000)
        return found

    for _ in range(5):
        ground = database.read_now(lambda conn: timed("reading", selection.survey, conn, account, request))
        draft = timed("building", selection.draft, account, request, ground)

        def look(conn: Connection, draft: selection.Draft = draft) -> None:
            timed("the last look", selection.put_down, account, request, draft, AT_S * 1000, conn)
            raise LookupError  # undone, to be begun again

        with suppress(LookupError):
            await journal.transact(look)
    await journal.close()
    database.close()
    said = ", ".join(f"{what} {statistics.median(each):.0f} ms" for what, each in took.items())
    print(f"the beginning of a plan of {count:,} orders: {said}")


def a_day(conn: Connection, account: Account, count: int) -> None:
    people.add_account(conn, account, AT_S * 1000)
    fleet.add_drivers(conn, account.id, [Driver(f"d{n}", f"Driver {n}") for n in range(count // 25)])
    places = [Location(f"l{n}", f"L{n}", "A place", "A street", 45.8 + n % 997 / 1e4, 15.9) for n in range(count // 2)]
    orders.insert_locations(conn, account.id, places)
    made = (Order(f"o{n}", f"O{n}", DAY, f"l{n % len(places)}", "D", 5) for n in range(count))
    orders.insert_orders(conn, account.id, (Record(order) for order in made))


async def move(folder: Path, count: int) -> None:
    database = Database.open(folder)
    journal = Journal(database)
    drivers, batches = 200, count // 10
    for first in range(0, batches, 1000):
        chosen = range(first, min(batches, first + 1000))
        await asyncio.gather(*(journal.append(f"d{n % drivers}", drive(n // drivers * 10)) for n in chosen))
    await journal.close()
    database.close()
    with postgresql.running() as server:
        url, began = server.empty(), time.perf_counter()
        await asyncio.to_thread(transfer, folder, url, lambda line: None)
        print(f"a move of {count:,} positions in {batches:,} chunks: {time.perf_counter() - began:.1f} s")


def drive(first: int) -> list[Position]:
    return [Position(AT_S + n * 5, 45.8 + n % 997 * 1e-4, 15.9 + n % 991 * 1e-4) for n in range(first, first + 10)]


if __name__ == "__main__":
    main()
