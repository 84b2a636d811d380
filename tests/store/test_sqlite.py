import asyncio
import errno
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from backend.domain.drivers import CodeKind
from backend.domain.errors import Refusal
from backend.store import codes, tracks
from backend.store.database import FILE, Database
from backend.store.journal import Journal
from backend.store.migrations import migrate
from backend.store.sqlite import engine as engine_module
from backend.store.sqlite import writer as sqlite_writer
from tests.disks import ballast, small_disk
from tests.serving import codriver
from tests.store.builders import drive

only_sqlite = pytest.mark.parametrize("engine", ["sqlite"])


@only_sqlite
def test_a_commit_reaches_the_disk_before_it_returns(database: Database) -> None:
    settings = {
        name: database.engine.writer.exec_driver_sql(f"PRAGMA {name}").scalar()
        for name in ("journal_mode", "synchronous", "foreign_keys", "wal_autocheckpoint")
    }
    database.engine.writer.rollback()
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 0, "wal_autocheckpoint": 0}


def test_a_data_folder_of_the_first_version_is_brought_to_this_one(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / FILE}")
    with engine.connect() as conn:
        migrate(conn, "0001")
        for code in ("FR", "XL"):
            conn.execute(text("INSERT INTO vehicle_features VALUES ('a', :code, 'Freezer')"), {"code": code})
        conn.commit()
    engine.dispose()
    opened = Database.open(tmp_path)
    kept = opened.read_now(lambda conn: codes.names(conn, "a", CodeKind.VEHICLE_FEATURE))
    opened.close()
    assert kept == {"FR": "Freezer", "XL": "Freezer"}


def test_a_second_process_is_refused_by_name(tmp_path: Path) -> None:
    first = Database.open(tmp_path)
    program = f"from backend.store.database import Database; Database.open({str(tmp_path)!r})"
    second = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100, check=False)
    assert second.returncode != 0
    assert "ERR_STORAGE_LOCKED" in second.stderr
    first.close()
    Database.open(tmp_path).close()


def test_a_disk_that_has_no_locks_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one of another machine may be."""

    def flock(descriptor: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    with (
        monkeypatch.context() as elsewhere,
        pytest.raises(Refusal, match=r"ERR_STORAGE: .* cannot be locked: No locks"),
    ):
        elsewhere.setattr(engine_module.fcntl, "flock", flock)
        Database.open(tmp_path)
    (tmp_path / f"{FILE}.lock").unlink()
    (tmp_path / f"{FILE}.lock").mkdir()
    with pytest.raises(Refusal, match=r"ERR_STORAGE: .* cannot be written to"):
        Database.open(tmp_path)


def _filled(folder: Path) -> Path:
    opened = Database.open(folder)
    with opened.engine.writer.begin():
        for number in range(400):
            opened.engine.writer.exec_driver_sql(f"INSERT INTO skills VALUES ('{number}', 'a', 'code', '{'x' * 2000}')")
    opened.close()
    return folder / FILE


@pytest.mark.parametrize("fault", ["noise", "empty", "truncated", "holes", "another program's", "missing"])
def test_a_file_that_cannot_be_trusted_is_refused_and_left_as_it_is(tmp_path: Path, fault: str) -> None:
    path = _filled(tmp_path)
    sound = path.read_bytes()
    match fault:
        case "noise":
            path.write_bytes(b"not a database at all" * 1000)
        case "empty":
            path.write_bytes(b"")
        case "truncated":
            path.write_bytes(sound[: len(sound) // 2])
        case "holes":
            path.write_bytes(sound[:40960] + b"\xff" * (len(sound) - 81920) + sound[-40960:])
        case "another program's":
            path.unlink()
            sqlite3.connect(path).execute("CREATE TABLE pictures (id)")
        case "missing":
            path.rename(path.with_name("elsewhere"))
            path.with_name(FILE + "-wal").write_bytes(b"frames")
    before = path.read_bytes() if path.exists() else None
    with pytest.raises(Refusal, match="ERR_STORAGE_DAMAGED"):
        Database.open(tmp_path)
    assert (path.read_bytes() if path.exists() else None) == before


def test_a_file_of_a_newer_version_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = _filled(tmp_path)
    with closing(sqlite3.connect(path)) as later:
        later.execute("UPDATE alembic_version SET version_num = '9999'")
        later.commit()
    before = path.read_bytes()
    with pytest.raises(Refusal, match="ERR_STORAGE_NEWER"):
        Database.open(tmp_path)
    assert path.read_bytes() == before


def test_a_file_that_another_program_holds_is_refused_and_opened_once_it_is_let_go(tmp_path: Path) -> None:
    path = _filled(tmp_path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Refusal, match=r"ERR_STORAGE_LOCKED.*another program"):
            Database.open(tmp_path)
    Database.open(tmp_path).close()


@pytest.mark.parametrize("fault", ["DAMAGED", "NEWER", "LOCKED"])
def test_a_server_that_cannot_use_its_database_says_so_in_a_line_and_ends(tmp_path: Path, fault: str) -> None:
    path = _filled(tmp_path)
    if fault == "DAMAGED":
        path.write_bytes(path.read_bytes()[:50_000])
    if fault == "NEWER":
        with closing(sqlite3.connect(path, isolation_level=None)) as later:
            later.execute("UPDATE alembic_version SET version_num = '9999'")
    before = path.read_bytes()  # before anybody locks it: to close a file lets go of all locks that we have on it
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        if fault == "LOCKED":
            other.execute("PRAGMA locking_mode=EXCLUSIVE")
            other.execute("BEGIN IMMEDIATE")
        ended = codriver("serve", "--port", 0, "--data", tmp_path)
    assert ended.returncode != 0 and f"ERR_STORAGE_{fault}" in ended.stderr and str(path) in ended.stderr, ended.stderr
    assert "Traceback" not in ended.stderr and "Codriver serves" not in ended.stdout
    assert path.read_bytes() == before


def test_a_folder_that_cannot_be_made_or_has_no_room_is_told_in_a_line(tmp_path: Path) -> None:
    def served(data: Path) -> str:
        ended = codriver("serve", "--port", 0, "--data", data)
        assert ended.returncode != 0 and "Traceback" not in ended.stderr, ended.stderr
        return ended.stderr

    (tmp_path / "file").write_text("in the way")
    assert "ERR_STORAGE" in served(tmp_path / "file" / "data")
    with small_disk(tmp_path / "disk", 1 << 20) as disk, ballast(disk):
        assert "ERR_STORAGE" in served(disk)


@pytest.mark.parametrize("failing", [1, 2])
def test_a_disk_that_fails_as_the_file_is_made_is_told_and_the_next_start_makes_it_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    """Of its two syncs outside SQLite, of the file and of its name."""
    calls = 0

    def fsync(_: int) -> None:
        nonlocal calls
        calls += 1
        if calls == failing:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fsync)
        with pytest.raises(Refusal, match=r"ERR_STORAGE: .*cannot be used.*Input/output error"):
            Database.open(tmp_path)
    Database.open(tmp_path).close()


def test_what_a_killed_first_start_left_behind_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / (FILE + ".new")).write_bytes(b"half a database")
    Database.open(tmp_path).close()
    assert (tmp_path / FILE).exists()


async def test_reads_that_follow_one_another_without_a_gap_do_not_keep_the_log_from_being_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_writer, "LOG_GROWTH_BYTES", 100_000)
    monkeypatch.setattr(sqlite_writer, "LOG_FILE_BYTES", 400_000)
    monkeypatch.setattr(sqlite_writer, "PATIENCE_S", 100.0)  # our reads take long where others have the processor
    monkeypatch.setattr(sqlite_writer, "MOST_PATIENCE_S", 100.0)
    database = Database.open(tmp_path)
    journal = Journal(database)
    await journal.append("ana", drive(0, 5_000))
    written, ended = 0, False

    async def read() -> int:
        count = 0
        while not ended:
            await database.read(lambda conn: tracks.track(conn, "ana", 0, 1 << 50))
            count += 1
        return count

    reading = [asyncio.create_task(read()) for _ in range(8)]
    largest = 0
    async with asyncio.timeout(150):
        for number in range(60):
            written += (await journal.append("ivo", drive(number * 1_000, 1_000))).accepted
            largest = max(largest, database.log_bytes)
        ended = True
        counts = await asyncio.gather(*reading)
    assert written == 60_000 and min(counts) > 0
    assert largest < 2_000_000, "the log of 3 MB was never cut"
    await journal.close()
    database.close()


def test_a_read_of_many_short_statements_ends_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database.open(tmp_path)
    with monkeypatch.context() as hurried, pytest.raises(Refusal, match="ERR_OVERLOADED"):
        hurried.setattr(engine_module, "PATIENCE_S", 0.2)
        database.read_now(lambda conn: [conn.exec_driver_sql("SELECT 1").all() for _ in range(10_000_000)])
    assert database.read_now(lambda conn: conn.exec_driver_sql("SELECT 1").scalar()) == 1
    database.close()


async def test_a_program_that_reads_for_long_is_warned_of_and_the_log_is_cut_when_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Beside the server; our own reads end within seconds."""
    monkeypatch.setattr(sqlite_writer, "LOG_GROWTH_BYTES", 200_000)
    monkeypatch.setattr(sqlite_writer, "LOG_FILE_BYTES", 400_000)
    database = Database.open(tmp_path)
    journal = Journal(database)
    path = tmp_path / FILE
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)) as other:
        other.execute("BEGIN")
        before = other.execute("SELECT count(*) FROM chunks").fetchone()
        for number in range(40):
            await journal.append("ana", drive(number * 1_000, 1_000))
        assert other.execute("SELECT count(*) FROM chunks").fetchone() == before
        assert database.log_bytes > 1_000_000 and "a long read holds back the log" in caplog.text
    for number in range(40, 50):
        await journal.append("ana", drive(number * 1_000, 1_000))
    assert database.log_bytes < 1_000_000
    assert await database.read(lambda conn: len(tracks.track(conn, "ana", 0, 1 << 50))) == 50_000
    await journal.close()
    database.close()
