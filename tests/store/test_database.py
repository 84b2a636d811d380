import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, insert, inspect, select, text
from sqlalchemy.exc import DBAPIError

from backend.domain.errors import Refusal
from backend.store import database as database_module
from backend.store.database import Database
from backend.store.journal import Journal
from backend.store.postgresql import connect
from backend.store.sqlite import engine as sqlite_engine
from backend.store.tables import metadata, postgresql_metadata, skills
from tests.serving import ROOT

BUSY = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) SELECT count(*) FROM n"
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


@contextmanager
def made_from_the_code(engine: str, request: pytest.FixtureRequest) -> Iterator[Connection]:
    """A database whose tables the code's descriptions made, without a migration."""
    if engine == "sqlite":
        with create_engine("sqlite://").connect() as conn:
            metadata.create_all(conn)
            yield conn
        return
    postgresql = request.getfixturevalue("postgresql")
    url = postgresql.empty()
    with create_engine(connect.url_of(url)).connect() as conn:
        metadata.create_all(conn)
        postgresql_metadata.create_all(conn)
        yield conn
        conn.rollback()
        conn.close()
        conn.engine.dispose()
    postgresql.drop(url)


def schema(conn: Connection) -> dict[str, object]:
    """Everything of every table, as the engine itself tells it."""
    if conn.dialect.name == "sqlite":
        own = "'alembic_version', 'sqlite_stat1'"
        statement = f"SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT IN ({own})"
        return {
            name: " ".join(sql.replace(",", " , ").replace(")", " ) ").split())
            for name, sql in conn.execute(text(statement))
        }
    told = inspect(conn)
    found: dict[str, object] = {}
    for name in set(told.get_table_names()) - {"alembic_version"}:
        columns = [column | {"type": repr(column["type"])} for column in told.get_columns(name)]
        found[name] = (
            columns,
            told.get_pk_constraint(name),
            sorted(told.get_indexes(name), key=lambda index: index["name"] or ""),
            told.get_table_options(name),
            conn.scalar(text("SELECT pg_get_partkeydef(CAST(:name AS regclass))"), {"name": name}),
        )
    return found


def test_the_migrations_make_the_tables_that_the_code_expects(
    engine: str, database: Database, request: pytest.FixtureRequest
) -> None:
    described = [metadata, postgresql_metadata] if engine == "postgresql" else metadata
    with made_from_the_code(engine, request) as expected:
        assert database.read_now(schema) == schema(expected)
    assert database.read_now(lambda conn: compare_metadata(MigrationContext.configure(conn), described)) == []


def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises((DBAPIError, Refusal), match=r"readonly|read-only|cannot be written|ERR_UNAVAILABLE"):
        database.read_now(lambda conn: conn.execute(text("DELETE FROM orders")))


def test_a_read_that_lasts_too_long_is_ended(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as hurried:
        hurried.setattr(sqlite_engine, "PATIENCE_S", 0.2)
        hurried.setattr(connect, "READ_S", 0.2)
        database = Database.open(place)
        started = time.monotonic()
        with pytest.raises(Refusal, match="ERR_OVERLOADED"):
            database.read_now(lambda conn: conn.execute(text(ENDLESS)).scalar())
        with pytest.raises(Refusal, match="ERR_OVERLOADED"):
            database.read_now(lambda conn: [conn.execute(text(BUSY)).all() for _ in iter(int, 1)])
        assert time.monotonic() - started < 30
    assert database.engine.read(lambda conn: conn.execute(text("SELECT 1")).scalar(), long=True) == 1
    database.close()


async def test_text_is_sorted_and_compared_by_its_bytes(journal: Journal, database: Database) -> None:
    """Whatever the locale: lists are read in pages by it, and Python compares by it too."""
    words = ["~", "_", "Z", "a", "2026-01-01", "10", "9", "É", "z", "aB"]
    rows = [{"id": word, "account_id": "a", "code": word, "name": word} for word in words]
    await journal.transact(lambda conn: conn.execute(insert(skills), rows).close())
    after = select(skills.c.code).where(skills.c.code > "9").order_by(skills.c.code)
    assert await database.read(lambda conn: conn.scalars(after).all()) == sorted(word for word in words if word > "9")


async def test_any_character_can_be_looked_for_and_none_is_an_error(journal: Journal, database: Database) -> None:
    await journal.transact(
        lambda conn: conn.execute(insert(skills).values(id="1", account_id="a", code="a\x00b", name="ж🚚"))
    )
    found = select(skills.c.name).where(skills.c.code == "a\x00b")
    assert await database.read(lambda conn: conn.scalar(found)) == "ж🚚"


def test_an_unknown_kind_of_database_is_refused() -> None:
    with pytest.raises(Refusal, match="ERR_STORAGE_UNKNOWN"):
        Database.open("mysql://somewhere/codriver")


def test_without_its_library_postgresql_alone_is_refused_by_name() -> None:
    program = """
import sys
sys.modules["psycopg"] = None
import backend.serving
from backend.store.database import Database
Database.open("postgresql://someone:hush@somewhere/codriver")
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=100)
    told = ended.stderr.splitlines()[-1]
    assert "ERR_STORAGE_UNKNOWN" in told and "psycopg" in told and "hush" not in told


@pytest.mark.parametrize("kind", ["read", "read_long"])
async def test_reads_are_counted_until_they_have_ended(database: Database, kind: str) -> None:
    may_end = threading.Event()
    reading = [asyncio.create_task(getattr(database, kind)(lambda conn: may_end.wait(40))) for _ in range(3)]
    async with asyncio.timeout(60):
        while database.waiting != 3:
            await asyncio.sleep(0.01)
        may_end.set()
        await asyncio.gather(*reading, return_exceptions=True)
    assert database.waiting == 0


@pytest.mark.parametrize("kind", ["read", "read_long"])
async def test_the_engine_is_closed_after_the_reads_that_are_under_way(
    place: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database.open(place)
    ended: list[str] = []
    begun, may_end = threading.Event(), threading.Event()
    close = database.engine.close
    monkeypatch.setattr(database.engine, "close", lambda: (ended.append("engine"), close()))

    def look(conn: Connection) -> None:
        begun.set()
        may_end.wait(40)
        conn.execute(text("SELECT 1")).all()
        ended.append("read")

    reading = asyncio.create_task(getattr(database, kind)(look))
    assert await asyncio.to_thread(begun.wait, 40)
    closing = asyncio.create_task(asyncio.to_thread(database.close))
    await asyncio.to_thread(database._closed.wait, 40)
    may_end.set()
    await asyncio.gather(reading, closing)
    assert ended == ["read", "engine"]


async def test_beyond_so_many_waiting_reads_the_next_is_refused_at_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "READS_WAITING", 2)
    over = threading.Event()
    waiting = [asyncio.create_task(database.read(lambda conn: over.wait(60))) for _ in range(2)]
    await asyncio.sleep(0)
    assert database.waiting == 2
    with pytest.raises(Refusal, match="ERR_OVERLOADED"):
        await database.read(lambda conn: None)
    over.set()
    assert await asyncio.gather(*waiting) == [True, True]
    assert await database.read(lambda conn: conn.scalar(text("SELECT 7"))) == 7


def test_a_file_may_be_named_by_a_url_and_closed_twice(tmp_path: Path) -> None:
    opened = Database.open(f"sqlite:///{tmp_path}/vans.db")
    opened.close()
    opened.close()
    assert (tmp_path / "vans.db").exists()
