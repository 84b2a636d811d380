"""Copies an SQLite database to PostgreSQL: every row, verified, all or nothing, whatever the size.

Nobody can change either side meanwhile: the file's lock is held, and so is the lock for changes in PostgreSQL. The copy
is one transaction, which is committed only if it holds what was read: for each table the same number of rows, and the
same sum of their digests.
"""

import hashlib
import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Connection,
    Float,
    Integer,
    LargeBinary,
    Table,
    func,
    inspect,
    select,
    text,
)

from backend.domain.errors import Refusal
from backend.store.database import Database
from backend.store.postgresql import chunks as weekly_chunks
from backend.store.postgresql import partitions
from backend.store.sqlite import chunks as file_chunks
from backend.store.sqlite.engine import FILE, Sqlite
from backend.store.sqlite.errors import refusal_of
from backend.store.tables import chunks, metadata, tails

ROWS_AT_ONCE = 500
DRIVERS_AT_ONCE = 200
TOLD_EVERY_S = 2.0
COMMITTING = "All is there and checked; committing."
_TYPES = ((Boolean, "bool"), (BigInteger, "int8"), (Integer, "int4"), (Float, "float8"), (LargeBinary, "bytea"))
Row = tuple[Any, ...]
_encode = msgspec.msgpack.Encoder().encode


class Sum(msgspec.Struct):
    """What many rows come to, in whatever order: how many, and their digests added up."""

    rows: int = 0
    digest: int = 0

    def add(self, row: Row) -> None:
        self.rows += 1
        self.digest = (self.digest + int.from_bytes(hashlib.sha256(_encode(row)).digest())) % (1 << 256)


def transfer(source: str | Path, to: str, tell: Callable[[str], None]) -> dict[str, int]:
    """Copies all from an SQLite data folder or ``sqlite:///`` URL to a ``postgresql://`` one.

    Answers how many rows of each table, and tells in lines how far it is. The source is left as it is, but brought
    to this version. Refusals: those of opening either; ``ERR_STORAGE_UNKNOWN`` where they are of other kinds,
    ``ERR_TARGET_NOT_EMPTY`` where the target holds anything, ``ERR_TRANSFER`` where there is nothing to copy, or it
    cannot be read, where what arrived is not what was sent, or it was interrupted.
    """
    if isinstance(source, Path) and not (source / FILE).exists():  # opening it would make one
        raise Refusal("ERR_TRANSFER", f"There is no database in {source}.", "--data")
    with closing(Database.open(source)) as here:
        if not isinstance(here.engine, Sqlite) or not to.startswith("postgres"):
            raise Refusal("ERR_STORAGE_UNKNOWN", "It goes from SQLite to postgresql://… and no other way.", "--to")
        with closing(Database.open(to)) as there:
            return _all_or_nothing(here.engine, there.engine, tell)


def _all_or_nothing(source: Sqlite, target: Any, tell: Callable[[str], None]) -> dict[str, int]:
    from backend.store.postgresql.errors import said, state_of  # its driver need not be there for anybody else

    ready = False

    def told(line: str) -> None:
        nonlocal ready
        ready = line == COMMITTING
        tell(line)

    try:
        return _transfer(source, target, told)
    except (KeyboardInterrupt, Exception) as error:
        if isinstance(error, Exception) and state_of(error) is None:
            if refusal_of(error) is None:
                raise
            what = f"The database that it is copied from cannot be read: {said(error)}. Nothing was changed."
            raise Refusal("ERR_TRANSFER", what) from error
        fate = "Look whether the database holds all of it or nothing." if ready else "Nothing was changed."
        what = f"PostgreSQL ended it: {said(error)}" if isinstance(error, Exception) else "It was interrupted"
        raise Refusal("ERR_TRANSFER", f"{what}. {fate}") from error


def _transfer(source: Sqlite, target: Any, tell: Callable[[str], None]) -> dict[str, int]:
    from backend.store.postgresql.errors import said, state_of

    with source.writer.begin(), target.exclusively() as there:
        here = source.writer
        _refuse_what_is_not_empty(there)
        partitions.provide(there, _weeks(here))
        counts = {}
        for table in metadata.sorted_tables:
            whole = _count(here, table)
            try:
                sent = _copy(table, here, there, _progress(f"{table.name}: {{}} of {whole} rows sent", tell))
            except Exception as error:
                if state_of(error) is None:
                    raise
                what = f"The table {table.name} does not go in: {said(error)}. Nothing was changed."
                raise Refusal("ERR_TRANSFER", what) from error
            checked = _progress(f"{table.name}: {{}} of {whole} rows checked", tell)
            if sent != (arrived := _sum(checked(_plain(_stream(there, table))))):
                what = f"{sent.rows} rows were sent of the table {table.name}, and {arrived.rows} arrived"
                raise Refusal("ERR_TRANSFER", f"{what}, or others; nothing was changed.")
            counts[table.name] = whole
            tell(f"{table.name}: {whole}")
        _copy_tails(here, there)
        _go_on_numbering(here, there)
        tell(COMMITTING)
    return counts


def _progress(line: str, tell: Callable[[str], None]) -> Callable[[Iterable[Any]], Iterator[Any]]:
    """Passes rows on, and tells every few seconds how many went."""

    def passed(rows: Iterable[Any]) -> Iterator[Any]:
        due = time.monotonic() + TOLD_EVERY_S
        for number, row in enumerate(rows, 1):
            yield row
            if number % ROWS_AT_ONCE == 0 and time.monotonic() >= due:
                tell(line.format(number))
                due = time.monotonic() + TOLD_EVERY_S

    return passed


def _copy(table: Table, here: Connection, there: Connection, watched: Callable[[Iterable[Any]], Iterator[Any]]) -> Sum:
    """What was sent, row by row."""
    sent = Sum()
    names = ", ".join(f'"{column.name}"' for column in table.c)
    driver = there.connection.driver_connection
    assert driver is not None
    with driver.cursor() as cursor, cursor.copy(f'COPY "{table.name}" ({names}) FROM STDIN (FORMAT BINARY)') as copy:
        copy.set_types([_type_of(column.type) for column in table.c])
        for row in _plain(_sent(table, here, watched(_stream(here, table)))):
            copy.write_row(row)
            sent.add(row)
    return sent


def _sent(table: Table, here: Connection, rows: Iterable[Any]) -> Iterator[Row]:
    """The rows; of a chunk that reaches into another week, a row for each week, with a number of its own."""
    if table is not chunks:
        yield from rows
        return
    numbers = itertools.count((here.scalar(select(func.max(chunks.c.id))) or 0) + 1)
    for row in rows:
        first, *others = weekly_chunks.weekly((row.driver_id, row.first_ms, row.last_ms, row.count, row.body))
        yield (row.id, *first)
        yield from ((next(numbers), *part) for part in others)


def _stream(conn: Connection, table: Table) -> Iterator[Any]:
    return iter(conn.execute(select(table), execution_options={"stream_results": True, "yield_per": ROWS_AT_ONCE}))


def _plain(rows: Iterable[Row]) -> Iterator[Row]:
    """As both engines can hold them: see ``postgresql.connect`` on NUL."""
    for row in rows:
        yield tuple(value.replace("\x00", "\ufffd") if isinstance(value, str) else value for value in row)


def _sum(rows: Iterable[Row]) -> Sum:
    found = Sum()
    for row in rows:
        found.add(row)
    return found


def _copy_tails(here: Connection, there: Connection) -> None:
    """What SQLite finds in its chunks when it is needed, PostgreSQL keeps."""
    drivers = here.scalars(select(chunks.c.driver_id).distinct()).all()
    for start in range(0, len(drivers), DRIVERS_AT_ONCE):
        some = drivers[start : start + DRIVERS_AT_ONCE]
        weekly_chunks.begin(there, some)
        weekly_chunks.move(there, file_chunks.tails(here, some))
    if (arrived := _count(there, tails)) != len(drivers):
        raise Refusal("ERR_TRANSFER", f"{len(drivers)} drivers were somewhere, and {arrived} arrived.")


def _go_on_numbering(here: Connection, there: Connection) -> None:
    """A number is never given twice: also not one whose row was deleted, where SQLite remembers it."""
    for table in metadata.sorted_tables:
        column = table.autoincrement_column if table is not chunks else chunks.c.id
        if column is None:
            continue
        last = there.scalar(select(func.max(column))) or 0
        if inspect(here).has_table("sqlite_sequence"):
            remembered = text("SELECT seq FROM sqlite_sequence WHERE name = :name")
            last = max(last, here.scalar(remembered, {"name": table.name}) or 0)
        if last:
            sequence = "SELECT setval(pg_get_serial_sequence(:table, :column), :last)"
            there.execute(text(sequence), {"table": table.name, "column": column.name, "last": last})


def _weeks(here: Connection) -> set[int]:
    found: set[int] = set()
    for first_ms, last_ms in here.execute(select(chunks.c.first_ms, chunks.c.last_ms)):
        week = partitions.week_of(first_ms)
        while week <= last_ms:
            found.add(week)
            week += partitions.WEEK_MS
    return found


def _refuse_what_is_not_empty(there: Connection) -> None:
    for table in (*metadata.sorted_tables, tails):
        if there.execute(select(table).limit(1)).first() is not None:
            text_ = f"The database holds something already, in its table {table.name}; name an empty one."
            raise Refusal("ERR_TARGET_NOT_EMPTY", text_, "--to")


def _count(conn: Connection, table: Table) -> int:
    return conn.execute(select(func.count()).select_from(table)).scalar_one()


def _type_of(kind: Any) -> str:
    return next((name for type_, name in _TYPES if isinstance(kind, type_)), "text")
