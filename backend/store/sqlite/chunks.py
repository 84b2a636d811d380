"""Chunks of positions where SQLite keeps them: one table, one row a batch."""

import sqlite3
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain
from typing import Any

from sqlalchemy import Connection, select

from backend.domain import positions
from backend.store.batches import NOTHING, RECENT, Row, Tail
from backend.store.parts import parts
from backend.store.tables import chunks

ROWS_AT_ONCE = 150
"""Values of one statement, of which SQLite before 3.32 took 999."""


def insert(conn: Connection, rows: list[Row]) -> None:
    """All rows in few statements: SQLite's driver lets go of the interpreter and wants it back for each statement or
    row it is given, and while the event loop is busy each time costs more than a row."""
    for at in range(0, len(rows), ROWS_AT_ONCE):
        some = rows[at : at + ROWS_AT_ONCE]
        conn.exec_driver_sql(_insert_statement(len(some)), tuple(chain.from_iterable(some)))


def insert_alone(driver: sqlite3.Connection, rows: list[Row]) -> None:
    """Up to ``ROWS_AT_ONCE`` rows outside of a transaction, on the disk when it returns: a statement is one by itself.
    BEGIN and COMMIT would want the interpreter back six times more."""
    driver.execute(_insert_statement(len(rows)), tuple(chain.from_iterable(rows)))


def tails(conn: Connection, driver_ids: Iterable[str]) -> dict[str, Tail]:
    """The end of what is stored of each of these drivers."""
    return {driver_id: _tail(conn, driver_id) for driver_id in driver_ids}


def spans(conn: Connection, driver_id: str, from_ms: int, to_ms: int) -> Sequence[Any]:
    """Id, first and last millisecond of the chunks that reach into a range: read from the index alone."""
    return conn.execute(
        select(chunks.c.id, chunks.c.first_ms, chunks.c.last_ms)
        .where(chunks.c.driver_id == driver_id, chunks.c.last_ms >= from_ms, chunks.c.first_ms < to_ms)
        .order_by(chunks.c.first_ms, chunks.c.id)
    ).all()


def bodies(conn: Connection, driver_id: str, found: Sequence[Any]) -> list[tuple[int, bytes]]:
    """What is packed in some of the chunks that ``spans`` found of this driver, each with its id, in no order."""
    rows = conn.execute(select(chunks.c.id, chunks.c.body).where(chunks.c.id.in_([span.id for span in found])))
    return [(row.id, row.body) for row in rows]


def hold(conn: Connection, driver_ids: Iterable[str]) -> None:
    """Whoever writes is alone."""


def forget(conn: Connection, driver_id: str, before_ms: int) -> None:
    """Nothing of a driver is kept beside the chunks."""


def with_older(conn: Connection, driver_ids: Iterable[str], before_ms: int) -> list[str]:
    """Those of these drivers of whom anything is kept from before a moment, in the order of their ids."""
    older = (
        select(chunks.c.driver_id).where(chunks.c.driver_id.in_(some), chunks.c.first_ms < before_ms).distinct()
        for some in parts(driver_ids)
    )
    return sorted(driver_id for statement in older for driver_id in conn.scalars(statement))


def clear(conn: Connection, before_ms: int | None, now_ms: int) -> None:
    """There is but one table, whose rows go one by one."""


def _tail(conn: Connection, driver_id: str) -> Tail:
    """Of the newest chunk, and of as many before it as reach into the last few fixes: mostly of none."""
    newest = conn.execute(
        select(chunks.c.last_ms, chunks.c.body)
        .where(chunks.c.driver_id == driver_id)
        .order_by(chunks.c.last_ms.desc())
        .limit(RECENT)
    )
    last_ms, fixes = -1, list[positions.Position]()
    for row in newest:
        if len(fixes) == RECENT and row.last_ms <= fixes[0].at_ms:
            break
        last_ms = max(last_ms, row.last_ms)
        fixes = sorted([*positions.unpack(row.body, RECENT), *fixes], key=_time)[-RECENT:]
    newest.close()
    return Tail(last_ms, tuple(fixes)) if fixes else NOTHING


def _time(fix: positions.Position) -> float:
    return fix.timestamp


@cache
def _insert_statement(count: int) -> str:
    values = ", ".join(["(?, ?, ?, ?, ?)"] * count)
    return f"INSERT INTO chunks (driver_id, first_ms, last_ms, count, body) VALUES {values}"
