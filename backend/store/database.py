"""The database: opened and read, whichever engine is behind it. What an engine does its own way is in its folder."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from backend.domain.errors import Refusal
from backend.store.changes import Writer
from backend.store.sqlite.engine import FILE, Sqlite
from backend.store.threads import Threads

__all__ = ["FILE", "Connection", "Database"]

T = TypeVar("T")
READS_WAITING = 2_000
LONG_READERS = 2  # of the connections that readers have, so that most are left for what phones and maps ask


class Engine(Protocol):
    """What a database is to the rooms' verbs: a way to read, and those who write."""

    readers: int
    """How many may read at once."""

    alone: bool
    """No other process uses it."""

    @property
    def log_bytes(self) -> int:
        """How long the log is of what is not in its place yet; 0 where the engine looks after that itself."""

    def read(self, fn: Callable[[Connection], T], *, long: bool = False) -> T:
        """What ``fn`` finds in one consistent snapshot. It may be run again where the connection was lost. ``long``: it
        may last longer than others, as far as the engine bears that."""

    def writers(self) -> tuple[Writer, Writer]:
        """Who commits positions, and who commits all other changes."""

    def leads(self) -> bool:
        """Whether this is the process that does what one alone should do: one at a time, until it ends."""

    def close(self) -> None:
        """The end; the writers have stopped before it."""


class Database:
    """``await database.read(fn)`` for reads; writes go through :class:`backend.store.journal.Journal`."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._readers = Threads("reader", engine.readers)
        self._long = Threads("long reader", LONG_READERS)
        self._leading = Threads("leader", 1)  # asks on a connection of its own, which may hang for as long as it likes
        self._waiting = 0
        self._closed = threading.Event()

    @classmethod
    def open(cls, where: str | Path) -> "Database":
        """Open the database in a data folder, or at a URL, and bring its tables up to date.

        ``sqlite:///path`` is a file, ``postgresql://user:password@host/name`` a server's. Refusals: those of
        ``Sqlite.open`` and ``Postgresql.open``, and ``ERR_STORAGE_UNKNOWN`` for any other URL.
        """
        return cls(_engine_at(where))

    async def read(self, fn: Callable[[Connection], T]) -> T:
        """What ``fn`` finds in one consistent snapshot, on a reader thread.

        Refusals: ``ERR_OVERLOADED`` where too many wait, or where its queries last over some seconds;
        ``ERR_UNAVAILABLE`` where the database cannot be reached.
        """
        return await self._on(self._readers, lambda: self.engine.read(fn))

    async def read_long(self, fn: Callable[[Connection], T]) -> T:
        """The same of what is read seldom and is much, such as all orders of a day: where the engine bears that, it may
        last for twenty seconds. It takes no reader's thread."""
        return await self._on(self._long, lambda: self.engine.read(fn, long=True))

    async def _on(self, threads: Threads, read: Callable[[], T]) -> T:
        if self._waiting >= READS_WAITING:
            raise Refusal("ERR_OVERLOADED", "Too many requests are waiting for the database; try again in a moment.")
        self._waiting += 1
        try:
            return await threads.run(read)
        finally:
            self._waiting -= 1

    @property
    def waiting(self) -> int:
        """How many reads wait or are under way."""
        return self._waiting

    @property
    def alone(self) -> bool:
        """No other process uses it."""
        return self.engine.alone

    @property
    def log_bytes(self) -> int:
        """How long the log is of what is not in its place yet; 0 where the engine looks after that itself."""
        return self.engine.log_bytes

    async def leads(self) -> bool:
        """Whether this is the process that does what one alone should do: one at a time, until it ends."""
        return await self._leading.run(self.engine.leads)

    def read_now(self, fn: Callable[[Connection], T]) -> T:
        """The same from a thread that may block."""
        return self.engine.read(fn)

    def close(self) -> None:
        """Let running reads end, then close the engine. Twice is harmless."""
        if self._closed.is_set():
            return
        self._closed.set()
        for threads in (self._readers, self._long, self._leading):
            threads.close()
        self.engine.close()


def _engine_at(where: str | Path) -> Engine:
    if isinstance(where, Path) or "://" not in where:
        return Sqlite.open(Path(where) / FILE)
    scheme = where.partition("://")[0]
    match scheme:
        case "sqlite":
            return Sqlite.open(Path(where.removeprefix("sqlite:///")))
        case "postgresql" | "postgres":
            try:
                from backend.store.postgresql.engine import Postgresql
            except ImportError as error:
                text = 'PostgreSQL needs the library psycopg, which is not installed: pip install "codriver[scale]".'
                raise Refusal("ERR_STORAGE_UNKNOWN", text) from error
            return Postgresql.open(where)
    text = f"A database of the kind {scheme}:// is not supported; sqlite:///… and postgresql://… are."
    raise Refusal("ERR_STORAGE_UNKNOWN", text)
