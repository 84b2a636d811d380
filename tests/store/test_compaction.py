"""Old positions take less room, and are the same positions."""

import random

import pytest
from sqlalchemy import func, select

from backend.domain import positions
from backend.domain.positions import Position
from backend.store import compaction, tracks
from backend.store.compaction import HOUR_MS, Gone
from backend.store.database import Database
from backend.store.journal import Journal
from backend.store.tables import chunks
from tests.store.builders import NOON, drive, fix

NOON_MS = int(NOON * 1000)
ALWAYS = (0, 1 << 60)


def stored(database: Database, driver_id: str = "ana") -> list[Position]:
    return database.read_now(lambda conn: tracks.track(conn, driver_id, *ALWAYS))


def rows(database: Database) -> int:
    return database.read_now(lambda conn: conn.scalar(select(func.count()).select_from(chunks))) or 0


async def compact(database: Database, journal: Journal, from_ms: int = 0, to_ms: int = 1 << 50) -> int:
    groups = database.read_now(lambda conn: compaction.ripe(conn, "ana", from_ms, to_ms))
    made = [(group, database.read_now(lambda conn, of=group: compaction.merged(conn, of))) for group in groups]
    await journal.transact(lambda conn: compaction.replace(conn, made))
    return len(groups)


async def test_an_hour_becomes_one_chunk_that_holds_the_same_and_is_left_alone_then(journal, database) -> None:
    for at in range(0, 4000, 20):
        await journal.append("ana", drive(at, 20))
    await journal.append("ivo", drive(0, 5))
    before = stored(database)
    assert rows(database) == 201
    assert await compact(database, journal) == 2
    assert stored(database) == before == drive(0, 4000)
    assert rows(database) == 3 and stored(database, "ivo") == drive(0, 5)
    assert await compact(database, journal) == 0


async def test_what_comes_late_into_a_squeezed_hour_is_merged_the_next_time_and_repeats_stay_known(
    journal, database
) -> None:
    await journal.append("ana", drive(0, 100))
    await compact(database, journal)
    again = await journal.append("ana", [fix(5, latitude=1.0), fix(5.5), fix(50)])
    assert (again.accepted, again.duplicates) == (1, 2)
    await compact(database, journal)
    assert rows(database) == 1
    assert stored(database) == sorted([*drive(0, 100), fix(5.5)], key=lambda each: each.timestamp)


async def test_only_whole_hours_of_the_range_are_touched(journal, database) -> None:
    for hour in range(3):
        await journal.append("ana", drive(hour * 3600, 10))
        await journal.append("ana", drive(hour * 3600 + 10, 10))
    assert await compact(database, journal, NOON_MS + HOUR_MS, NOON_MS + 2 * HOUR_MS) == 1
    assert rows(database) == 5


async def test_an_hour_that_lost_a_chunk_meanwhile_is_left_as_it_is(journal, database) -> None:
    await journal.append("ana", drive(0, 10))
    await journal.append("ana", drive(20, 10))
    [group] = database.read_now(lambda conn: compaction.ripe(conn, "ana", 0, 1 << 50))
    row = database.read_now(lambda conn: compaction.merged(conn, group))
    await journal.transact(lambda conn: tracks.delete_before(conn, "ana", NOON_MS + 15_000))
    with pytest.raises(Gone):
        await journal.transact(lambda conn: compaction.replace(conn, [(group, row)]))
    assert stored(database) == drive(20, 10)
    assert database.read_now(lambda conn: compaction.merged(conn, group)) is None


async def test_the_end_of_the_track_and_forgetting_work_on_squeezed_chunks(journal, database) -> None:
    await journal.append("ana", drive(0, 30))
    await journal.append("ana", drive(30, 30))
    await compact(database, journal)
    assert database.read_now(lambda conn: tracks.latest(conn, ["ana"])) == {"ana": fix(59)}
    assert await journal.transact(lambda conn: tracks.delete_before(conn, "ana", NOON_MS + 10_000)) == 10
    assert stored(database) == drive(10, 50)


async def test_names_of_positions_survive(journal, database) -> None:
    await journal.append("ana", [fix(0, id="a"), fix(1)])
    await journal.append("ana", [fix(2, id="b")])
    await compact(database, journal)
    assert [each.id for each in stored(database)] == ["a", None, "b"]
    assert (await journal.append("ana", [fix(9, id="a")])).duplicates == 1


async def test_a_day_of_a_van_takes_less_than_forty_bytes_a_position(journal, database, seed: int) -> None:
    rng = random.Random(seed)
    fixes, latitude, longitude = [], 45.8, 15.97
    for index in range(8640):
        latitude, longitude = latitude + rng.gauss(0, 1e-4), longitude + rng.gauss(0, 1e-4)
        place = {
            "latitude": round(latitude, 7),
            "longitude": round(longitude, 7),
            "accuracy": round(rng.uniform(2, 30), 1),
        }
        moving = rng.random() < 0.7
        speed = round(rng.uniform(0, 20), 2) if moving else None
        fixes.append(fix(index * 5.0 + round(rng.random(), 3), **place | {"speed": speed, "battery": 0.8}))
    for at in range(0, len(fixes), 10):
        await journal.append("ana", fixes[at : at + 10])
    await compact(database, journal)
    assert stored(database) == fixes
    size = database.read_now(lambda conn: conn.scalar(select(func.sum(func.length(chunks.c.body)))))
    assert int(size or 0) / len(fixes) < 20 and rows(database) <= 13
    assert positions.unpack(positions.squeeze(fixes)) == fixes
