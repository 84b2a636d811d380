import asyncio
import sqlite3
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Connection, func, insert, select, text

from backend.domain.errors import Refusal
from backend.domain.positions import Position
from backend.service import field
from backend.store import journal as journal_module
from backend.store import tracks
from backend.store.batches import Batch, Row, Tail
from backend.store.database import Database
from backend.store.journal import Journal
from backend.store.sqlite import writer as sqlite_writer
from backend.store.sqlite.engine import Sqlite
from backend.store.tables import chunks, skills
from tests.serving import eventually
from tests.store.builders import NOON, drive, fix

only_sqlite = pytest.mark.parametrize("engine", ["sqlite"])
DAY_MS = (int(NOON * 1000) - 43_200_000, int(NOON * 1000) + 43_200_000)


def add(code: str) -> Any:
    def change(conn: Connection) -> int:
        conn.execute(insert(skills).values(id=code, account_id="a", code=code, name=code))
        return 1

    return change


def codes(conn: Connection) -> list[str]:
    return list(conn.scalars(select(skills.c.code).order_by(skills.c.code)))


async def test_what_is_answered_can_be_read(journal: Journal, database: Database) -> None:
    assert await journal.transact(add("ADR")) == 1
    assert await database.read(codes) == ["ADR"]


async def test_what_one_function_raises_undoes_its_own_change_alone(journal: Journal, database: Database) -> None:
    def half(conn: Connection) -> None:
        add("HALF")(conn)
        raise Refusal("ERR_NO", "not this one")

    def no_more(conn: Connection) -> None:
        next(iter(()))

    works = (add("A"), half, add("B"), add("A"), lambda conn: 1 // 0, no_more, add("C"))
    async with asyncio.timeout(60):
        answers = await asyncio.gather(*map(journal.transact, works), return_exceptions=True)
    kinds = [type(answer).__name__ for answer in answers]
    assert kinds == ["int", "Refusal", "int", "IntegrityError", "ZeroDivisionError", "RuntimeError", "int"]
    assert await database.read(codes) == ["A", "B", "C"]


async def test_half_a_queue_is_a_crowd_until_it_is_committed(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """From then on phones are refused before their bodies are read: ``field.admit``."""
    monkeypatch.setattr(journal_module, "MOST_WAITING", 6)
    gate = threading.Event()
    waiting = [asyncio.create_task(journal.transact(lambda conn: gate.wait(60)))]
    while journal.waiting != 1:
        await asyncio.sleep(0)
    assert not journal.crowded
    waiting += [asyncio.create_task(journal.transact(add(f"S{n}"))) for n in range(2)]
    while journal.waiting != 3:
        await asyncio.sleep(0)
    with pytest.raises(Refusal, match="ERR_OVERLOADED"):
        field.admit(SimpleNamespace(journal=journal))
    gate.set()
    await asyncio.gather(*waiting)
    field.admit(SimpleNamespace(journal=journal))


async def test_there_is_room_for_what_the_disk_takes_soon(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "COMMITS", 1_000_000)
    monkeypatch.setattr(journal_module, "LONG_S", 3600.0)
    monkeypatch.setattr(journal_module, "STALLED_S", 60.0)
    monkeypatch.setattr(journal_module, "MANY", 2)
    assert journal.room == 2, "nobody knows the disk yet"
    for n in range(20):
        await journal.append("driver", drive(n, 1))
    assert journal.room > 20, "what is committed in an hour"
    monkeypatch.setattr(journal_module, "LONG_S", 0.0)
    assert journal.room == 0, "but not for longer than that"
    monkeypatch.setattr(journal_module, "STALLED_S", 0.01)
    gate = threading.Event()
    monkeypatch.setattr(journal._positions._writer, "commit", _held(journal._positions._writer.commit, gate))
    stuck = asyncio.create_task(journal.append("driver", drive(99, 1)))
    async with asyncio.timeout(60):
        while journal.room < 2:
            await asyncio.sleep(0.01)
    gate.set()
    await stuck
    assert journal.room == 0, "only while it is slow"


def _held(commit: Any, gate: threading.Event) -> Any:
    def held(entries: list[Any]) -> None:
        gate.wait(60)
        commit(entries)

    return held


async def test_what_waits_shares_a_commit(journal: Journal) -> None:
    gate = threading.Event()
    first = asyncio.create_task(journal.transact(lambda conn: gate.wait(60)))
    while journal.waiting != 1:
        await asyncio.sleep(0)
    rest = [asyncio.create_task(journal.append(f"driver{n}", drive(0, 10))) for n in range(50)]
    rest += [asyncio.create_task(journal.transact(add(f"S{n}"))) for n in range(50)]
    while journal.waiting != 101:
        await asyncio.sleep(0)
    gate.set()
    async with asyncio.timeout(60):
        await asyncio.gather(first, *rest)
    assert journal.commits <= 3


async def test_a_caller_who_gives_up_changes_nothing_for_the_others(journal: Journal, database: Database) -> None:
    gate = threading.Event()
    blocked = asyncio.create_task(journal.transact(lambda conn: gate.wait(60)))
    gone = asyncio.create_task(journal.transact(add("GONE")))
    stays = asyncio.create_task(journal.transact(add("STAYS")))
    await asyncio.sleep(0)
    gone.cancel()
    gate.set()
    async with asyncio.timeout(60):
        await asyncio.gather(blocked, stays)
    assert gone.cancelled()
    assert "STAYS" in await database.read(codes)
    assert journal.waiting == 0


async def test_too_long_a_queue_is_refused_at_once(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "MOST_WAITING", 3)
    gate = threading.Event()
    held = [asyncio.create_task(journal.transact(lambda conn: gate.wait(60))) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(Refusal, match="ERR_OVERLOADED"):
        await journal.transact(add("X"))
    gate.set()
    async with asyncio.timeout(60):
        await asyncio.gather(*held)
        assert await journal.transact(add("X")) == 1


async def test_too_many_bytes_are_refused_at_once(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "MOST_WAITING_BYTES", 1000)
    with pytest.raises(Refusal, match="ERR_OVERLOADED"):
        await journal.append("ana", drive(0, 100))
    assert (await journal.append("ana", drive(0, 5))).accepted == 5


@only_sqlite
async def test_a_full_disk_is_told_and_nothing_is_half_stored(journal: Journal, database: Database) -> None:
    assert (await journal.append("ana", drive(0, 100))).accepted == 100
    pages = await journal.transact(lambda conn: conn.exec_driver_sql("PRAGMA page_count").scalar_one())
    await journal.transact(lambda conn: conn.exec_driver_sql(f"PRAGMA max_page_count={pages + 4}").scalar_one())
    refused = 0
    stored = 100
    for number in range(1, 20):
        try:
            stored += (await journal.append("ana", drive(number * 100, 100))).accepted
        except Refusal as refusal:
            assert refusal.code == "ERR_STORAGE_FULL"
            refused += 1
    assert refused > 10
    assert await database.read(lambda conn: conn.scalar(select(func.sum(chunks.c.count)))) == stored  # reads go on
    with pytest.raises(Refusal, match="ERR_STORAGE_FULL"):
        await journal.transact(
            lambda conn: conn.execute(insert(skills).values(id="b", account_id="a", code="b", name="c" * 99999))
        )
    await journal.transact(lambda conn: conn.exec_driver_sql("PRAGMA max_page_count=1000000").scalar_one())
    answer = await journal.append("ana", drive(0, 2000))
    assert (answer.accepted, answer.duplicates) == (2000 - stored, stored)


async def _together(journal: Journal, batches: list[tuple[str, list[Position]]]) -> list[Any]:
    """What became of batches that shared a commit."""
    gate = threading.Event()
    blocked = asyncio.create_task(journal.transact(lambda conn: gate.wait(60)))
    while journal.waiting != 1:
        await asyncio.sleep(0)
    sending = [asyncio.create_task(journal.append(name, fixes)) for name, fixes in batches]
    await asyncio.sleep(0)
    gate.set()
    answers = await asyncio.gather(*sending, return_exceptions=True)
    await blocked
    return answers


async def test_one_batch_that_cannot_be_stored_fails_alone(
    journal: Journal, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    healthy = tracks._moved

    def moved(tail: Tail, batch: Batch) -> tuple[Tail, Position | None]:
        if batch.driver_id == "bad":
            raise ValueError("a format of the future")
        return healthy(tail, batch)

    monkeypatch.setattr(tracks, "_moved", moved)
    names = ["ana", "bad", "ivo", "ana"]
    answers = await _together(journal, [(name, drive(0, 10)) for name in names])
    assert [getattr(answer, "accepted", None) for answer in answers] == [10, None, 10, 0]
    assert await database.read(lambda conn: conn.scalar(select(func.sum(chunks.c.count)))) == 20
    # Now that all are known, nothing has to be looked up any more
    answers = await _together(journal, [(name, drive(at, 10)) for name, at in zip(names, (10, 0, 10, 20), strict=True)])
    assert [getattr(answer, "accepted", None) for answer in answers] == [10, None, 10, 10]
    assert await database.read(lambda conn: conn.scalar(select(func.sum(chunks.c.count)))) == 50


@only_sqlite
async def test_what_cannot_be_stored_by_one_statement_is_stored_in_a_transaction(
    journal: Journal, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_writer, "DRIVERS_KNOWN", 1)
    await journal.append("ana", drive(0, 10))
    begun = []

    def fails(driver: sqlite3.Connection, rows: list[Row]) -> None:
        begun.append(driver.execute("BEGIN IMMEDIATE").connection.in_transaction)
        raise ValueError("a value that is none")

    monkeypatch.setattr(sqlite_writer.chunks, "insert_alone", fails)
    assert (await journal.append("ana", drive(10, 10))).accepted == 10
    assert begun == [True], "and is undone"
    assert (await journal.append("ivo", drive(0, 5))).accepted == 5
    assert await database.read(lambda conn: tracks.track(conn, "ana", *DAY_MS)) == drive(0, 20)


async def test_batches_behind_what_is_stored_are_one_statement_and_are_told_the_same(
    journal: Journal, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["ana", "ivo", "mia"]
    await asyncio.gather(*(journal.append(name, drive(0, 10)) for name in names))
    looked_up: list[Any] = []
    original = tracks.store
    monkeypatch.setattr(tracks, "store", lambda *args, **named: looked_up.append(args) or original(*args, **named))
    batches = [("ana", drive(10, 10)), ("ivo", [*drive(10, 5), *drive(10, 5)]), ("ana", drive(20, 3))]
    appended = await asyncio.gather(*(journal.append(*batch) for batch in batches))
    assert [(each.accepted, each.duplicates) for each in appended] == [(10, 0), (5, 5), (3, 0)]
    assert appended[2].newest == fix(22)
    [late] = await asyncio.gather(journal.append("ana", drive(15, 10)))
    assert (late.accepted, late.duplicates) == (2, 8)
    if isinstance(database.engine, Sqlite):
        assert len(looked_up) == 1, "only what was late is looked up"
    assert await database.read(lambda conn: tracks.track(conn, "ana", *DAY_MS)) == drive(0, 25)


@only_sqlite
def test_what_is_committed_after_its_callers_have_gone_is_stored_all_the_same(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """As where the server ends while its disk stands still."""
    begun, over = threading.Event(), threading.Event()

    def slowly(conn: Connection) -> None:
        begun.set()
        assert over.wait(60)
        add("A")(conn)

    async def leave() -> Journal:
        journal = Journal(database)
        changing = asyncio.ensure_future(journal.transact(slowly))
        assert await asyncio.to_thread(begun.wait, 60) and not changing.done()
        return journal

    journal = asyncio.run(leave())
    over.set()
    eventually(lambda: "after their callers' loop had ended" in caplog.text)
    assert database.read_now(codes) == ["A"]
    journal._changes._queue.put(None)
    journal._changes._thread.join(60)


async def test_closing_stores_what_waits_and_refuses_what_comes_later(database: Database) -> None:
    journal = Journal(database)
    waiting = [asyncio.create_task(journal.append("ana", drive(n * 10, 10))) for n in range(200)]
    await asyncio.sleep(0)
    await journal.close()
    assert sum(answer.accepted for answer in await asyncio.gather(*waiting)) == 2000
    with pytest.raises(Refusal, match="ERR_OVERLOADED"):
        await journal.append("ana", [fix(9999)])
    assert database.read_now(lambda conn: len(tracks.track(conn, "ana", *DAY_MS))) == 2000


@only_sqlite
async def test_the_log_is_moved_into_the_database(
    journal: Journal, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_writer, "LOG_GROWTH_BYTES", 200_000)
    monkeypatch.setattr(sqlite_writer, "LOG_FILE_BYTES", 400_000)
    for number in range(100):
        await journal.append("ana", drive(number * 200, 200))
    path = database.engine.path
    assert path.with_name(path.name + "-wal").stat().st_size < 2_000_000
    async with asyncio.timeout(60):
        while path.stat().st_size < 1_000_000:  # the last of it goes there after it was acknowledged
            await asyncio.sleep(0.01)
    assert await database.read(lambda conn: conn.execute(text("PRAGMA integrity_check")).scalar_one()) == "ok"
