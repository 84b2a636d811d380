"""How much of a plain decode's speed is left when positions are checked, stored and on the disk before the answer?

Two servers, both real processes on the same server code: Codriver, and a Litestar handler that only decodes the same
body into the same types. The same requests go to one and the other in turn, and the ratio is of what was done in the
same run, so that the machine's speed and its other work cancel out.

Then Codriver gets half as many requests as it could take, at even moments, whether or not those before were answered,
and a request's time counts from the moment it was due. Load and server share the machine's cores, so these times hold
what the load's own process made a request wait; how late it sent them is printed beside.

At the end Codriver is killed like by a power cut, and what it had acknowledged is counted in its database.

    python benchmarks/ingest.py [--seconds 2] [--rounds 3] [--connections 128] [--sizes 100,10,1]
"""

import argparse
import itertools
import os
import statistics
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
from backend.store.database import Database
from backend.store.tables import chunks
from benchmarks._phones import Options, arrive, load, parser, percentile
from benchmarks._servers import Served, prepare, process, processor_s, serving

AIMS = {100: 0.6, 10: 0.5, 1: 0.45}
AIM_P99_MS = 50.0


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--decode-only", action="store_true", help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.decode_only:
        serve_decoding()
        return
    uvloop.run(measure(Options.of(asked)))


def serve_decoding() -> None:
    """What the speed is compared with: the framework, and one decode of the body."""
    decoder = msgspec.json.Decoder(PositionBatch)

    @post("/driver/v1/positions", status_code=200)
    async def decode(request: Request[Any, Any, Any]) -> Response[bytes]:
        count = len(decoder.decode(await request.body()).positions)
        return Response(b'{"accepted":%d,"duplicates":0,"rejected":[]}' % count, media_type="application/json")

    server.run(Litestar([decode], openapi_config=None, logging_config=None), server.bind("127.0.0.1", 0))


async def measure(options: Options) -> None:
    acknowledged = 0
    moments = itertools.count()
    with tempfile.TemporaryDirectory() as folder:
        tokens = prepare(Path(folder), options.connections)
        with serving(Path(folder)) as ours, process([sys.executable, __file__, "--decode-only"]) as plain:
            print(
                f"positions a second, median of {options.rounds} x {options.seconds} s in turn; "
                f"{len(tokens)} connections, load and server on the same {os.cpu_count()} cores"
            )
            for size in options.sizes:
                rate, done = await compare(ours, plain, tokens, size, options, moments)
                acknowledged += done
                acknowledged += await wait(ours, tokens, size, rate / 2, options, moments)
        database = Database.open(Path(folder))
        stored = database.read_now(lambda conn: conn.scalar(select(func.sum(chunks.c.count))))
        database.close()
    print(f"\nacknowledged {acknowledged:,} positions; after a kill the database holds {stored:,}")
    if stored < acknowledged:
        raise SystemExit("positions were lost")


async def compare(
    ours: Served, plain: Served, tokens: list[str], size: int, options: Options, moments: "itertools.count[int]"
) -> tuple[float, int]:
    """Print the ratio; tells Codriver's requests a second, and how many positions it acknowledged."""
    acknowledged = 0
    rates: dict[Served, list[float]] = {ours: [], plain: []}
    costs: dict[Served, list[float]] = {ours: [], plain: []}
    for served in [ours, plain] * (options.rounds + 1):
        used_s = processor_s(served.pid)
        done = await load(served.port, tokens, size, options.seconds, moments)
        rates[served].append(done / options.seconds)
        costs[served].append((processor_s(served.pid) - used_s) / max(done / size, 1) * 1e6)
        acknowledged += done if served is ours else 0
    stored, decoded = (statistics.median(rates[served][1:]) for served in (ours, plain))  # the first warms up
    ratio = stored / decoded
    aim = AIMS.get(size)
    verdict = f"  (aim {aim}: {'reached' if ratio >= aim else 'missed'})" if aim else ""
    print(f"batches of {size:>3}: stored {stored:>9,.0f}   only decoded {decoded:>9,.0f}   ratio {ratio:.2f}{verdict}")
    stored_us, decoded_us = (statistics.median(costs[served][1:]) for served in (ours, plain))
    print(f"{'':14} processor time a batch, all threads: {stored_us:.0f} µs, only decoded {decoded_us:.0f} µs")
    return stored / size, acknowledged


async def wait(
    ours: Served, tokens: list[str], size: int, rate: float, options: Options, moments: "itertools.count[int]"
) -> int:
    """Print how long answers take at a rate of requests a second; tells how many positions were acknowledged."""
    found = await arrive(ours.port, tokens, size, rate, options.seconds * options.rounds, moments)
    p50, p99, most = (percentile(found.took_s, share) * 1000 for share in (0.5, 0.99, 1))
    print(
        f"{'':14} at {rate:,.0f} requests a second: p50 {p50:.1f} ms, p99 {p99:.1f} ms, max {most:.1f} ms "
        f"(aim for p99 {AIM_P99_MS:.0f} ms: {'reached' if p99 <= AIM_P99_MS else 'missed'}); "
        f"sent late: p99 {percentile(found.late_s, 0.99) * 1000:.1f} ms; refused {found.refused}"
    )
    return found.accepted


if __name__ == "__main__":
    main()
