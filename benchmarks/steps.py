"""What each step on a position's way into the store brings: as it is done, against the plain way to do the same.

Each step by itself, in one process and without a network; both ways take turns, so that the machine's speed cancels
out. Figures are microseconds for a batch, or for a position where it is about whole days. How it adds up in a server
is what ``ingest.py`` measures.

    python benchmarks/steps.py [--size 100] [--rounds 9]
"""

import argparse
import asyncio
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import uvloop
from litestar import Litestar, Request, Response, post

from backend.api import intake
from backend.api.intake import PositionBatch
from backend.api.straight import straight
from backend.domain.positions import Position, sift
from backend.store import compaction, tracks
from backend.store.batches import prepare
from backend.store.database import Database
from backend.store.journal import Journal
from benchmarks._servers import writer

FIRST_S = 1_767_002_400  # a whole hour
NOW_S = FIRST_S + 1e8
EVERY_S, DAY, MINUTE = 5.0, 8_640, 12
PHONES = 128
SEVERAL = 200  # times that what is quick is done at once

_batch = msgspec.json.Decoder(PositionBatch)
_items = msgspec.json.Decoder(intake.RawPositions)
_item = msgspec.json.Decoder(Position)

Way = Callable[[], Awaitable[float]]
"""Does it, and tells how many seconds it took."""


class Step(NamedTuple):
    name: str
    way: Way
    other: str
    other_way: Way
    times: int  # it is done for a batch or a position, each time


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--size", type=int, default=100, help="positions in a batch")
    options.add_argument("--rounds", type=int, default=9, help="of each way, in turn")
    asked = options.parse_args()
    print(f"microseconds for a batch of {asked.size}, median of {asked.rounds} rounds in turn")
    with tempfile.TemporaryDirectory() as folder:
        uvloop.run(measure(Path(folder), asked.size, asked.rounds))


async def measure(folder: Path, size: int, rounds: int) -> None:
    for step in on_the_loop(size):
        await show(step, rounds)
    database = Database.open(folder / "journal")
    journal = Journal(database)
    for step in in_the_journal(Fleet(journal, size), folder):
        await show(step, rounds)
    await journal.close()
    database.close()
    print("\nmicroseconds for a position, of days of one driver")
    for step in of_days(folder):
        await show(step, rounds)


async def show(step: Step, rounds: int) -> None:
    took: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds + 1):
        took[0].append(await step.way())
        took[1].append(await step.other_way())
    ours, other = (statistics.median(each[1:]) / step.times * 1e6 for each in took)  # the first warms up
    print(f"{step.name:44} {ours:8.2f}   {step.other:44} {other:8.2f}   {other / ours:6.1f} times as much")


def on_the_loop(size: int) -> list[Step]:
    """What is done for a batch before it waits for the disk, and after it."""
    fixes = drive(0, size)
    odd = [*fixes[:-1], msgspec.structs.replace(fixes[-1], speed=-1.0)]
    body, packed = msgspec.json.encode(PositionBatch(fixes)), sift(fixes, NOW_S).packed
    return [
        Step(
            "decode, in one call",
            several(lambda: _batch.decode(body)),
            "item by item",
            several(lambda: [_item.decode(item) for item in _items.decode(body).positions]),
            SEVERAL,
        ),
        Step(
            "check and pack, column by column",
            several(lambda: sift(fixes, NOW_S)),
            "position by position, as one is odd",
            several(lambda: sift(odd, NOW_S)),
            SEVERAL,
        ),
        Step(
            "take what the check has packed",
            several(lambda: prepare("ana", fixes, packed)),
            "sort, drop repeats, pack",
            several(lambda: prepare("ana", fixes)),
            SEVERAL,
        ),
        Step("answer past the framework", asking(past, body), "its request and response", asking(through, body), 200),
    ]


def several(work: Callable[[], object]) -> Way:
    async def do() -> float:
        began = time.perf_counter()
        for _ in range(SEVERAL):
            work()
        return time.perf_counter() - began

    return do


async def _answer(connection: Any, read: Callable[[], Awaitable[bytes]]) -> bytes:
    await read()
    return b'{"accepted":1,"duplicates":0,"rejected":[]}'


@post("/", status_code=200, middleware=[straight(_answer)])
async def past(request: Request[Any, Any, Any]) -> None:
    """Never reached: the middleware answers."""


@post("/", status_code=200)
async def through(request: Request[Any, Any, Any]) -> Response[bytes]:
    return Response(await _answer(request, request.body), media_type="application/json")


def asking(handler: Any, body: bytes) -> Way:
    """200 requests, one after the other, as the server hands them to the application."""
    application: Any = Litestar([handler], openapi_config=None, logging_config=None)
    headers = [(b"host", b"localhost"), (b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    asgi = {"version": "3.0", "spec_version": "2.3"}
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": asgi,
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/",
    }
    scope |= {"raw_path": b"/", "root_path": "", "query_string": b"", "headers": headers}
    scope |= {"client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2)}

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        assert message.get("status", 200) == 200

    async def do() -> float:
        began = time.perf_counter()
        for _ in range(200):
            await application({**scope, "state": {}}, receive, send)
        return time.perf_counter() - began

    return do


class Fleet:
    """Phones whose batches go on where those before ended; made before the clock runs."""

    def __init__(self, journal: Journal, size: int) -> None:
        self.journal = journal
        self.size = size
        self.sent = 0

    def batches(self) -> list[tuple[str, list[Position], bytes | None]]:
        fixes = drive(self.sent * self.size, self.size)
        self.sent += 1
        return [(f"{number:032x}", fixes, sift(fixes, NOW_S).packed) for number in range(PHONES)]

    async def together(self) -> float:
        batches = self.batches()
        began = time.perf_counter()
        await asyncio.gather(*(self.journal.append(*batch) for batch in batches))
        return time.perf_counter() - began

    async def one_by_one(self) -> float:
        batches = self.batches()
        began = time.perf_counter()
        for batch in batches:
            await self.journal.append(*batch)
        return time.perf_counter() - began

    async def beside_a_change(self) -> float:
        batches = self.batches()
        began = time.perf_counter()
        await asyncio.gather(self.journal.transact(_nothing), *(self.journal.append(*batch) for batch in batches))
        return time.perf_counter() - began


def _nothing(conn: Any) -> None:
    """A change that changes nothing, so that what is committed with it needs a transaction."""


def in_the_journal(fleet: Fleet, folder: Path) -> list[Step]:
    """From the event loop to the disk and back, with fsync."""
    return [
        Step(f"{PHONES} batches share a commit", fleet.together, "a commit for each", fleet.one_by_one, PHONES),
        Step("one statement alone", fleet.together, "BEGIN and COMMIT, beside a change", fleet.beside_a_change, PHONES),
        Step("a row for a batch", fleet.together, "a row for a fix, unchecked", rows_of(fleet, folder), PHONES),
    ]


def rows_of(fleet: Fleet, folder: Path) -> Way:
    """The plain way: each fix a row under its driver and time, a second one of a moment ignored."""
    file = sqlite3.connect(folder / "rows.db", isolation_level=None)
    file.execute("PRAGMA journal_mode=WAL")
    file.execute("PRAGMA synchronous=FULL")
    columns = ", ".join(Position.__struct_fields__)
    file.execute(f"CREATE TABLE fixes (driver, {columns}, PRIMARY KEY (driver, timestamp)) WITHOUT ROWID")

    async def do() -> float:
        batches = fleet.batches()
        began = time.perf_counter()
        rows = [(driver, *msgspec.structs.astuple(fix)) for driver, fixes, _ in batches for fix in fixes]
        file.execute("BEGIN IMMEDIATE")
        file.executemany("INSERT OR IGNORE INTO fixes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        file.execute("COMMIT")
        return time.perf_counter() - began

    return do


def of_days(folder: Path) -> list[Step]:
    """A day in batches of a minute, and in squeezed hours."""
    fresh, old = (Database.open(folder / name) for name in ("fresh", "old"))
    fixes = drive(0, DAY)
    batches = [fixes[at : at + MINUTE] for at in range(0, DAY, MINUTE)]
    for database in (fresh, old):
        with writer(database).begin() as transaction:
            conn = transaction.connection
            tracks.store(conn, [prepare("ana", each, sift(each, NOW_S).packed) for each in batches], {}, {})
    with writer(old).begin() as transaction:
        conn = transaction.connection
        groups = compaction.ripe(conn, "ana", 0, 1 << 50)
        compaction.replace(conn, [(group, row) for group in groups if (row := compaction.merged(conn, group))])

    def squeezed() -> list[object]:
        return fresh.read_now(lambda conn: [compaction.merged(conn, group) for group in groups_of(conn)])

    def groups_of(conn: Any) -> list[compaction.Group]:
        return compaction.ripe(conn, "ana", 0, 1 << 50)

    def read(database: Database) -> Way:
        return once(lambda: database.read_now(lambda conn: tracks.track(conn, "ana", 0, 1 << 50)))

    return [
        Step("read a day of squeezed hours", read(old), "of batches of a minute", read(fresh), DAY),
        Step("read a day of squeezed hours", read(old), "what squeezing it cost, once", once(squeezed), DAY),
    ]


def once(work: Callable[[], object]) -> Way:
    async def do() -> float:
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    return do


def drive(at: int, count: int) -> list[Position]:
    """A van's fixes from the ``at``-th on."""
    return [
        Position(
            FIRST_S + index * EVERY_S + index % 7 / 10,
            round(45.8 + index % 5000 * 0.00012, 6),
            round(15.98 + index % 5000 * 0.00023, 6),
            4.5 + index % 7,
            index % 20 + 0.25,
            index * 3.5 % 360,
        )
        for index in range(at, at + count)
    ]


if __name__ == "__main__":
    main()
