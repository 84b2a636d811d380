import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import OperationalError

from backend.domain.drivers import CodeKind
from backend.domain.errors import Refusal
from backend.store import codes
from backend.store import database as database_module
from backend.store.database import FILE, Database
from backend.store.tables import metadata


def _schema(conn: Connection) -> dict[str, str]:
    rows = conn.execute(text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name != 'alembic_version'"))
    return {name: " ".join(sql.split()) for name, sql in rows}


def test_the_migrations_make_the_tables_that_the_code_expects(database: Database) -> None:
    with create_engine("sqlite://").connect() as expected:
        metadata.create_all(expected)
        assert database.read_now(_schema) == _schema(expected)
    assert database.read_now(lambda conn: compare_metadata(MigrationContext.configure(conn), metadata)) == []


def test_a_data_folder_of_the_first_version_is_brought_to_this_one(tmp_path: Path) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(database_module.__file__).parent / "migrations"))
    engine = create_engine(f"sqlite:///{tmp_path / FILE}")
    with engine.connect() as conn:
        config.attributes["connection"] = conn
        command.upgrade(config, "0001")
        for code in ("FR", "XL"):
            conn.execute(text("INSERT INTO vehicle_features VALUES ('a', :code, 'Freezer')"), {"code": code})
        conn.commit()
    engine.dispose()
    opened = Database.open(tmp_path)
    kept = opened.read_now(lambda conn: codes.names(conn, "a", CodeKind.VEHICLE_FEATURE))
    opened.close()
    assert kept == {"FR": "Freezer", "XL": "Freezer"}


def test_a_commit_reaches_the_disk_before_it_returns(database: Database) -> None:
    settings = {
        name: database.writer.exec_driver_sql(f"PRAGMA {name}").scalar()
        for name in ("journal_mode", "synchronous", "foreign_keys", "wal_autocheckpoint")
    }
    database.writer.rollback()
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 0, "wal_autocheckpoint": 0}


def test_a_second_process_is_refused_by_name(tmp_path: Path) -> None:
    first = Database.open(tmp_path)
    program = f"from backend.store.database import Database; Database.open({str(tmp_path)!r})"
    second = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode != 0
    assert "ERR_STORAGE_LOCKED" in second.stderr
    first.close()
    Database.open(tmp_path).close()


def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises((OperationalError, Refusal), match=r"readonly|cannot be written"):
        database.read_now(lambda conn: conn.execute(text("DELETE FROM orders")))


def test_a_read_that_lasts_too_long_is_ended(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "PATIENCE_S", 0.2)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    started = time.monotonic()
    with pytest.raises(Refusal, match="ERR_OVERLOADED"):
        database.read_now(lambda conn: conn.execute(text(endless)).scalar())
    assert time.monotonic() - started < 5
    assert database.read_now(lambda conn: conn.execute(text("SELECT 1")).scalar()) == 1


def _filled(folder: Path) -> Path:
    opened = Database.open(folder)
    with opened.writer.begin():
        for number in range(400):
            opened.writer.exec_driver_sql(f"INSERT INTO skills VALUES ('{number}', 'a', 'code', '{'x' * 2000}')")
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


def test_what_a_killed_first_start_left_behind_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / (FILE + ".new")).write_bytes(b"half a database")
    Database.open(tmp_path).close()
    assert (tmp_path / FILE).exists()


def test_an_unknown_kind_of_database_is_refused() -> None:
    with pytest.raises(Refusal, match="ERR_STORAGE_UNKNOWN"):
        Database.open("mysql://somewhere/codriver")
