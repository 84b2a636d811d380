"""What is left of SQLite's ingest on PostgreSQL, by one process and by two? All wait for the disk before they answer.

Three servers stand on this machine: one process on SQLite, one on PostgreSQL, and two behind one address on PostgreSQL
and Redis. The same requests go to each in turn, and the ratios are of what was done in the same run. Load, servers and
PostgreSQL share the machine's cores: with two of them, a second process has no core of its own to win.

    python benchmarks/databases.py [--seconds 2] [--rounds 3] [--connections 128] [--sizes 100,10,1]
"""

import asyncio
import itertools
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import uvloop

from backend.store.transfer import transfer
from benchmarks._phones import Options, load, parser
from benchmarks._servers import Served, prepare, process, processor_s, serve, serving
from tests import postgresql, redis_server


def main() -> None:
    asked = parser(__doc__).parse_args()
    with set_ups(asked.connections) as (tokens, servers):
        uvloop.run(measure(Options.of(asked), tokens, servers))


@contextmanager
def set_ups(drivers: int) -> Iterator[tuple[list[str], dict[str, Served]]]:
    """The phones' tokens, and the servers by name; each has the same drivers in a database of its own."""
    with ExitStack() as ending:
        folder = Path(ending.enter_context(tempfile.TemporaryDirectory()))
        data = folder / "data"
        tokens = prepare(data, drivers)
        database = ending.enter_context(postgresql.running("autovacuum=on", "shared_buffers=256MB"))
        redis = ending.enter_context(redis_server.running())
        servers = {}
        for name, workers in (("PostgreSQL", 1), ("PostgreSQL, two processes", 2)):
            url = database.empty()
            transfer(data, url, lambda *_: None)
            environment = {"CODRIVER_DATABASE_URL": url, "CODRIVER_REDIS_URL": redis.url if workers > 1 else ""}
            environment["CODRIVER_LOG_LEVEL"] = "CRITICAL"  # at the end all is killed at once
            command = [*serve(folder / name), "--workers", str(workers)]
            servers[name] = ending.enter_context(process(command, **environment))
        servers = {"SQLite": ending.enter_context(serving(data)), **servers}
        yield tokens, servers


async def measure(options: Options, tokens: list[str], servers: dict[str, Served]) -> None:
    moments = itertools.count()
    print(f"positions a second, median of {options.rounds} x {options.seconds} s in turn; {len(tokens)} connections")
    for size in options.sizes:
        rates: dict[str, list[float]] = {name: [] for name in servers}
        costs: dict[str, list[float]] = {name: [] for name in servers}
        for name, served in list(servers.items()) * (options.rounds + 1):
            before = _used_s(served)
            done = await load(served.port, tokens, size, options.seconds, moments)
            rates[name].append(done / options.seconds)
            costs[name].append((_used_s(served) - before) / max(done / size, 1) * 1e6)
            await asyncio.sleep(0.3)
        base = statistics.median(rates["SQLite"][1:])
        for name in servers:
            rate, cost = statistics.median(rates[name][1:]), statistics.median(costs[name][1:])  # the first warms up
            print(f"batches of {size:>3}: {name:26} {rate:>9,.0f}   ratio {rate / base:.2f}   {cost:,.0f} µs a batch")


def _used_s(served: Served) -> float:
    """By the server's processes; not by PostgreSQL's."""
    return sum(processor_s(pid) for pid in (served.pid, *postgresql.children(served.pid)))


if __name__ == "__main__":
    main()
