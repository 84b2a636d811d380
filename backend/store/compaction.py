"""Merging chunks of old positions, hour by hour, and compressing them: they are rarely read and never changed.

Invariants: the fixes of a driver are the same before and after, also while others read or store; a merged chunk takes
the place of the chunks it was made of in one transaction, or not at all where one of them has gone meanwhile.
"""

from collections.abc import Sequence
from itertools import groupby

import msgspec
from sqlalchemy import Connection, delete, func, select

from backend.domain import positions
from backend.domain.positions import Position
from backend.store import tracks
from backend.store.batches import Row
from backend.store.tables import chunks

HOUR_MS = 3_600_000


class Group(msgspec.Struct, frozen=True):
    """The chunks of a driver that begin within one hour."""

    driver_id: str
    hour_ms: int
    ids: tuple[int, ...]


class Gone(Exception):
    """A chunk that was to be merged is there no more."""


def ripe(conn: Connection, driver_id: str, from_ms: int, to_ms: int) -> list[Group]:
    """The hours from ``from_ms`` up to but not at ``to_ms`` (both whole hours) that are not one squeezed chunk yet."""
    found = conn.execute(
        select(chunks.c.id, chunks.c.first_ms, func.substr(chunks.c.body, 1, 1).label("form"))
        .where(chunks.c.driver_id == driver_id, chunks.c.last_ms >= from_ms)
        .where(chunks.c.first_ms >= from_ms, chunks.c.first_ms < to_ms)
        .order_by(chunks.c.first_ms, chunks.c.id)
    ).all()
    groups = []
    for hour, rows in groupby(found, lambda row: row.first_ms // HOUR_MS):
        members = list(rows)
        if len(members) > 1 or bytes(members[0].form) != positions.SQUEEZED:
            groups.append(Group(driver_id, hour * HOUR_MS, tuple(row.id for row in members)))
    return groups


def merged(conn: Connection, group: Group) -> Row | None:
    """The one chunk to put in the place of a group's; None where one of them has gone."""
    bodies = {row.id: row.body for row in conn.execute(select(chunks.c.id, chunks.c.body).where(*_members(group)))}
    if len(bodies) < len(group.ids):
        return None
    fixes: dict[int, Position] = {}
    for chunk_id in sorted(group.ids):
        for fix in positions.unpack(bodies[chunk_id]):
            fixes.setdefault(fix.at_ms, fix)  # of two at one millisecond the first stored is the one that counts
    times = sorted(fixes)
    body = positions.squeeze([fixes[at_ms] for at_ms in times])
    return group.driver_id, times[0], times[-1], len(times), body


def replace(conn: Connection, groups: Sequence[tuple[Group, Row]]) -> None:
    """Put merged chunks in the place of theirs; raises ``Gone``, to be rolled back, where one is there no more."""
    tracks.hold(conn, {group.driver_id for group, _ in groups})
    for group, _ in groups:
        if conn.execute(delete(chunks).where(*_members(group))).rowcount != len(group.ids):
            raise Gone(group.driver_id)
    tracks.insert_chunks(conn, [row for _, row in groups])


def _members(group: Group) -> tuple:
    within = chunks.c.first_ms.between(group.hour_ms, group.hour_ms + HOUR_MS - 1)
    return chunks.c.driver_id == group.driver_id, within, chunks.c.last_ms >= group.hour_ms, chunks.c.id.in_(group.ids)
