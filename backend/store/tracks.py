"""Positions of drivers, stored in chunks: one row for each batch.

Invariants: of one driver's fixes at one millisecond the first stored wins; a chunk's fixes are in order of time and
inside its ``first_ms`` and ``last_ms``. Chunks of one driver may overlap, as late batches fall between stored ones.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, insert, select

from backend.domain import positions
from backend.domain.positions import Position
from backend.store.batches import RECENT, Appended, Batch, Row, Tail, without
from backend.store.parts import parts
from backend.store.postgresql import chunks as postgresql_chunks
from backend.store.sqlite import chunks as sqlite_chunks
from backend.store.tables import chunks, position_ids


class Stored(NamedTuple):
    """Rows to insert, and what to tell of the batch that each was made of."""

    rows: list[Row]
    outcomes: list[Appended]


_INSERT_IDS = insert(position_ids)

CHUNKS_AT_ONCE = 50  # read in one statement: two days of what is merged, or some minutes of what is not
_SHELVES: dict[str, Any] = {"sqlite": sqlite_chunks, "postgresql": postgresql_chunks}


def store(
    conn: Connection, batches: Sequence[Batch], known: Mapping[str, Tail], changed: dict[str, Tail]
) -> list[Appended]:
    """Store batches in one statement, without what is stored already, and tell what became of each.

    ``known`` remembers the drivers' tails from commit to commit; the new ones go to ``changed``, to be known once the
    commit is done. Most batches begin after their driver's tail and name no ids, and then nothing is looked up.
    """
    shelf = _shelf(conn)
    rows: list[Row] = []
    outcomes = []
    for batch in batches:
        driver_id = batch.driver_id
        tail = changed.get(driver_id) or known.get(driver_id) or shelf.tails(conn, [driver_id])[driver_id]
        given = batch.count if batch.given is None else len(batch.given)
        if batch.count and (batch.ids or batch.first_ms <= tail.last_ms):
            shelf.insert(conn, rows)  # a batch of this driver may be among them
            rows.clear()
            batch = _fresh(conn, batch)
        if batch.count:
            changed[driver_id], newest = _moved(tail, batch)
            rows.append(_row(batch))
            outcomes.append(Appended(batch.count, given - batch.count, newest))
        else:
            outcomes.append(Appended(0, given, None))
    shelf.insert(conn, rows)
    return outcomes


def ahead(batches: Sequence[Batch], known: Mapping[str, Tail], changed: dict[str, Tail]) -> Stored | None:
    """What ``store`` would do with batches that all begin after their drivers' tails and name no ids, so that nothing
    has to be looked up; None where that is not so. The new tails go to ``changed``, as there."""
    rows: list[Row] = []
    outcomes = []
    for batch in batches:
        driver_id = batch.driver_id
        tail = changed.get(driver_id) or known.get(driver_id)
        if tail is None or batch.ids or not batch.count or batch.first_ms <= tail.last_ms:
            changed.clear()
            return None
        given = batch.count if batch.given is None else len(batch.given)
        changed[driver_id], newest = _moved(tail, batch)
        rows.append(_row(batch))
        outcomes.append(Appended(batch.count, given - batch.count, newest))
    return Stored(rows, outcomes)


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
    tails = _shelf(conn).tails(conn, driver_ids)
    found = {driver_id: positions.newest_plausible(tail.recent) for driver_id, tail in tails.items()}
    return {driver_id: fix for driver_id, fix in found.items() if fix is not None}


def delete_before(conn: Connection, driver_id: str, before_ms: int) -> int:
    """Delete a driver's fixes older than ``before_ms``; tells how many."""
    hold(conn, [driver_id])
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
    _shelf(conn).forget(conn, driver_id, before_ms)
    return deleted


def with_older(conn: Connection, driver_ids: Iterable[str], before_ms: int) -> list[str]:
    """Those of these drivers for whom ``delete_before`` may have something to do."""
    found: list[str] = _shelf(conn).with_older(conn, driver_ids, before_ms)
    return found


def clear(conn: Connection, before_ms: int | None, now_ms: int) -> None:
    """Where positions are parted by time, drop the parts that are wholly from before ``before_ms``, which nobody keeps
    (None where somebody keeps all), and those of the past that are empty. What single drivers leave there goes by
    ``delete_before``."""
    _shelf(conn).clear(conn, before_ms, now_ms)


def hold(conn: Connection, driver_ids: Iterable[str]) -> None:
    """Call before chunks of these drivers are exchanged or cut: until the commit nobody else stores positions of
    theirs, and so nobody is looking for repeats in chunks that go."""
    _shelf(conn).hold(conn, driver_ids)


def insert_chunks(conn: Connection, rows: list[Row]) -> None:
    """Store chunks as they are, in place of others that hold the same fixes."""
    _shelf(conn).insert(conn, rows)


def _shelf(conn: Connection) -> Any:
    """How chunks are kept where this connection leads."""
    return _SHELVES[conn.dialect.name]


def _row(batch: Batch) -> Row:
    return batch.driver_id, batch.first_ms, batch.recent[-1].at_ms, batch.count, batch.body


def _fresh(conn: Connection, batch: Batch) -> Batch:
    """The batch without what is stored already; its ids are remembered."""
    driver_id = batch.driver_id
    given = positions.unpack(batch.body) if batch.given is None else batch.given
    fixes = without(given, _stored_times(conn, driver_id, given), _stored_ids(conn, driver_id, batch.ids))
    named = [fix for fix in fixes if fix.id is not None]
    if named:
        conn.execute(_INSERT_IDS, [{"driver_id": driver_id, "id": fix.id, "at_ms": fix.at_ms} for fix in named])
    first_ms = fixes[0].at_ms if fixes else 0
    return Batch(driver_id, positions.pack(fixes), len(fixes), first_ms, fixes[-RECENT:])


def _time(fix: Position) -> float:
    return fix.timestamp


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
    shelf = _shelf(conn)
    met = []
    for span in shelf.spans(conn, driver_id, times_ms[0], times_ms[-1] + 1):
        at = bisect_left(times_ms, span.first_ms)
        if at < len(times_ms) and times_ms[at] <= span.last_ms:
            met.append(span)
    stored: set[int] = set()
    for some in parts(met):
        for _, body in shelf.bodies(conn, driver_id, some):
            stored.update(positions.unpack_times_ms(body))
    return stored


def _merged(conn: Connection, driver_id: str, from_ms: int, to_ms: int) -> Iterator[Position]:
    """Fixes of chunks that may overlap in one order: what lies before the next chunk's beginning can go out."""
    # By millisecond, then by chunk: of two fixes at one moment the first stored comes first.
    waiting: list[tuple[int, int, Position]] = []
    shelf = _shelf(conn)
    found = iter(shelf.spans(conn, driver_id, from_ms, to_ms))
    while some := list(islice(found, CHUNKS_AT_ONCE)):
        bodies = dict(shelf.bodies(conn, driver_id, some))
        for span in some:
            over = bisect_left(waiting, (span.first_ms,))
            yield from (fix for _, _, fix in waiting[:over])
            del waiting[:over]
            timed = ((fix.at_ms, span.id, fix) for fix in positions.unpack(bodies[span.id]))
            fixes = [each for each in timed if from_ms <= each[0] < to_ms]
            waiting = _each_moment_once(sorted(waiting + fixes)) if waiting else fixes
    yield from (fix for _, _, fix in waiting)


def _each_moment_once(fixes: list[tuple[int, int, Position]]) -> list[tuple[int, int, Position]]:
    return [fix for fix, before in zip(fixes, [None, *fixes], strict=False) if before is None or before[0] != fix[0]]
