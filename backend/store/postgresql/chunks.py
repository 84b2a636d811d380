"""Chunks of positions where PostgreSQL keeps them: a partition for each week, and beside them each driver's tail.

Invariant: no chunk reaches from one week into the next, so that a range of time names the partitions it needs.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, select, text, update

from backend.domain import positions
from backend.store.batches import NOTHING, Row, Tail
from backend.store.parts import parts
from backend.store.postgresql import partitions
from backend.store.postgresql.partitions import week_of
from backend.store.tables import chunks
from backend.store.tables import tails as table

_COPY = "COPY chunks (driver_id, first_ms, last_ms, count, body) FROM STDIN (FORMAT BINARY)"
_TYPES = ("text", "int8", "int8", "int4", "bytea")
_LOCKED = text("SELECT driver_id, last_ms, recent FROM tails WHERE driver_id = ANY(:ids) ORDER BY driver_id FOR UPDATE")
_MOVED = text(
    "UPDATE tails SET last_ms = moved.last_ms, recent = moved.recent"
    " FROM unnest(CAST(:ids AS text[]), CAST(:last_ms AS bigint[]), CAST(:recent AS bytea[]))"
    " AS moved (driver_id, last_ms, recent) WHERE tails.driver_id = moved.driver_id"
)
_BEGUN = text(
    "INSERT INTO tails (driver_id, last_ms, recent)"
    " SELECT driver_id, -1, '' FROM unnest(CAST(:ids AS text[])) AS new (driver_id) ORDER BY 1 ON CONFLICT DO NOTHING"
)


def insert(conn: Connection, rows: list[Row]) -> None:
    """All rows by one COPY; the partitions that they need must be there (``partitions.provide``)."""
    if not rows:
        return
    driver = conn.connection.driver_connection
    assert driver is not None
    with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.set_types(_TYPES)
        for row in rows:
            for part in weekly(row):
                copy.write_row(part)


def weekly(row: Row) -> list[Row]:
    """A chunk as chunks that lie within one week each; nearly always it does itself."""
    driver_id, first_ms, last_ms, _, body = row
    if week_of(first_ms) == week_of(last_ms):
        return [row]
    found = []
    for _, group in groupby(positions.unpack(body), lambda fix: week_of(fix.at_ms)):
        fixes = list(group)
        found.append((driver_id, fixes[0].at_ms, fixes[-1].at_ms, len(fixes), positions.pack(fixes)))
    return found


def begin(conn: Connection, driver_ids: Iterable[str]) -> None:
    """Rows to lock for drivers of whom nothing is stored; without effect where there are such already."""
    conn.execute(_BEGUN, {"ids": list(driver_ids)})


def locked(conn: Connection, driver_ids: Iterable[str]) -> dict[str, Tail]:
    """The tails of these drivers, which nobody else moves until the commit; without those that never began."""
    rows = conn.execute(_LOCKED, {"ids": list(driver_ids)})
    return {row.driver_id: _tail(row.last_ms, row.recent) for row in rows}


def hold(conn: Connection, driver_ids: Iterable[str]) -> None:
    """The same for whoever does not need the tails."""
    locked(conn, driver_ids)


def move(conn: Connection, changed: Mapping[str, Tail]) -> None:
    """Write the tails of drivers who have moved on."""
    given = {
        "ids": list(changed),
        "last_ms": [tail.last_ms for tail in changed.values()],
        "recent": [positions.pack(tail.recent) for tail in changed.values()],
    }
    if changed:
        conn.execute(_MOVED, given)


def tails(conn: Connection, driver_ids: Iterable[str]) -> dict[str, Tail]:
    """The end of what is stored of each of these drivers."""
    found: dict[str, Tail] = {}
    for part in parts(driver_ids):
        found |= dict.fromkeys(part, NOTHING)
        for row in conn.execute(select(table).where(table.c.driver_id.in_(part))):
            found[row.driver_id] = _tail(row.last_ms, row.recent)
    return found


def spans(conn: Connection, driver_id: str, from_ms: int, to_ms: int) -> Sequence[Any]:
    """Id, first and last millisecond of the chunks that reach into a range, from the partitions of its weeks alone."""
    return conn.execute(
        select(chunks.c.id, chunks.c.first_ms, chunks.c.last_ms)
        .where(chunks.c.driver_id == driver_id, chunks.c.last_ms >= from_ms)
        .where(chunks.c.first_ms >= week_of(from_ms), chunks.c.first_ms < to_ms)
        .order_by(chunks.c.first_ms, chunks.c.id)
    ).all()


def bodies(conn: Connection, driver_id: str, found: Sequence[Any]) -> list[tuple[int, bytes]]:
    """What is packed in some of the chunks that ``spans`` found of this driver, each with its id, in no order."""
    first_ms, last_ms = min(span.first_ms for span in found), max(span.first_ms for span in found)
    rows = conn.execute(
        select(chunks.c.id, chunks.c.body)
        .where(chunks.c.driver_id == driver_id, chunks.c.last_ms >= min(span.last_ms for span in found))
        .where(chunks.c.last_ms <= max(span.last_ms for span in found))
        .where(chunks.c.first_ms.between(first_ms, last_ms), chunks.c.id.in_([span.id for span in found]))
    )
    return [(row.id, row.body) for row in rows]


def forget(conn: Connection, driver_id: str, before_ms: int) -> None:
    """Forget where a driver was who has not moved since; how far the stored ones reach is no position."""
    gone = (table.c.driver_id == driver_id) & (table.c.last_ms < before_ms) & (table.c.recent != b"")
    conn.execute(update(table).where(gone).values(recent=b""))


def with_older(conn: Connection, driver_ids: Iterable[str], before_ms: int) -> list[str]:
    """Those of these drivers of whom anything is kept from before a moment."""
    found: set[str] = set()
    for part in parts(driver_ids):
        older = (chunks.c.driver_id.in_(part), chunks.c.first_ms < before_ms)
        found.update(conn.scalars(select(chunks.c.driver_id).where(*older).distinct()))
        still = (table.c.driver_id.in_(part), table.c.last_ms < before_ms, table.c.recent != b"")
        found.update(conn.scalars(select(table.c.driver_id).where(*still)))
    return sorted(found)


def clear(conn: Connection, before_ms: int | None, now_ms: int) -> None:
    """Drop whole partitions, which costs nothing, before single rows are deleted."""
    partitions.drop(conn, before_ms, now_ms)


def _tail(last_ms: int, recent: bytes) -> Tail:
    return Tail(last_ms, tuple(positions.unpack(recent)) if recent else ())
