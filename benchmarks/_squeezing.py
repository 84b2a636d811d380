"""Some drivers' hours, a position every five seconds, each stored by itself: merged and squeezed, on each database."""

import asyncio
import math
import random
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from backend.domain.positions import Position
from backend.service import compaction
from backend.store import fleet
from backend.store.database import Database
from backend.store.journal import Journal
from backend.store.transfer import transfer
from benchmarks._servers import FIRST_S, driver_id, prepare
from tests import postgresql

DRIVERS = 20
CHUNKS = (
    "select coalesce(sum(pg_total_relation_size(inhrelid)), 0) from pg_inherits where inhparent = 'chunks'::regclass"
)


async def squeezing(folder: Path) -> None:
    prepare(folder, DRIVERS)
    await squeeze("SQLite", folder, lambda: pages(folder))
    other = folder.with_name("other")
    prepare(other, DRIVERS)
    with postgresql.running() as server:
        url = server.empty()
        await asyncio.to_thread(transfer, other, url, lambda line: None)
        await squeeze("PostgreSQL", url, lambda: live_bytes(server, postgresql.name_of(url)))


def pages(folder: Path) -> float:
    with sqlite3.connect(f"file:{folder / 'codriver.db'}?mode=ro", uri=True) as conn:
        sizes = [conn.execute(f"pragma {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")]
    return float((sizes[0] - sizes[1]) * sizes[2])


def live_bytes(server: postgresql.Cluster, name: str) -> float:
    """Of the tables of positions with their indexes, when what was deleted is gone."""
    server.execute("vacuum full chunks", name)
    return float(server.ask(CHUNKS, name))


def drive(rng: random.Random) -> list[Position]:
    """Two hours of a van in a town: some streets, some stops, and the noise of a phone."""
    fixes, speed, heading, latitude, longitude = [], 0.0, 90.0, 45.8, 16.0
    for number in range(2 * 720):
        standing = number % 120 > 80
        speed = 0.0 if standing else max(0.0, min(18.0, speed + rng.uniform(-3, 3)))
        heading = heading if standing else (heading + rng.choice((0, 0, 0, 0, 90, -90)) + rng.uniform(-4, 4)) % 360
        latitude += speed * 5 * math.cos(math.radians(heading)) / 111_320 + rng.gauss(0, 2e-5)
        longitude += speed * 5 * math.sin(math.radians(heading)) / 77_600 + rng.gauss(0, 2e-5)
        at = FIRST_S // 3600 * 3600 + number * 5 + round(rng.uniform(0, 0.9), 3)
        place = (round(latitude, 6), round(longitude, 6))
        fixes.append(Position(at, *place, round(rng.uniform(3, 12), 1), round(speed, 2), round(heading, 1)))
    return fixes


async def squeeze(where: str, place: Path | str, size: Callable[[], float]) -> None:
    """Store, squeeze and print what it took; ``size`` tells how many bytes all positions take."""
    database = await asyncio.to_thread(Database.open, place)
    journal = Journal(database)
    rng, empty, stored = random.Random(1), size(), 0
    for number in range(DRIVERS):
        fixes = drive(rng)
        await asyncio.gather(*(journal.append(driver_id(number), [fix]) for fix in fixes))
        stored += len(fixes)
    before = size() - empty
    desk: Any = SimpleNamespace(database=database, journal=journal)
    compaction.REST = 0.0
    began, used_s = time.monotonic(), time.process_time()
    merged = await compaction.compact(desk, 0, (FIRST_S + 86_400) * 1000)
    took_s, used_s = time.monotonic() - began, time.process_time() - used_s
    began = time.monotonic()
    await compaction.compact(desk, 0, (FIRST_S + 86_400) * 1000)
    looked_s = time.monotonic() - began
    await journal.close()
    after = size() - empty
    known = len(await database.read(fleet.all_driver_ids))
    database.close()
    assert merged == stored, "each was stored by itself"
    print(
        f"{where}, {stored:,} positions stored one by one: {before / stored:.0f} bytes each, "
        f"{after / stored:.1f} when squeezed; "
        f"that took {took_s / stored * 1e6:.0f} µs each, {used_s / stored * 1e6:.0f} µs of it this process' processor; "
        f"to see that nothing is left to do {looked_s / known * 1e6:.0f} µs a driver"
    )
