"""From SQLite into PostgreSQL, by the command."""

import asyncio
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Connection, func, insert, select

from backend.domain.errors import Refusal
from backend.store import tracks
from backend.store.database import FILE, Database
from backend.store.journal import Journal
from backend.store.tables import chunks, facts, metadata, skills
from tests.postgresql import Cluster
from tests.service import builders
from tests.serving import ROOT, codriver
from tests.store.builders import drive, fix

EVER = (0, 1 << 60)
DRIVERS = ("ana", "ivo")


def migrate(folder: Path, url: str) -> "subprocess.CompletedProcess[str]":
    return codriver("migrate", "--data", folder, "--to", url)


async def fill(folder: Path, chance: random.Random) -> None:
    """A bit of everything that is odd: other scripts, NUL, no value, exact fractions, chunks over weeks, gaps."""
    database = Database.open(folder)
    journal = Journal(database)

    def build(conn: Connection) -> None:
        device = builders.add_device(conn, builders.add_account(conn))
        builders.add_route(conn, device, 20)
        for number, name in enumerate(["Žižkov 🚚", "a\x00b", "", "\u202eright to left", "'; --"]):
            conn.execute(insert(skills).values(id=f"{number}", account_id="a", code=f"c{number}", name=name))
        row = {"account_id": "a", "kind": "on_duty", "at_ms": 1, "arrived_ms": 2, "from_driver": True}
        row |= {"out_of_order": False, "hash": "h", "document": bytes(range(256))}
        conn.execute(insert(facts), [row | {"id": f"f{number}"} for number in range(1200)])
        conn.execute(facts.delete().where(facts.c.sequence > 1100))

    await journal.transact(build)
    for driver in DRIVERS:
        for _ in range(20):
            first = chance.randrange(2_000_000)
            await journal.append(driver, drive(first, 50))
            await journal.append(driver, [fix(first + n * 40_000.125, id=f"{first}.{n}") for n in range(30)])
    await journal.close()
    database.close()


def counts(conn: Connection) -> dict[str, int]:
    return {
        table.name: conn.execute(select(func.count()).select_from(table)).scalar_one()
        for table in metadata.sorted_tables
        if table is not chunks
    }


def read(conn: Connection) -> list[object]:
    found: list[object] = [tracks.track(conn, driver, *EVER) for driver in DRIVERS]
    found.append(tracks.latest(conn, DRIVERS))
    found += [tuple(row) for row in conn.execute(select(facts).order_by(facts.c.sequence))]
    return found


def test_every_row_arrives_once_or_none_does(postgresql: Cluster, tmp_path: Path, rng: random.Random) -> None:
    asyncio.run(fill(tmp_path, rng))
    url = postgresql.empty()
    first = migrate(tmp_path, url)
    assert first.returncode == 0, first.stderr
    here, there = Database.open(tmp_path), Database.open(url)
    assert there.read_now(counts) == here.read_now(counts)
    assert there.read_now(read) == here.read_now(read)
    numbers = there.read_now(lambda conn: conn.scalars(select(chunks.c.id)).all())
    assert len(numbers) == len(set(numbers)), "also of chunks that were parted by weeks"
    locked = migrate(tmp_path, url)
    assert locked.returncode == 1 and "ERR_STORAGE_LOCKED" in locked.stderr
    here.close()
    again = migrate(tmp_path, url)
    assert again.returncode == 1 and "ERR_TARGET_NOT_EMPTY" in again.stderr and "Traceback" not in again.stderr
    journal = Journal(there)

    def add(conn: Connection) -> int:
        row = {"account_id": "a", "id": "new", "kind": "on_duty", "at_ms": 1, "arrived_ms": 2, "from_driver": True}
        added = conn.execute(insert(facts).values(**row, out_of_order=False, hash="", document=b""))
        return int(added.inserted_primary_key[0])

    async def go_on() -> tuple[int, int]:
        sequence = await journal.transact(add)
        known = there.read_now(lambda conn: tracks.track(conn, "ana", *EVER))
        duplicates = (await journal.append("ana", known[::7])).duplicates
        assert duplicates == len(known[::7])
        await journal.close()
        return sequence, duplicates

    assert asyncio.run(go_on())[0] == 1201, "the numbers of facts that were deleted are not given again"
    there.close()
    postgresql.drop(url)


def test_what_does_not_fit_leaves_nothing_behind(postgresql: Cluster, tmp_path: Path) -> None:
    """SQLite does not look at how long a text is."""
    Database.open(tmp_path).close()
    with sqlite3.connect(tmp_path / FILE) as driver:
        driver.execute("INSERT INTO accounts VALUES (?, 'Good', 0, X'00')", ("a" * 32,))
        driver.execute("INSERT INTO skills VALUES ('1', ?, 'c', 'n')", ("a" * 99,))
    driver.close()
    url = postgresql.empty()
    failed = migrate(tmp_path, url)
    assert failed.returncode == 1 and "skills" in failed.stderr and "Traceback" not in failed.stderr
    there = Database.open(url)
    assert set(there.read_now(counts).values()) == {0}
    there.close()
    postgresql.drop(url)


def test_a_database_that_is_not_there_or_cannot_be_read_to_its_end_is_told_in_a_line(
    postgresql: Cluster, tmp_path: Path
) -> None:
    """Nor is one made where none is."""
    url = postgresql.empty()
    nowhere = migrate(tmp_path / "nowhere", url)
    assert nowhere.returncode == 1 and "There is no database in" in nowhere.stderr, nowhere.stderr
    assert not (tmp_path / "nowhere").exists()
    Database.open(tmp_path).close()
    with sqlite3.connect(tmp_path / FILE) as driver:
        rows = ((f"{n}", "a", f"c{n}", "x" * 900) for n in range(2000))
        driver.executemany("INSERT INTO skills VALUES (?, ?, ?, ?)", rows)
        (root,) = driver.execute("SELECT rootpage FROM sqlite_master WHERE name = 'skills'").fetchone()
    driver.close()
    script = "from backend.store.sqlite import engine; engine.LOOK_FOR_DAMAGE_S = -1.0; engine.STEPS_BETWEEN_LOOKS = 1"
    with (tmp_path / FILE).open("r+b") as file:
        file.seek((root - 1) * 4096)
        file.write(b"\xff" * 4096)
    with pytest.raises(Refusal, match="ERR_STORAGE_DAMAGED"):
        Database.open(tmp_path)
    command = [sys.executable, "-c", f"{script}; from backend import cli; cli.main()"]
    command += ["migrate", "--data", str(tmp_path), "--to", url]
    damaged = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert damaged.returncode == 1 and "ERR_TRANSFER: The database that it is copied from" in damaged.stderr
    assert "Traceback" not in damaged.stderr
    postgresql.drop(url)


@pytest.mark.parametrize(
    ("done", "arrived"), [("NEW.name := 'another'; RETURN NEW", 5), ("RETURN NULL", 0)], ids=["altered", "lost"]
)
def test_what_arrives_otherwise_than_it_was_sent_is_noticed_and_nothing_is_kept(
    postgresql: Cluster, tmp_path: Path, rng: random.Random, done: str, arrived: int
) -> None:
    asyncio.run(fill(tmp_path, rng))
    url = postgresql.fresh()
    with psycopg.connect(url) as spoiling:
        spoiling.execute(f"CREATE FUNCTION spoil() RETURNS trigger AS $$ BEGIN {done}; END $$ LANGUAGE plpgsql")
        spoiling.execute("CREATE TRIGGER spoil BEFORE INSERT ON skills FOR EACH ROW EXECUTE FUNCTION spoil()")
    failed = migrate(tmp_path, url)
    assert failed.returncode == 1 and "Traceback" not in failed.stderr
    assert f"ERR_TRANSFER: 5 rows were sent of the table skills, and {arrived} arrived, or others" in failed.stderr
    there = Database.open(url)
    assert set(there.read_now(counts).values()) == {0}
    there.close()
    postgresql.drop(url)


def test_who_interrupts_it_is_told_how_far_it_was_and_that_nothing_was_changed(
    postgresql: Cluster, tmp_path: Path, rng: random.Random
) -> None:
    """It comes no further than to a table that somebody else holds, and tells of each 500 rows before."""
    asyncio.run(fill(tmp_path, rng))
    columns = "driver_id, first_ms, last_ms, count, body"
    with sqlite3.connect(tmp_path / FILE) as driver:
        while driver.execute("SELECT count(*) FROM chunks").fetchone()[0] < 2000:
            driver.execute(f"INSERT INTO chunks ({columns}) SELECT {columns} FROM chunks")
    driver.close()
    url = postgresql.fresh()
    telling = "from backend import cli; from backend.store import transfer; transfer.TOLD_EVERY_S = 0; cli.main()"
    command = [sys.executable, "-c", telling, "migrate", "--data", str(tmp_path), "--to", url]
    with psycopg.connect(url) as holding:
        holding.execute("LOCK TABLE skills IN SHARE MODE")
        running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert running.stdout is not None
        told = next(line for line in running.stdout if line.startswith("chunks: "))
        running.send_signal(signal.SIGINT)
        _, trouble = running.communicate(timeout=100)
    assert "rows sent" in told, told
    assert running.returncode == 1 and "interrupted. Nothing was changed." in trouble and "Traceback" not in trouble
    there = Database.open(url)
    assert set(there.read_now(counts).values()) == {0}
    assert there.read_now(lambda conn: conn.execute(select(func.count()).select_from(chunks)).scalar_one()) == 0
    there.close()
    again = Database.open(tmp_path)
    again.close()
    postgresql.drop(url)
