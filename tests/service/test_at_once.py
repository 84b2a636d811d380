"""Several processes on one PostgreSQL that act on the same orders at once."""

import queue
import random
import subprocess
import sys
import threading
import time
from collections import Counter

import msgspec
import pytest
from sqlalchemy import Connection, select

from backend.service.settle import refold
from backend.store import facts
from backend.store.database import Database
from backend.store.journal import Journal
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


def run_at_once(
    place: str, given: str, turns: str, rng: random.Random
) -> tuple[list["subprocess.Popen[str]"], set[str]]:
    """Starts all processes at one moment; they, and what they will have been told is stored when they have ended."""
    command = [sys.executable, "-m", "tests.service.at_once", place, given]
    processes = [
        subprocess.Popen(
            [*command, str(rng.randrange(1 << 30)), turns],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for _ in range(PROCESSES)
    ]
    acknowledged: set[str] = set()

    def listen(process: "subprocess.Popen[str]") -> None:
        for line in process.stdout or ():
            acknowledged.update(line.split())

    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in processes:
        threading.Thread(target=listen, args=(process,), daemon=True).start()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return processes, acknowledged


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


async def at_once(database: Database, place: str, turns: str, rng: random.Random) -> tuple[set[str], list[str], bool]:
    """What was acknowledged, what a reader found meanwhile, and whether what is remembered is what the facts say."""
    journal = Journal(database)

    def build(conn: Connection) -> tuple[object, list[str]]:
        device = builders.add_device(conn, builders.add_account(conn))
        return device, builders.add_route(conn, device, 4)

    device, ids = await journal.transact(build)
    processes, acknowledged = run_at_once(place, msgspec.json.encode((device, ids)).decode(), turns, rng)
    ended = threading.Event()
    found: queue.Queue[list[str]] = queue.Queue()
    reader = threading.Thread(target=read_along, args=(database, device.account.id, ended, found), daemon=True)
    reader.start()
    deadline = time.monotonic() + 60
    assert [process.wait(max(0.0, deadline - time.monotonic())) for process in processes] == [0] * PROCESSES
    ended.set()
    read = found.get(timeout=30)
    before = database.read_now(standing)
    await journal.transact(lambda conn: refold(conn, device.account, ids))
    right = database.read_now(standing) == before
    await journal.close()
    return acknowledged - {"ready"}, read, right


@pytest.mark.timeout(120)
async def test_a_reader_skips_and_repeats_no_event_while_many_processes_commit(
    database: Database, place: str, rng: random.Random
) -> None:
    acknowledged, read, right = await at_once(database, place, "turns", rng)
    assert Counter(read).most_common(1)[0][1] == 1
    assert set(read) == acknowledged and len(read) > 100
    assert right, "an order's state is not what its facts make of it"


@pytest.mark.timeout(120)
async def test_without_turns_a_reader_does_skip_events_so_that_the_test_before_can_fail(
    database: Database, place: str, rng: random.Random
) -> None:
    acknowledged, read, _ = await at_once(database, place, "none", rng)
    assert acknowledged - set(read), "nothing was skipped: the test of turns shows nothing"
