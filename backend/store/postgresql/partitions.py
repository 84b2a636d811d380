"""Partitions of the chunks: a table for each week in which a driver was somewhere, Monday to Sunday in UTC.

Made by whoever needs one first, beside all that goes on: a table is made whole and then attached, which holds up
nobody who reads or writes.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy import Connection, text

from backend.domain.positions import unpack_times_ms
from backend.store.batches import Batch

DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS
_MONDAY_MS = -3 * DAY_MS  # the first of January 1970 was a Thursday
LINGER_MS = 3 * WEEK_MS  # an empty partition of a week that is hardly past will be needed again
PATIENCE_MS = 1_500  # for the lock that dropping takes: all who read positions wait behind it
_WAIT = text("SELECT set_config('lock_timeout', :for, true)")
MAKERS = 0x0C0D_9A27  # the advisory lock under which partitions come and go


def week_of(at_ms: int) -> int:
    """When the week of a moment began."""
    return at_ms - (at_ms - _MONDAY_MS) % WEEK_MS


def weeks_of(batches: Iterable[Batch]) -> set[int]:
    """The beginnings of all weeks that these batches' fixes fall into, and maybe of some between them."""
    found: set[int] = set()
    for batch in batches:
        if not batch.count:
            continue
        first, last = week_of(batch.first_ms), week_of(batch.recent[-1].at_ms)
        found.add(first)
        if first != last:
            found.update(week_of(at_ms) for at_ms in unpack_times_ms(batch.body))
    return found


def name_of(week_ms: int) -> str:
    return f"chunks_{datetime.fromtimestamp(week_ms / 1000, UTC):%Y%m%d}"


def present(conn: Connection) -> dict[str, int]:
    """The partitions that there are, by name, with the beginning of their week."""
    names = conn.scalars(
        text("SELECT relname FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = 'chunks'::regclass")
    )
    return {name: _beginning(name) for name in names}


def provide(conn: Connection, weeks: Iterable[int]) -> None:
    """Make those of these weeks' partitions that are not there, in a transaction of their own."""
    conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MAKERS})
    there = present(conn)
    for week_ms in sorted(weeks):
        name = name_of(week_ms)
        if name in there:
            continue
        conn.exec_driver_sql(f"CREATE TABLE {name} (LIKE chunks INCLUDING ALL) WITH (toast_tuple_target = 8160)")
        conn.exec_driver_sql(
            f"ALTER TABLE chunks ATTACH PARTITION {name} FOR VALUES FROM ({week_ms}) TO ({week_ms + WEEK_MS})"
        )


def drop(conn: Connection, before_ms: int | None, now_ms: int) -> list[str]:
    """Drop the partitions of which nobody keeps anything, as all of it is from before ``before_ms``, and those of past
    weeks in which nothing is left; their names.

    Refuses by a timeout of the engine where somebody reads for so long that others would have to wait behind us.
    """
    former = conn.scalar(text("SELECT current_setting('lock_timeout')"))
    conn.execute(_WAIT, {"for": f"{PATIENCE_MS}ms"})
    conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MAKERS})
    there = present(conn)
    forgotten = {name for name, week_ms in there.items() if before_ms is not None and week_ms + WEEK_MS <= before_ms}
    empty = {name for name, week_ms in there.items() if week_ms + LINGER_MS < now_ms and _is_empty(conn, name)}
    gone = []
    if forgotten | empty:
        # First the whole, then its part, as everybody takes them: else we and a reader could wait for each other.
        conn.exec_driver_sql("LOCK TABLE ONLY chunks IN ACCESS EXCLUSIVE MODE")
    for name in sorted(forgotten | empty):
        if name in forgotten or _is_empty(conn, name):  # again, as now it can be filled no more
            conn.exec_driver_sql(f"DROP TABLE {name}")
            gone.append(name)
    conn.execute(_WAIT, {"for": former})
    return gone


def _is_empty(conn: Connection, name: str) -> bool:
    return conn.exec_driver_sql(f"SELECT NOT EXISTS (SELECT 1 FROM {name})").scalar_one()


def _beginning(name: str) -> int:
    day = datetime.strptime(name.removeprefix("chunks_"), "%Y%m%d").replace(tzinfo=UTC)
    return round(day.timestamp() * 1000)
