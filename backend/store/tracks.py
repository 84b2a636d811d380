"""Where the drivers were: positions in chunks, one row for each batch.

Invariants: of one driver's fixes at one millisecond the first stored wins; a chunk's fixes are in order of time and
inside its ``first_ms`` and ``last_ms``. Chunks of one driver may overlap, as late batches fall between stored ones.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from heapq import heappop, heappush
from itertools import chain, islice
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, insert, select

from backend.domain import positions
from backend.domain.positions import Position
from backend.store.tables import chunks, position_ids

RECENT = 6  # fixes that `newest_plausible` is given; it needs three that are no null island


class Appended(msgspec.Struct, frozen=True):
    """What became of a batch. ``newest`` is where its driver is now, where this batch says so."""

    accepted: int
    duplicates: int
    newest: Position | None


class Batch(msgspec.Struct, frozen=True):
    """Fixes of one driver ready to be stored: in order of time, no two at one millisecond or of one id.

    ``body`` is the fixes packed and ``recent`` the last few of them. ``given`` are the fixes in the order they came,
    which decides between repeats, and ``ids`` what some of them are named; where the batch had no repeats and no ids
    they are left out, as hundreds of batches wait at once and their memory is better used again while it is warm.
    """

    driver_id: str
    body: bytes
    count: int
    first_ms: int
    recent: list[Position]
    given: list[Position] | None = None
    ids: list[str] = []


class Tail(msgspec.Struct, frozen=True):
    """The end of what is stored of a driver: a batch that begins later holds nothing that is known already."""

    last_ms: int
    recent: tuple[Position, ...]


NOTHING = Tail(-1, ())


def prepare(driver_id: str, fixes: list[Position], packed: bytes | None = None) -> Batch:
    """Order a batch and drop its repeats, the first given wins. Needs no database, so it runs before the commit.

    ``packed``: as ``positions.sift`` gives it; then there is nothing left to do.
    """
    if packed is not None:
        return Batch(driver_id, packed, len(fixes), fixes[0].at_ms, fixes[-RECENT:])
    kept = _without(fixes, set(), set())
    ids = [fix.id for fix in fixes if fix.id is not None]
    first_ms = kept[0].at_ms if kept else 0
    return Batch(driver_id, positions.pack(kept), len(kept), first_ms, kept[-RECENT:], fixes, ids)


def store(
    conn: Connection, batches: Sequence[Batch], known: Mapping[str, Tail], changed: dict[str, Tail]
) -> list[Appended]:
    """Store batches in one statement, without what is stored already, and tell what became of each.

    ``known`` remembers the drivers' tails from commit to commit; the new ones go to ``changed``, to be known once the
    commit is done. Most batches begin after their driver's tail and name no ids, and then nothing is looked up.
    """
    rows: list[Row] = []
    outcomes = []
    for batch in batches:
        driver_id = batch.driver_id
        tail = changed.get(driver_id) or known.get(driver_id) or _tail(conn, driver_id)
        given = batch.count if batch.given is None else len(batch.given)
        if batch.count and (batch.ids or batch.first_ms <= tail.last_ms):
            _insert_chunks(conn, rows)  # a batch of this driver may be among them
            batch = _fresh(conn, batch)
        if batch.count:
            changed[driver_id], newest = _moved(tail, batch)
            rows.append((driver_id, batch.first_ms, batch.recent[-1].at_ms, batch.count, batch.body))
            outcomes.append(Appended(batch.count, given - batch.count, newest))
        else:
            outcomes.append(Appended(0, given, None))
    _insert_chunks(conn, rows)
    return outcomes


def track(
    conn: Connection, driver_id: str, from_ms: int, to_ms: int, after_ms: int | None = None, limit: int | None = None
) -> list[Position]:
    """A driver's fixes from ``from_ms`` up to but not at ``to_ms``, in order of time, each once, ``limit`` at most.

    To read on, give the millisecond of the last one as ``after_ms``. Only the chunks that are needed are read.
    """
    if after_ms is not None:
        from_ms = max(from_ms, after_ms + 1)
    return list(islice(_merged(conn, driver_id, from_ms, to_ms), limit))


def latest(conn: Connection, driver_ids: Iterable[str]) -> dict[str, Position]:
    """Where each driver is, by the newest plausible fix; who has none is absent."""
    found = {driver_id: positions.newest_plausible(_tail(conn, driver_id).recent) for driver_id in driver_ids}
    return {driver_id: fix for driver_id, fix in found.items() if fix is not None}


def delete_before(conn: Connection, driver_id: str, before_ms: int) -> int:
    """Delete a driver's fixes older than ``before_ms``; tells how many."""
    mine = chunks.c.driver_id == driver_id
    straddling = conn.execute(
        select(chunks.c.id, chunks.c.body).where(mine, chunks.c.last_ms >= before_ms, chunks.c.first_ms < before_ms)
    ).all()
    deleted = sum(conn.scalars(select(chunks.c.count).where(mine, chunks.c.last_ms < before_ms)))
    conn.execute(delete(chunks).where(mine, chunks.c.last_ms < before_ms))
    for chunk_id, body in straddling:
        fixes = positions.unpack(body)
        kept = [fix for fix in fixes if fix.at_ms >= before_ms]
        deleted += len(fixes) - len(kept)
        conn.execute(
            chunks.update()
            .where(chunks.c.id == chunk_id)
            .values(first_ms=kept[0].at_ms, count=len(kept), body=positions.pack(kept))
        )
    conn.execute(delete(position_ids).where(position_ids.c.driver_id == driver_id, position_ids.c.at_ms < before_ms))
    return deleted


Row = tuple[str, int, int, int, bytes]
_INSERT_IDS = insert(position_ids)
_ROWS_AT_ONCE = 50


def _insert_chunks(conn: Connection, rows: list[Row]) -> None:
    """All rows in few statements: SQLite's driver lets go of the interpreter and wants it back for each statement or
    row it is given, and while the event loop is busy each time costs more than a row."""
    for at in range(0, len(rows), _ROWS_AT_ONCE):
        some = rows[at : at + _ROWS_AT_ONCE]
        conn.exec_driver_sql(_insert_statement(len(some)), tuple(chain.from_iterable(some)))
    rows.clear()


@cache
def _insert_statement(count: int) -> str:
    values = ", ".join(["(?, ?, ?, ?, ?)"] * count)
    return f"INSERT INTO chunks (driver_id, first_ms, last_ms, count, body) VALUES {values}"


def _fresh(conn: Connection, batch: Batch) -> Batch:
    """The batch without what is stored already; its ids are remembered."""
    driver_id = batch.driver_id
    given = positions.unpack(batch.body) if batch.given is None else batch.given
    fixes = _without(given, _stored_times(conn, driver_id, given), _stored_ids(conn, driver_id, batch.ids))
    named = [fix for fix in fixes if fix.id is not None]
    if named:
        conn.execute(_INSERT_IDS, [{"driver_id": driver_id, "id": fix.id, "at_ms": fix.at_ms} for fix in named])
    first_ms = fixes[0].at_ms if fixes else 0
    return Batch(driver_id, positions.pack(fixes), len(fixes), first_ms, fixes[-RECENT:])


def _time(fix: Position) -> float:
    return fix.timestamp


def _without(given: list[Position], times_ms: set[int], ids: set[str]) -> list[Position]:
    """Fixes in order of time without repeats and without what is known; the sets grow by what is taken."""
    kept = {}
    for fix in given:
        at_ms = fix.at_ms
        if at_ms in times_ms or fix.id in ids:
            continue
        times_ms.add(at_ms)
        if fix.id is not None:
            ids.add(fix.id)
        kept[at_ms] = fix
    return [kept[at_ms] for at_ms in sorted(kept)]


def _tail(conn: Connection, driver_id: str) -> Tail:
    newest = conn.execute(
        select(chunks.c.last_ms, chunks.c.body)
        .where(chunks.c.driver_id == driver_id)
        .order_by(chunks.c.last_ms.desc())
        .limit(RECENT)
    ).all()
    if not newest:
        return NOTHING
    fixes = sorted((fix for row in newest for fix in positions.unpack(row.body)[-RECENT:]), key=_time)
    return Tail(newest[0].last_ms, tuple(fixes[-RECENT:]))


def _moved(tail: Tail, batch: Batch) -> tuple[Tail, Position | None]:
    """The tail after a batch, and where the driver is if the batch moved it."""
    recent = (*tail.recent, *batch.recent)
    if batch.first_ms <= tail.last_ms:
        recent = tuple(sorted(recent, key=_time))
    recent = recent[-RECENT:]
    newest = positions.newest_plausible(recent)
    if any(newest is known for known in tail.recent):
        newest = None
    return Tail(max(tail.last_ms, batch.recent[-1].at_ms), recent), newest


def _stored_ids(conn: Connection, driver_id: str, ids: list[str]) -> set[str]:
    if not ids:
        return set()
    mine = position_ids.c.driver_id == driver_id
    return set(conn.scalars(select(position_ids.c.id).where(mine, position_ids.c.id.in_(ids))))


def _stored_times(conn: Connection, driver_id: str, given: list[Position]) -> set[int]:
    """The milliseconds that are stored, from the chunks that one of the fixes falls into."""
    times_ms = sorted({fix.at_ms for fix in given})
    spans = _spans(conn, driver_id, times_ms[0], times_ms[-1] + 1)
    met = []
    for chunk_id, first_ms, last_ms in spans:
        at = bisect_left(times_ms, first_ms)
        if at < len(times_ms) and times_ms[at] <= last_ms:
            met.append(chunk_id)
    stored: set[int] = set()
    for some in range(0, len(met), 500):
        for body in conn.scalars(select(chunks.c.body).where(chunks.c.id.in_(met[some : some + 500]))):
            stored.update(positions.unpack_times_ms(body))
    return stored


def _spans(conn: Connection, driver_id: str, from_ms: int, to_ms: int) -> Sequence[Any]:
    """Id, first and last millisecond of the chunks that reach into a range: read from the index alone."""
    return conn.execute(
        select(chunks.c.id, chunks.c.first_ms, chunks.c.last_ms)
        .where(chunks.c.driver_id == driver_id, chunks.c.last_ms >= from_ms, chunks.c.first_ms < to_ms)
        .order_by(chunks.c.first_ms, chunks.c.id)
    ).all()


def _merged(conn: Connection, driver_id: str, from_ms: int, to_ms: int) -> Iterator[Position]:
    """Fixes of overlapping chunks in one order: what lies before the next chunk's beginning can go out."""
    # By millisecond, then by chunk: of two fixes at one moment the first stored comes first.
    waiting: list[tuple[int, int, Position]] = []
    gone_ms = -1
    for chunk_id, first_ms, _ in [*_spans(conn, driver_id, from_ms, to_ms), (None, to_ms, to_ms)]:
        while waiting and waiting[0][0] < first_ms:
            at_ms, _, fix = heappop(waiting)
            if at_ms != gone_ms:
                yield fix
            gone_ms = at_ms
        if chunk_id is None:
            return
        body = conn.scalar(select(chunks.c.body).where(chunks.c.id == chunk_id))
        for fix in positions.unpack(body or b""):
            if from_ms <= fix.at_ms < to_ms:
                heappush(waiting, (fix.at_ms, chunk_id, fix))
