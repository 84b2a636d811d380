"""Is a store with 20 million positions as fast as an empty one, how much disk does it take, and how soon is a day read?

The store is filled through the store's own functions, as life would: a fleet drives twelve hours a day, a fix every
five seconds, a batch a minute; the drivers' batches alternate, and what is an hour old is compacted before the next
hour comes. Then two servers, both real processes, one on that store and one on an empty one, get the same batches in
turn, and the ratio is of what they acknowledged. A day of 8,640 positions of one driver is read as JSON over HTTP;
warm: the same day again; cold: a day that was not read before, while the system's cache holds nothing of the file.
For the empty store there is one such day for each driver that is asked for.

    python benchmarks/stored.py [--positions 20000000] [--data FOLDER] [--seconds 1.5] [--rounds 5] [--reads 100]

With ``--data`` the filled store is kept, for which ``--positions`` must be the same the next time; a copy of it is
measured. ``--fill-only`` stops there.
"""

import argparse
import http.client
import itertools
import os
import random
import shutil
import statistics
import tempfile
import time
from math import cos, pi, sin
from pathlib import Path

import uvloop
from sqlalchemy import Connection, func, select

from backend.domain.positions import Position, sift
from backend.domain.times import iso
from backend.store import compaction, tracks
from backend.store.batches import Batch, Tail
from backend.store.batches import prepare as batch_of
from backend.store.compaction import HOUR_MS
from backend.store.database import Database
from backend.store.tables import chunks
from benchmarks._phones import load, percentile
from benchmarks._servers import FIRST_S, KEY, Served, driver_id, prepare, serving, tokens_of, writer

DRIVERS = 200
HOURS = 12
A_DAY, AN_HOUR, A_BATCH, PACE_S = 8_640, 720, 12, 5.0
DAY_S = 86_400
READ_BY = 20  # drivers whose days are read
SIZES = (100, 10)
AIM_RATIO, AIM_BYTES, AIM_READ_MS = 0.8, 40.0, 100.0


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--positions", type=int, default=20_000_000, help="in the full store")
    options.add_argument("--data", type=Path, help="a folder that the full store is kept in")
    options.add_argument("--fill-only", action="store_true", help="fill it, and measure nothing")
    options.add_argument("--seconds", type=float, default=1.5, help="of each measurement of throughput")
    options.add_argument("--rounds", type=int, default=5, help="such measurements of each store, in turn")
    options.add_argument("--reads", type=int, default=100, help="days read of each store, warm and cold")
    asked = options.parse_args()
    days = max(1, round(asked.positions / (DRIVERS * A_DAY)))
    with tempfile.TemporaryDirectory() as folder:
        full, empty = Path(folder) / "full", Path(folder) / "empty"
        tokens = filled(asked.data or full, days)
        if asked.fill_only:
            return
        if asked.data:
            shutil.copytree(asked.data, full)
        if newest_s(full) >= FIRST_S:
            raise SystemExit(f"{asked.data} holds more than it was filled with; remove it, and it is filled anew")
        filled(empty, 1, READ_BY)
        with serving(full) as at_full, serving(empty) as at_empty:
            read(at_empty, empty, 1, "empty store", asked.reads)
            read(at_full, full, days, "full store", asked.reads)
            uvloop.run(compare(at_full, at_empty, tokens, asked.seconds, asked.rounds))


def filled(folder: Path, days: int, driving: int = DRIVERS) -> list[str]:
    """A data folder with so many days before ``FIRST_S``; the tokens of its drivers' phones, some of whom drive."""
    new = not (folder / "codriver.db").exists()
    tokens = prepare(folder, DRIVERS) if new else tokens_of(DRIVERS)
    database = Database.open(folder)
    conn = writer(database)
    if new:
        began = time.monotonic()
        bare, fresh = fill(conn, days, driving)
        if driving == DRIVERS:
            wanted = days * driving * A_DAY
            print(f"filled with {wanted:,} positions in {time.monotonic() - began:.0f} s")
            print(f"on disk: {fresh:.1f} bytes a position before compaction, ", end="")
            compacted = (size_of(conn) - bare) / wanted
            print(f"{compacted:.1f} after it (aim {AIM_BYTES:.0f}: {verdict(compacted <= AIM_BYTES)})")
    database.close()
    return tokens


def newest_s(folder: Path) -> int:
    """Of when the last position of a data folder is, Unix seconds. What is measured is from ``FIRST_S`` on: sent again
    it would be looked for and found, and what came of the last time would be merged meanwhile."""
    database = Database.open(folder)
    last_ms = database.read_now(lambda conn: conn.execute(select(func.max(chunks.c.last_ms))).scalar_one())
    database.close()
    return int(last_ms) // 1000


def fill(conn: Connection, days: int, driving: int) -> tuple[int, float]:
    """Store and compact; how many bytes the database had before, and bytes a position before the first compaction."""
    rng = random.Random(1)
    shapes = [shape(rng) for _ in range(40)]
    known: dict[str, Tail] = {}
    bare, fresh = size_of(conn), 0.0
    for day, hour in itertools.product(range(days), range(HOURS)):
        begins_s = begin_of(day, days) + hour * 3600
        batches = [batched(number, begins_s, rng.choice(shapes)) for number in range(driving)]
        with conn.begin():
            for minute in zip(*batches, strict=True):
                tracks.store(conn, minute, known, known)
        if not fresh:
            fresh = (size_of(conn) - bare) / (driving * AN_HOUR)
        with conn.begin():
            for number in range(driving):
                groups = compaction.ripe(conn, driver_id(number), begins_s * 1000, begins_s * 1000 + HOUR_MS)
                made = ((group, compaction.merged(conn, group)) for group in groups)
                compaction.replace(conn, [(group, row) for group, row in made if row is not None])
        conn.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return bare, fresh


def size_of(conn: Connection) -> int:
    """Bytes of the database's file when the log is moved into it."""
    pages, size = (conn.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in ("page_count", "page_size"))
    conn.rollback()
    return int(pages) * int(size)


def begin_of(day: int, days: int) -> int:
    """When a day's drives begin: Unix seconds, at a whole hour."""
    return (FIRST_S - (days - day) * DAY_S) // 3600 * 3600


def shape(rng: random.Random) -> list[tuple[float, float, float, float, float, float]]:
    """An hour of a van as a phone tells it: seconds, how far north and east in degrees, accuracy, speed, heading."""
    hour = []
    north = east = speed = 0.0
    heading = rng.uniform(0, 360)
    for index in range(AN_HOUR):
        if rng.random() < 0.02:
            heading = (heading + rng.choice((-90, 90)) + rng.gauss(0, 5)) % 360
        speed = max(0.0, min(25.0, speed + rng.gauss(0, 1.5))) if index % 180 > 40 else 0.0
        north += speed * PACE_S * cos(heading * pi / 180) / 111_195
        east += speed * PACE_S * sin(heading * pi / 180) / 77_500
        blur = rng.gauss(0, 2e-5) if speed else 0.0
        at_s = index * PACE_S + round(rng.random() * 0.9, 3)
        hour.append((at_s, north + blur, east + blur, round(rng.uniform(3, 15), 1), round(speed, 2), round(heading, 1)))
    return hour


def batched(number: int, begins_s: int, hour: list[tuple[float, float, float, float, float, float]]) -> list[Batch]:
    """A driver's hour in batches of a minute, as the journal would get them."""
    south, west = 45.7 + number % 20 * 0.01, 15.9 + number // 20 * 0.01
    fixes = [
        Position(begins_s + at_s, round(south + north, 7), round(west + east, 7), accuracy, speed, heading % 360)
        for at_s, north, east, accuracy, speed, heading in hour
    ]
    id, now_s = driver_id(number), float(FIRST_S)
    sifted = (sift(fixes[at : at + A_BATCH], now_s) for at in range(0, AN_HOUR, A_BATCH))
    return [batch_of(id, each.accepted, each.packed) for each in sifted]


async def compare(full: Served, empty: Served, tokens: list[str], seconds: float, rounds: int) -> None:
    """Print what is acknowledged by both."""
    moments = itertools.count()
    for size in SIZES:
        rates: dict[Served, list[float]] = {full: [], empty: []}
        for served in [full, empty] * (rounds + 1):
            rates[served].append(await load(served.port, tokens[:128], size, seconds, moments) / seconds)
        at_full, at_empty = (statistics.median(rates[served][1:]) for served in (full, empty))  # the first warms up
        ratio = at_full / at_empty
        print(
            f"batches of {size:>3}, positions a second: {at_full:>9,.0f}   in an empty store {at_empty:>9,.0f}   "
            f"ratio {ratio:.2f} (aim {AIM_RATIO}: {verdict(ratio >= AIM_RATIO)})"
        )


def read(served: Served, folder: Path, days: int, name: str, count: int) -> None:
    """Print how long the days of some drivers take to be read."""
    line = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
    rng = random.Random(2)
    unread = [(number, day) for number in range(READ_BY) for day in range(days)]
    rng.shuffle(unread)

    def ask(number: int, day: int, cold: bool) -> float:
        if cold:
            forget(folder / "codriver.db")
        begins_ms = begin_of(day, days) * 1000
        span = f"from={iso(begins_ms)}&to={iso(begins_ms + DAY_S * 1000)}"
        began = time.perf_counter()
        line.request("GET", f"/api/drivers/{driver_id(number)}/track?{span}", headers={"X-API-Key": KEY})
        body = line.getresponse().read()
        took_ms = (time.perf_counter() - began) * 1000
        if body.count(b'"timestamp"') != A_DAY:
            raise SystemExit(f"a day is not whole: {body[:200]!r}")
        return took_ms

    ask(*unread[0], cold=False)
    cold = sorted(ask(*each, cold=True) for each in unread[1 : count + 1])
    ask(*unread[0], cold=False)
    warm = sorted(ask(*unread[0], cold=False) for _ in range(count))
    for kind, times in (("warm", warm), ("cold", cold)):
        p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
        print(
            f"a day of {A_DAY:,} positions, {name}, {kind}: p50 {p50:.0f} ms, p99 {p99:.0f} ms of {len(times)} "
            f"(aim {AIM_READ_MS:.0f} ms: {verdict(p99 <= AIM_READ_MS)})"
        )


def forget(file: Path) -> None:
    """Drop a file from the system's cache; where that cannot be done, cold is warm."""
    if hasattr(os, "posix_fadvise"):
        descriptor = os.open(file, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def verdict(reached: bool) -> str:
    return "reached" if reached else "missed"


if __name__ == "__main__":
    main()
