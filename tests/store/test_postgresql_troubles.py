"""What becomes of what waits, and of what was acknowledged, when PostgreSQL has troubles."""

import asyncio
import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, insert, select, text

from backend.domain.errors import Refusal
from backend.store.database import Database
from backend.store.journal import Journal
from backend.store.postgresql import connect, session
from backend.store.postgresql.writers import TURN
from backend.store.tables import skills
from tests.postgresql import Cluster
from tests.store.builders import drive

pytestmark = pytest.mark.parametrize("engine", ["postgresql"])


async def test_a_process_that_hangs_in_a_turn_holds_the_others_up_for_some_seconds_only(
    database: Database, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Database.open(place)
    with monkeypatch.context() as patched:
        patched.setattr(connect, "STUCK_S", 1.0)
        hanging = Journal(other)
    journal = Journal(database)
    held, over = threading.Event(), threading.Event()

    def hang(conn: Connection) -> None:
        held.set()
        over.wait(100)

    stuck = asyncio.create_task(hanging.transact(hang))
    async with asyncio.timeout(60):
        await asyncio.to_thread(held.wait)
        await journal.transact(partial(_add, "next"))
    assert not stuck.done()
    stuck.cancel()
    over.set()
    await journal.close()
    await hanging.close()
    other.close()


@pytest.mark.parametrize("state", ["40001", "40P01", "57P01", "57P03", "53300", "08006"])
async def test_what_passes_is_done_again_and_once(
    journal: Journal, database: Database, state: str, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Serialization failures, deadlocks, and a server that says that it cannot just now."""
    monkeypatch.setattr(session, "PATIENCE_S", 100.0)
    runs = []

    def change(conn: Connection) -> None:
        _add(f"tried {len(runs)}", conn)
        runs.append(state)
        if len(runs) == 1:
            conn.exec_driver_sql(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$")

    neighbour = partial(_add, "neighbour")
    await asyncio.gather(journal.transact(change), journal.transact(neighbour))
    found = select(skills.c.id).order_by(skills.c.id)
    assert await database.read(lambda conn: conn.scalars(found).all()) == ["neighbour", "tried 1"]


async def test_of_two_that_wait_for_each_other_ours_is_undone_and_done_again(
    journal: Journal, database: Database, place: str, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has waited for a second looks whether it waits for ever: here always ours, as it waits last."""
    monkeypatch.setattr(session, "PATIENCE_S", 100.0)
    await journal.transact(lambda conn: [_add(code, conn) for code in ("a", "b")])
    held, theirs, runs = threading.Event(), threading.Event(), []

    def change(conn: Connection) -> None:
        runs.append(1)
        conn.execute(text("UPDATE skills SET name = name || '1' WHERE id = 'b'"))
        theirs.set()
        while len(runs) == 1 and not conn.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
            time.sleep(0.01)
        conn.execute(text("UPDATE skills SET name = name || '2' WHERE id = 'a'"))

    def other() -> None:
        with psycopg.connect(place) as connection:
            connection.execute("SET deadlock_timeout = '100s'")
            connection.execute("UPDATE skills SET name = 'x' WHERE id = 'a'")
            held.set()
            theirs.wait(60)
            connection.execute("UPDATE skills SET name = 'y' WHERE id = 'b'")

    waiting = asyncio.create_task(asyncio.to_thread(other))
    await asyncio.to_thread(held.wait, 60)
    async with asyncio.timeout(60):
        await journal.transact(change)
        await waiting
    named = select(skills.c.name).order_by(skills.c.id)
    assert len(runs) == 2 and await database.read(lambda conn: conn.scalars(named).all()) == ["x2", "y1"]


async def test_what_takes_too_long_is_refused_alone_and_holds_nobody_up(
    place: str, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    """A statement without end, a turn that somebody keeps, and more slow reads than there are readers."""
    monkeypatch.setattr(connect, "TURN_S", 0.7)  # which is for locks alone: who meets none is not in a hurry
    database = Database.open(place)
    journal = Journal(database)

    async def refused(work: Any) -> None:
        with pytest.raises(Refusal, match="ERR_OVERLOADED"):
            await work

    def endless(conn: Connection) -> None:
        """With a limit of its own, as a short one for all would be too short for the others on a busy machine."""
        conn.execute(text("SET LOCAL statement_timeout = 1000"))
        conn.execute(text("SELECT pg_sleep(200)"))

    limit = text("SELECT setting::int / 1000.0 FROM pg_settings WHERE name = 'statement_timeout'")
    async with asyncio.timeout(100):
        assert await database.read(lambda conn: conn.scalar(limit)) == connect.READ_S
        assert await journal.transact(lambda conn: conn.scalar(limit)) == connect.WRITE_S
        slow = [refused(database.read(endless)) for _ in range(20)]
        stuck = refused(journal.transact(endless))
        beside = journal.transact(partial(_add, "beside"))
        appended = journal.append("ana", drive(0, 10))
        await asyncio.gather(*slow, stuck, beside, appended)
        assert await database.read(lambda conn: conn.scalar(select(skills.c.id))) == "beside"
        with psycopg.connect(place) as holding:
            holding.execute("SELECT pg_advisory_xact_lock(%s)", [TURN])
            await refused(journal.transact(partial(_add, "waited")))
            assert (await journal.append("ana", drive(10, 10))).accepted == 10
        await journal.transact(partial(_add, "after"))
    await journal.close()
    database.close()


async def test_a_long_read_may_last_longer_than_others_but_not_without_end_and_leaves_their_threads_alone(
    place: str, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    with monkeypatch.context() as hurried:
        hurried.setattr(connect, "READ_S", 0.5)
        database = Database.open(place)
        over = threading.Event()

        def lasting(seconds: float) -> Callable[[Connection], int]:
            return lambda conn: int(conn.scalar(text(f"SELECT 7 FROM pg_sleep({seconds})")) or 0)

        def held(conn: Connection) -> int:
            over.wait(60)
            return lasting(0.8)(conn)

        async with asyncio.timeout(100):
            with pytest.raises(Refusal, match="ERR_OVERLOADED"):
                await database.read(lasting(1))
            long = [asyncio.create_task(database.read_long(held)) for _ in range(6)]
            while True:  # half a second may be too little for it where others have the processor
                with contextlib.suppress(Refusal):
                    assert await database.read(lasting(0)) == 7
                    break
            assert not any(each.done() for each in long)
            over.set()
            assert await asyncio.gather(*long) == [7] * 6
            with monkeypatch.context() as ending, pytest.raises(Refusal, match="ERR_OVERLOADED"):
                ending.setattr(connect, "LONG_READ_S", 1.0)
                await database.read_long(lasting(200))
            with pytest.raises(Refusal, match="ERR_OVERLOADED"):
                await database.read(lasting(1))  # the same connection, which has its usual limit again
    database.close()


async def test_who_may_have_few_connections_only_is_slower_and_loses_nothing(
    postgresql: Cluster, place: str, engine: str
) -> None:
    """Two for those who write, and one or two for eight readers."""
    postgresql.execute("CREATE ROLE few LOGIN IN ROLE codriver CONNECTION LIMIT 4")
    database = Database.open(place.replace("codriver@", "few@"))
    journal = Journal(database)
    refused: Counter[str] = Counter()

    async def insist(work: Callable[[], Any]) -> Any:
        while True:
            try:
                return await work()
            except Refusal as refusal:
                refused[refusal.code] += 1
                await asyncio.sleep(0.05)

    def slowly(conn: Connection) -> int:
        return int(conn.scalar(text("SELECT 7 FROM pg_sleep(0.01)")) or 0)

    async with asyncio.timeout(200):
        reads = [insist(partial(database.read, slowly)) for _ in range(150)]
        writes = [insist(partial(journal.append, f"d{n}", drive(n, 5))) for n in range(50)]
        changes = [insist(partial(journal.transact, partial(_add, f"c{n}"))) for n in range(50)]
        told = await asyncio.gather(*reads, *writes, *changes)
    assert told[:150] == [7] * 150 and all(each.accepted == 5 for each in told[150:200])
    assert refused.keys() <= {"ERR_UNAVAILABLE", "ERR_OVERLOADED"}
    assert await database.read(lambda conn: len(conn.scalars(select(skills.c.id)).all())) == 50
    await journal.close()
    database.close()


def _add(code: str, conn: Connection) -> None:
    conn.execute(insert(skills).values(id=code, account_id="a", code=code, name=""))
