"""Several processes on one PostgreSQL that act on the same orders at once."""

import asyncio
import queue
import random
import subprocess
import sys
import threading
import time
from collections import Counter

import msgspec
import pytest
from sqlalchemy import Connection, select, text

from backend.service.settle import refold, settle
from backend.store import facts
from backend.store.database import Database
from backend.store.journal import Journal
from backend.store.postgresql import writers
from backend.store.tables import orders as orders_table
from backend.store.tables import routes
from tests.service import builders
from tests.serving import ROOT

PROCESSES = 3
pytestmark = pytest.mark.parametrize("engine", ["postgresql"])


def standing(conn: Connection) -> list[tuple[object, ...]]:
    """All that is remembered of folds."""
    of_orders = select(orders_table.c.id, orders_table.c.own_status, orders_table.c.status, orders_table.c.completion)
    of_routes = select(routes.c.id, routes.c.progress)
    return [tuple(row) for statement in (of_orders, of_routes) for row in conn.execute(statement.order_by("id"))]


def run_at_once(place: str, given: str, rng: random.Random) -> tuple[list["subprocess.Popen[str]"], "Told"]:
    """Starts all processes at one moment; they, and what they will have been told is stored."""
    command = [sys.executable, "-m", "tests.service.at_once", place, given]
    processes = [
        subprocess.Popen(
            [*command, str(rng.randrange(1 << 30))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for _ in range(PROCESSES)
    ]
    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    told = Told(processes)
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return processes, told


class Told:
    """What processes print, read as it comes, so that none of them has to wait for a reader."""

    def __init__(self, processes: list["subprocess.Popen[str]"]) -> None:
        self._words: set[str] = set()
        self._threads = [threading.Thread(target=self._listen, args=(each,), daemon=True) for each in processes]
        for thread in self._threads:
            thread.start()

    def all(self) -> set[str]:
        for thread in self._threads:
            thread.join(60)
        return self._words

    def _listen(self, process: "subprocess.Popen[str]") -> None:
        for line in process.stdout or ():
            self._words.update(line.split())


def read_along(database: Database, account_id: str, ended: threading.Event, found: "queue.Queue[list[str]]") -> None:
    """What a reader finds who goes on from where it stopped, a few at a time, while others write."""
    ids: list[str] = []
    after = 0
    while True:
        last_look = ended.is_set()
        page = database.read_now(lambda conn, after=after: facts.since(conn, account_id, after, 5))
        ids += [each.fact.id for each in page.facts]
        after = page.facts[-1].sequence if page.facts else after
        if last_look and not page.facts:
            found.put(ids)
            return


async def at_once(database: Database, place: str, rng: random.Random) -> tuple[set[str], list[str], bool]:
    """What was acknowledged, what a reader found meanwhile, and whether what is remembered is what the facts say."""
    journal = Journal(database)

    def build(conn: Connection) -> tuple[object, list[str]]:
        device = builders.add_device(conn, builders.add_account(conn))
        return device, builders.add_route(conn, device, 4)

    device, ids = await journal.transact(build)
    processes, told = run_at_once(place, msgspec.json.encode((device, ids)).decode(), rng)
    ended = threading.Event()
    found: queue.Queue[list[str]] = queue.Queue()
    reader = threading.Thread(target=read_along, args=(database, device.account.id, ended, found), daemon=True)
    reader.start()
    deadline = time.monotonic() + 150
    assert [process.wait(max(0.0, deadline - time.monotonic())) for process in processes] == [0] * PROCESSES
    ended.set()
    read = found.get(timeout=60)
    before = database.read_now(standing)
    await journal.transact(lambda conn: refold(conn, device.account, ids))
    right = database.read_now(standing) == before
    await journal.close()
    return told.all(), read, right


async def test_a_reader_skips_and_repeats_no_event_while_many_processes_commit(
    database: Database, place: str, rng: random.Random
) -> None:
    acknowledged, read, right = await at_once(database, place, rng)
    assert Counter(read).most_common(1)[0][1] == 1
    assert set(read) == acknowledged and len(read) > 100
    assert right, "an order's state is not what its facts make of it"


async def overlapping(database: Database, place: str) -> tuple[list[str], list[str]]:
    """Two processes' commits of which the one that began first ends last, and a reader who reads on after each."""
    other = Database.open(place)
    first, second = Journal(database), Journal(other)
    device = await first.transact(lambda conn: builders.add_device(conn, builders.add_account(conn)))
    told, go_on = threading.Event(), threading.Event()

    def tell(conn: Connection, number: int) -> None:
        settle(conn, device, [builders.action(number, "on_duty", number)], builders.NOW_MS)

    def tell_slowly(conn: Connection) -> None:
        tell(conn, 1)
        told.set()
        go_on.wait(60)

    def read_on(after: int) -> list[facts.Arrived]:
        return database.read_now(lambda conn: facts.since(conn, device.account.id, after, 10)).facts

    slow = asyncio.create_task(first.transact(tell_slowly))
    await asyncio.to_thread(told.wait, 60)
    quick = asyncio.create_task(second.transact(lambda conn: tell(conn, 2)))
    waits = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    async with asyncio.timeout(60):
        while not quick.done() and not database.read_now(lambda conn: conn.scalar(waits)):
            await asyncio.sleep(0.01)
    read = read_on(0)
    go_on.set()
    await asyncio.gather(slow, quick)
    read += read_on(read[-1].sequence if read else 0)
    everything = read_on(0)
    for journal in (first, second):
        await journal.close()
    other.close()
    return [each.fact.id for each in read], [each.fact.id for each in everything]


async def test_a_reader_skips_nothing_where_two_commits_overlap(database: Database, place: str) -> None:
    read, everything = await overlapping(database, place)
    assert read == everything == [builders.name(1), builders.name(2)]


async def test_without_turns_a_reader_does_skip_so_that_the_test_before_can_fail(
    database: Database, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writers, "_TAKE_TURN", text("SELECT CAST(:key AS bigint)"))
    read, everything = await overlapping(database, place)
    assert everything == [builders.name(1), builders.name(2)] and read == [builders.name(2)]
