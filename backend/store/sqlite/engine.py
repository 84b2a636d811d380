"""The file in the data folder: opened, looked after, read, and held against other processes."""

import contextlib
import errno
import fcntl
import logging
import os
import sqlite3
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool, StaticPool

from backend.domain.errors import Refusal
from backend.store.disk import make_folder, sync, write_again
from backend.store.migrations import migrate
from backend.store.sqlite import statistics, wal
from backend.store.sqlite.errors import refusal_of
from backend.store.sqlite.gate import Gate
from backend.store.sqlite.writer import Writer

T = TypeVar("T")
log = logging.getLogger(__name__)

FILE = "codriver.db"
PATIENCE_S = 5.0  # a read holds back the log's checkpoints for as long as it lasts
DEADLINE = "deadline"  # in a reading connection's info: of the read that it is used for
LOOK_FOR_DAMAGE_S = 1.0  # at start; a larger database is looked through in part
STEPS_BETWEEN_LOOKS = 20_000  # of SQLite's virtual machine: a few milliseconds
# Ready to be run again: there is one for each number of batches that are stored together. Each keeps what it was given
# last, half a megabyte of positions, so that with 300 a busy server grew by 100 MB
STATEMENTS_KEPT = 64
MAGIC = b"SQLite format 3\x00"


class Sqlite:
    """What ``Database`` and ``Journal`` need of an engine, with SQLite behind it."""

    readers = 4
    alone = True

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self.writer: Connection = _engine(path, "IMMEDIATE", "rw").connect()
        self._lock = lock
        self._readers = _engine(path, "DEFERRED", "ro")
        self._gate = Gate()
        self._log_file = path.with_name(path.name + "-wal")
        event.listen(self._readers, "before_cursor_execute", _look)

    @classmethod
    def open(cls, path: Path) -> "Sqlite":
        """Open the file, or make it, and bring its tables up to date.

        Refusals: ``ERR_STORAGE`` and ``ERR_STORAGE_FULL`` where the disk fails, ``ERR_STORAGE_LOCKED`` where another
        process has it, ``ERR_STORAGE_DAMAGED`` where it is not sound, ``ERR_STORAGE_NEWER`` where it is of a version to
        come.
        """
        lock = _lock(path)
        log_bytes, moments = _size(path.with_name(path.name + "-wal")), [time.monotonic()]
        try:
            _read_log(path)
            _keep_log(path)
            moments.append(time.monotonic())
            if path.exists():
                _inspect(path)
            else:
                _make(path)
            moments.append(time.monotonic())
            opened = cls(path, lock)
        except BaseException as error:
            os.close(lock)
            if refusal := _refusal(path, error):
                raise refusal from error
            raise
        try:
            _settle(opened.writer)
            sync(path.parent)  # SQLite does it for the log's name, but does not tell where it fails
            migrate(opened.writer)
            statistics.tell(opened.writer)
        except BaseException as error:
            opened.close()
            if refusal := _refusal(path, error):
                raise refusal from error
            raise
        moments.append(time.monotonic())
        parts = [f"{after - before:.2f}" for before, after in pairwise(moments)]
        text = "the database was opened in %.2f s: %s for its log of %.1f MiB, %s to look for damage, %s for its tables"
        log.info(text, moments[-1] - moments[0], parts[0], log_bytes / (1 << 20), *parts[1:])
        return opened

    def read(self, fn: Callable[[Connection], T], *, long: bool = False) -> T:
        """What ``fn`` finds in one consistent snapshot; none may be ``long``, as commits wait for the log to be cut."""
        try:
            with self._gate.passing(), self._readers.connect() as connection:
                deadline = connection.info[DEADLINE] = time.monotonic() + PATIENCE_S
                _driver(connection).set_progress_handler(lambda: time.monotonic() > deadline, STEPS_BETWEEN_LOOKS)
                with connection.begin():
                    return fn(connection)
        except DBAPIError as error:
            if refusal := refusal_of(error):
                raise refusal from error
            raise

    def writers(self) -> tuple[Writer, Writer]:
        """Who commits positions, and who commits all other changes: here one and the same."""
        writer = Writer(self.writer, self._log_file, self._gate)
        return writer, writer

    @property
    def log_bytes(self) -> int:
        return _size(self._log_file)

    def leads(self) -> bool:
        return True

    def close(self) -> None:
        """Close the file, which leaves no log behind."""
        self._readers.dispose()
        self.writer.close()
        self.writer.engine.dispose()
        os.close(self._lock)


def _engine(path: Path, begin: str, mode: str) -> Engine:
    """Connections that say BEGIN themselves: the driver's own comes late, and fails where a read turns to a write."""

    def connect() -> sqlite3.Connection:
        address = f"{path.absolute().as_uri()}?mode={mode}"
        driver = sqlite3.connect(
            address,
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=2,
            cached_statements=STATEMENTS_KEPT,
        )
        if mode == "rw":
            driver.execute("PRAGMA journal_mode=WAL")
            driver.execute("PRAGMA synchronous=FULL")  # an acknowledgement is given after the fsync of the commit
            driver.execute("PRAGMA fullfsync=ON")  # macOS: through the drive's own cache
            driver.execute("PRAGMA wal_autocheckpoint=0")  # the journal does it when it has nothing better to do
            driver.execute("PRAGMA journal_size_limit=67108864")
        driver.execute("PRAGMA foreign_keys=OFF")
        driver.execute("PRAGMA temp_store=MEMORY")
        driver.execute("PRAGMA cache_size=-16384")
        return driver

    if mode == "rw":
        engine = create_engine("sqlite+pysqlite://", creator=connect, poolclass=StaticPool)
    else:
        engine = create_engine(
            "sqlite+pysqlite://", creator=connect, poolclass=QueuePool, pool_size=Sqlite.readers, max_overflow=2
        )
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(f"BEGIN {begin}"))
    return engine


def _look(connection: Connection, *_: object) -> None:
    """A read of many short statements ends in time as well."""
    if time.monotonic() > connection.info[DEADLINE]:
        raise Refusal("ERR_OVERLOADED", "The database took too long to answer; try again in a moment.")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _driver(connection: Connection) -> sqlite3.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


def _lock(path: Path) -> int:
    """Hold the lock file beside the database until the process ends, however it ends; a folder that is not there is
    made."""
    try:
        make_folder(path.parent)
        descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise Refusal("ERR_STORAGE", f"{path.parent} cannot be written to: {error.strerror}.") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise Refusal(
            "ERR_STORAGE_LOCKED",
            f"{path.parent} is used by another process (its number: {holder}); stop that one first.",
        ) from None
    except OSError as error:
        os.close(descriptor)
        text = f"{path.parent} cannot be locked: {error.strerror}; the database has to lie on a disk of this machine."
        raise Refusal("ERR_STORAGE", text) from error
    with contextlib.suppress(OSError):  # it only says who we are
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


def _refusal(path: Path, error: BaseException) -> Refusal | None:
    """Why the file cannot be opened, in words for its operator where they are known."""
    if isinstance(error, CommandError):
        text = f"{path} is of a newer version of Codriver, or of another program ({error}); it is left as it is."
        return Refusal("ERR_STORAGE_NEWER", text)
    if isinstance(error, OSError):
        code = "ERR_STORAGE_FULL" if error.errno == errno.ENOSPC else "ERR_STORAGE"
        return Refusal(code, f"{path} cannot be used, as the disk does not work as it should: {error.strerror}.")
    refusal = refusal_of(error)
    if refusal is not None and refusal.code == "ERR_OVERLOADED":
        return Refusal("ERR_STORAGE_LOCKED", f"{path} is locked by another program; stop that one first.")
    return refusal


def _make(path: Path) -> None:
    """A new database, whole before it has its name: whatever bears the name later and is empty has lost something."""
    log_of_a_lost_one = path.with_name(path.name + "-wal")
    if log_of_a_lost_one.exists() and log_of_a_lost_one.stat().st_size:
        raise Refusal("ERR_STORAGE_DAMAGED", f"{path} is missing although its log {log_of_a_lost_one.name} is there.")
    new = path.with_name(path.name + ".new")
    for leftover in (new, new.with_name(new.name + "-wal"), new.with_name(new.name + "-shm")):
        leftover.unlink(missing_ok=True)
    new.touch(0o600)
    engine = _engine(new, "IMMEDIATE", "rw")
    try:
        with engine.connect() as connection:
            migrate(connection)
            # Closing would do it too, but would not say that it failed: and the log does not go where the file goes.
            _driver(connection).execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        engine.dispose()
    sync(new)
    new.rename(path)
    sync(path.parent)


def _settle(writer: Connection) -> None:
    """Move the log that was found into the file, synced, so that nothing hangs on it any more."""
    try:
        _driver(writer).execute("PRAGMA wal_checkpoint(PASSIVE)")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_FULL:  # with a full disk what is stored can still be read
            raise


def _keep_log(path: Path) -> None:
    """Make sure that the log which is read is on the disk, before anything of it is moved into the file: where its last
    fsync failed, a power cut amid that would leave half of it in the file, and no log to complete it from.

    Where that fails nothing may be done, on a full disk neither: a commit behind what is not there would go with it."""
    with contextlib.suppress(FileNotFoundError):
        write_again(path.with_name(path.name + "-wal"))


def _read_log(path: Path) -> None:
    """Refuse a file whose log has lost what was committed, which SQLite would not tell."""
    log_file, index = path.with_name(path.name + "-wal"), path.name + "-shm"
    lost = wal.loss(path)
    if lost is not None:
        read = f"of {lost.committed} frames that were committed to it {lost.whole} can be read"
        advice = lost.advice.format(log=log_file.name, index=index)
        raise Refusal("ERR_STORAGE_DAMAGED", f"{log_file} is damaged, {read}; it is left as it is: {advice}.")


def _inspect(path: Path) -> None:
    """Refuse a file that is no database of ours or is damaged, as far as a second's look tells."""

    def damaged(what: str) -> Refusal:
        advice = "it is left as it is: restore it from a backup, or move it away"
        return Refusal("ERR_STORAGE_DAMAGED", f"{path} {what}; {advice}.")

    with path.open("rb") as file:
        start = file.read(len(MAGIC))
    if start != MAGIC:
        raise damaged("is not a database" if start else "is empty")
    driver = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=2)
    try:
        driver.execute("PRAGMA fullfsync=ON")  # as it ends it moves the log into the file
        driver.execute("PRAGMA wal_autocheckpoint=0")
        deadline = time.monotonic() + LOOK_FOR_DAMAGE_S
        names = {row[0] for row in driver.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        driver.set_progress_handler(lambda: time.monotonic() > deadline, STEPS_BETWEEN_LOOKS)
        verdict = driver.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise damaged(f"cannot be used ({error})") from error
        verdict = "ok"
    except sqlite3.DatabaseError as error:
        raise damaged(f"is damaged ({error})") from error
    finally:
        driver.close()
    if verdict != "ok":
        raise damaged(f"is damaged ({verdict})")
    if "alembic_version" not in names:
        raise damaged("is a database of another program")
