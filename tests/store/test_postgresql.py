"""What PostgreSQL alone has to show: many processes, lost connections, partitions."""

import asyncio
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from functools import partial
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, insert, select, text

from backend.domain.errors import Refusal
from backend.domain.positions import unpack_times_ms
from backend.store import compaction, tracks
from backend.store.database import Database
from backend.store.journal import Journal
from backend.store.postgresql import chunks as postgresql_chunks
from backend.store.postgresql import engine as engine_module
from backend.store.postgresql import errors, session
from backend.store.postgresql import partitions as postgresql_partitions
from backend.store.postgresql.partitions import WEEK_MS, name_of, week_of
from backend.store.tables import chunks, position_ids, skills, tails
from tests.postgresql import Cluster
from tests.postgresql import name_of as database_of
from tests.serving import ROOT
from tests.store.builders import NOON, drive, fix
from tests.store.severing import Severing, When
from tests.store.side_by_side import DRIVERS

PROCESSES = 3
NOON_MS = int(NOON * 1000)
pytestmark = pytest.mark.parametrize("engine", ["postgresql"])


def partitions(conn: Connection) -> set[str]:
    statement = "SELECT relname FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = 'chunks'::regclass"
    return set(conn.scalars(text(statement)))


def times(conn: Connection, driver_id: str) -> list[int]:
    bodies = conn.scalars(select(chunks.c.body).where(chunks.c.driver_id == driver_id))
    return [at_ms for body in bodies for at_ms in unpack_times_ms(body)]


def test_processes_that_start_at_once_on_nothing_store_each_position_once(
    postgresql: Cluster, engine: str, rng: random.Random
) -> None:
    """They bring the tables up to date at once, make partitions at once, and store the same drivers' fixes at once."""
    url = postgresql.empty()
    command = [sys.executable, "-m", "tests.store.side_by_side", url]
    processes = [
        subprocess.Popen(
            [*command, str(rng.randrange(1 << 30))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        for _ in range(PROCESSES)
    ]
    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    answers = []
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        out, _ = process.communicate(timeout=200)
        assert process.returncode == 0
        answers.append([int(word) for word in out.split()])
    database = Database.open(url)
    accepted = [sum(counts) for counts in zip(*answers, strict=True)]
    for driver_id, count in zip(DRIVERS, accepted, strict=True):
        stored = database.read_now(lambda conn, driver_id=driver_id: times(conn, driver_id))
        assert len(stored) == len(set(stored)) == count > 500
        track = database.read_now(lambda conn, driver_id=driver_id: tracks.track(conn, driver_id, 0, 1 << 60))
        assert [found.at_ms for found in track] == sorted(stored)
        tail = database.read_now(
            lambda conn, driver_id=driver_id: conn.execute(select(tails).where(tails.c.driver_id == driver_id)).one()
        )
        assert tail.last_ms == max(stored) and unpack_times_ms(tail.recent) == sorted(stored)[-6:]
    doubled = select(position_ids.c.driver_id, position_ids.c.at_ms)
    assert Counter(database.read_now(lambda conn: conn.execute(doubled).all())).most_common(1)[0][1] == 1
    database.close()
    postgresql.drop(url)


@pytest.mark.parametrize(("asked", "kept"), [("off", "on"), ("local", "local"), ("remote_apply", "remote_apply")])
async def test_a_commit_reaches_the_disk_before_it_returns_whatever_the_database_is_told(
    postgresql: Cluster, place: str, asked: str, kept: str
) -> None:
    name = database_of(place)
    postgresql.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = {asked}')
    assert postgresql.ask("SHOW synchronous_commit", name) == asked
    database = Database.open(place)
    journal = Journal(database)
    assert await journal.transact(lambda conn: conn.scalar(text("SHOW synchronous_commit"))) == kept
    await journal.close()
    database.close()


@pytest.mark.parametrize("when", ["before the commit", "after the commit"])
async def test_a_line_that_breaks_at_a_commit_loses_and_doubles_nothing(
    postgresql: Cluster, place: str, when: When, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the commit arrived or not: the caller gets its answer, and what was done was done once."""
    monkeypatch.setattr(session, "PATIENCE_S", 100.0)
    line = Severing(postgresql.folder)
    database = Database.open(place.replace(str(postgresql.folder), str(line.folder)))
    journal = Journal(database)
    runs = 0

    def change(conn: Connection) -> int:
        nonlocal runs
        runs += 1
        conn.execute(insert(skills).values(id=f"{when} {runs}", account_id="a", code="once", name=""))
        return runs

    await journal.transact(lambda conn: None)
    line.cut = when
    assert await journal.transact(change) == runs == (1 if when == "after the commit" else 2)
    found = select(skills.c.id)
    assert await database.read(lambda conn: conn.scalars(found).all()) == [f"{when} {runs}"]
    await journal.append("ana", drive(0, 10))
    line.cut = when
    appended = await journal.append("ana", drive(10, 10))
    assert (appended.accepted, appended.duplicates, appended.newest) == (10, 0, fix(19))
    assert line.cuts == 2
    await journal.close()
    database.close()
    line.close()


async def test_what_became_of_a_commit_is_asked_until_a_standby_has_taken_over(
    postgresql: Cluster, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who only reads as yet cannot tell, and what was done must not be done again for that."""
    monkeypatch.setattr(session, "PATIENCE_S", 100.0)
    monkeypatch.setattr(session, "FATE_S", 100.0)
    monkeypatch.setattr(session, "LONGEST_PAUSE_S", 0.05)
    line, name = Severing(postgresql.folder), database_of(place)
    database = Database.open(place.replace(str(postgresql.folder), str(line.folder)))
    journal = Journal(database)
    runs = waits = 0

    def change(conn: Connection) -> None:
        nonlocal runs
        runs += 1
        conn.execute(insert(skills).values(id=f"{runs}", account_id="a", code="once", name=""))
        if runs == 1:
            postgresql.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
            line.cut = "after the commit"

    def wait(seconds: float) -> None:
        nonlocal waits
        waits += 1
        if waits == 3:
            postgresql.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        time.sleep(seconds)

    await journal.transact(lambda conn: None)
    monkeypatch.setattr(session, "time", SimpleNamespace(monotonic=time.monotonic, sleep=wait))
    async with asyncio.timeout(100):
        await journal.transact(change)
    found = select(skills.c.id)
    assert await database.read(lambda conn: conn.scalars(found).all()) == ["1"] and runs == 1
    await journal.close()
    database.close()
    line.close()


def test_a_database_that_does_not_suit_is_refused_by_name_and_left_as_it_is(postgresql: Cluster, engine: str) -> None:
    postgresql.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    url = postgresql.fresh()
    name = database_of(url)
    postgresql.execute("UPDATE alembic_version SET version_num = '9999'", name)
    postgresql.execute("CREATE ROLE guest LOGIN")
    nothing = postgresql.empty()
    for where, told in (
        (postgresql.url("latin"), "ERR_STORAGE_UNKNOWN: .*LATIN1; it takes UTF8"),
        (url, "ERR_STORAGE_DAMAGED: .*newer version"),
        (nothing.replace("codriver@", "guest@"), "ERR_STORAGE: The user may not make tables"),
    ):
        with pytest.raises(Refusal, match=told):
            Database.open(where)
    assert postgresql.ask("SELECT version_num FROM alembic_version", name) == "9999"
    assert postgresql.ask("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", database_of(nothing)) == 0
    for each in (url, nothing, postgresql.url("latin")):
        postgresql.drop(each)


async def test_a_writer_whose_row_was_taken_for_a_forgotten_one_goes_on(
    journal: Journal, database: Database, postgresql: Cluster, place: str
) -> None:
    """As after three months, when another process starts."""
    await journal.transact(partial(_add, "before"))
    postgresql.execute("DELETE FROM writers", database_of(place))
    await journal.transact(partial(_add, "after"))
    assert (await journal.append("ana", drive(0, 10))).accepted == 10
    found = select(skills.c.id).order_by(skills.c.id)
    assert await database.read(lambda conn: conn.scalars(found).all()) == ["after", "before"]


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("53100", "ERR_STORAGE_FULL"),
        ("53200", "ERR_STORAGE"),
        ("58030", "ERR_STORAGE"),
        ("XX001", "ERR_STORAGE"),
        ("22001", "ERR_INVALID"),
        ("57014", "ERR_OVERLOADED"),
        ("25006", "ERR_UNAVAILABLE"),
        ("23505", None),
    ],
)
def test_what_the_server_has_trouble_with_is_told_by_a_code(state: str, code: str | None, engine: str) -> None:
    refusal = errors.refusal_of(psycopg.errors.lookup(state)())
    assert (refusal and refusal.code) == code


async def test_chunks_are_not_exchanged_while_somebody_looks_for_repeats_in_them(
    journal: Journal, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await journal.append("ana", drive(0, 100))
    groups = await database.read(lambda conn: compaction.ripe(conn, "ana", 0, 1 << 50))
    made = [(group, await database.read(partial(_merged, group))) for group in groups]
    looking, exchanged = threading.Event(), threading.Event()
    genuine = postgresql_chunks.bodies

    def bodies(*given: Any) -> Any:
        looking.set()
        exchanged.wait(0.7)
        return genuine(*given)

    monkeypatch.setattr(postgresql_chunks, "bodies", bodies)
    again = asyncio.create_task(journal.append("ana", drive(0, 100)))
    await asyncio.to_thread(looking.wait, 60)
    exchanging = asyncio.create_task(journal.transact(lambda conn: compaction.replace(conn, made)))
    exchanging.add_done_callback(lambda _: exchanged.set())
    async with asyncio.timeout(60):
        assert (await again).duplicates == 100
        await exchanging
    assert len(await database.read(lambda conn: times(conn, "ana"))) == 100


def _merged(group: compaction.Group, conn: Connection) -> Any:
    return compaction.merged(conn, group)


def _add(code: str, conn: Connection) -> None:
    conn.execute(insert(skills).values(id=code, account_id="a", code=code, name=""))


async def test_while_a_move_has_the_database_for_itself_everybody_else_waits(
    journal: Journal, database: Database
) -> None:
    """Neither positions nor anything else may come to what is being copied and compared."""
    assert isinstance(database.engine, engine_module.Postgresql)
    await journal.append("ana", drive(0, 1))
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    with database.engine.exclusively():
        others = [
            asyncio.create_task(each)
            for each in (journal.append("ana", drive(10, 5)), journal.transact(partial(_add, "later")))
        ]
        async with asyncio.timeout(60):
            while await database.read(lambda conn: conn.scalar(waiting)) < 2:
                await asyncio.sleep(0.01)
        assert not any(each.done() for each in others)
    async with asyncio.timeout(60):
        await asyncio.gather(*others)


async def test_old_partitions_are_dropped_and_others_wait_for_nothing(journal: Journal, database: Database) -> None:
    week = week_of(NOON_MS)
    for weeks in (-5, -4, 0):
        await journal.append("ana", [fix(weeks * WEEK_MS // 1000)])
    there = {name_of(week + weeks * WEEK_MS) for weeks in (-5, -4, 0)}
    assert await database.read(partitions) == there
    before_ms = week - 4 * WEEK_MS
    await journal.transact(lambda conn: tracks.clear(conn, before_ms, NOON_MS))
    assert await database.read(partitions) == there - {name_of(week - 5 * WEEK_MS)}
    older = NOON_MS - 86_400_000
    assert await database.read(lambda conn: tracks.with_older(conn, ["ana", "ivo"], older)) == ["ana"]
    await journal.transact(lambda conn: tracks.delete_before(conn, "ana", older))
    assert await database.read(lambda conn: tracks.with_older(conn, ["ana", "ivo"], older)) == []
    await journal.transact(lambda conn: tracks.clear(conn, None, NOON_MS))
    assert await database.read(partitions) == {name_of(week)}
    again = await journal.append("ana", [fix(-4 * WEEK_MS // 1000), fix(0), fix(1)])
    assert (again.accepted, again.duplicates) == (2, 1)
    assert len(await database.read(lambda conn: times(conn, "ana"))) == 3


async def test_a_chunk_lies_in_one_week_and_a_range_reads_only_its_weeks(journal: Journal, database: Database) -> None:
    monday = week_of(NOON_MS) + WEEK_MS
    first = round((monday - NOON_MS) / 1000) - 50
    assert (await journal.append("ana", drive(first, 100))).accepted == 100
    spans = await database.read(lambda conn: conn.execute(select(chunks.c.first_ms, chunks.c.last_ms)).all())
    assert sorted(map(tuple, spans)) == [(monday - 50_000, monday - 1_000), (monday, monday + 49_000)]
    found = await database.read(lambda conn: tracks.track(conn, "ana", monday - 2_000, monday + 2_000))
    assert found == drive(first + 48, 4)


def test_every_text_is_compared_by_its_bytes(database: Database) -> None:
    """As in SQLite; the database's own locale would order pages of lists in another way than Python does."""
    other = text(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()"
        " AND data_type IN ('text', 'character varying') AND collation_name IS DISTINCT FROM 'C'"
        " AND table_name != 'alembic_version'"
    )
    assert database.read_now(lambda conn: conn.execute(other).all()) == []


async def test_readers_go_on_while_partitions_come_and_go(
    journal: Journal, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql_partitions, "PATIENCE_MS", 100_000)  # a reader may get no processor
    week = week_of(NOON_MS)
    ended = asyncio.Event()

    async def read_on() -> int:
        reads = 0
        while not ended.is_set():
            await database.read(lambda conn: tracks.track(conn, "ana", 0, 1 << 60))
            reads += 1
        return reads

    reading = [asyncio.create_task(read_on()) for _ in range(4)]
    for weeks in range(-30, -20):
        await journal.append("ana", [fix(weeks * WEEK_MS // 1000), fix(0)])
        await journal.transact(partial(_clear, week + (weeks + 1) * WEEK_MS))
    ended.set()
    async with asyncio.timeout(60):
        assert min(await asyncio.gather(*reading)) > 0
    assert await database.read(partitions) == {name_of(week)}


def _clear(before_ms: int, conn: Connection) -> None:
    tracks.clear(conn, before_ms, NOON_MS)


async def test_what_is_too_long_to_store_or_to_look_up_is_refused_alone(journal: Journal, rng: random.Random) -> None:
    long = "".join(chr(rng.randrange(0x4E00, 0x9FFF)) for _ in range(5000))  # an index takes a third of a page
    row = {"id": "1", "account_id": "a", "code": long, "name": ""}
    work = [
        lambda conn, row=row: conn.execute(insert(skills).values(row)),
        partial(_add, "good"),
        partial(_add, "x" * 99),
    ]
    told = await asyncio.gather(*(journal.transact(each) for each in work), return_exceptions=True)
    assert [getattr(each, "code", each) for each in told] == ["ERR_INVALID", None, "ERR_INVALID"]


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("postgresql://someone:hush@127.0.0.1:1/codriver", "ERR_UNAVAILABLE"),
        ("postgresql://:::/hush", "ERR_STORAGE_UNKNOWN"),
    ],
)
def test_a_server_that_is_not_there_is_told_without_its_password(
    url: str, code: str, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "START_S", 0.3)
    with pytest.raises(Refusal, match=code) as told:
        Database.open(url)
    assert "hush" not in str(told.value)


def test_a_database_of_another_program_is_refused_and_left_as_it_is(postgresql: Cluster, engine: str) -> None:
    url = postgresql.empty()
    postgresql.execute("CREATE TABLE orders (id int)", name := "test" + url.partition("/test")[2].partition("?")[0])
    with pytest.raises(Refusal, match="ERR_STORAGE_DAMAGED"):
        Database.open(url)
    postgresql.execute("INSERT INTO orders VALUES (1)", name)
    postgresql.drop(url)
