import asyncio
import itertools
import random
from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from backend.domain.positions import Position
from backend.store import tracks
from backend.store.database import Database
from backend.store.journal import Journal
from backend.store.tables import chunks, position_ids
from tests.store.builders import NOON, drive, fix

NOON_MS = int(NOON * 1000)
ALWAYS = (0, 1 << 60)
_examples = itertools.count(1)


def stored(database: Database, driver_id: str = "ana", **more: int) -> list[Position]:
    return database.read_now(lambda conn: tracks.track(conn, driver_id, *ALWAYS, **more))


async def test_a_repeat_is_a_duplicate_within_a_batch_and_between_batches(journal: Journal, database: Database) -> None:
    first = await journal.append("ana", [fix(0), fix(1), fix(0), fix(2)])
    assert (first.accepted, first.duplicates) == (3, 1)
    again = await journal.append("ana", [fix(2), fix(3), fix(1)])
    assert (again.accepted, again.duplicates) == (1, 2)
    other = await journal.append("ivo", [fix(2)])
    assert (other.accepted, other.duplicates) == (1, 0)
    assert stored(database) == drive(0, 4)


async def test_the_first_stored_of_a_moment_stays(journal: Journal, database: Database) -> None:
    await journal.append("ana", [fix(0, latitude=45.0)])
    answer = await journal.append("ana", [fix(0, latitude=46.0), fix(0.0004, latitude=47.0)])
    assert (answer.accepted, answer.duplicates) == (0, 2)
    assert [found.latitude for found in stored(database)] == [45.0]


async def test_a_repeated_id_is_a_duplicate_at_any_time(journal: Journal, database: Database) -> None:
    assert (await journal.append("ana", [fix(0, id="a"), fix(1, id="a"), fix(2)])).duplicates == 1
    assert (await journal.append("ana", [fix(3, id="a"), fix(4, id="b")])).duplicates == 1
    assert (await journal.append("ivo", [fix(3, id="a")])).duplicates == 0
    assert [(found.timestamp - NOON, found.id) for found in stored(database)] == [(0, "a"), (2, None), (4, "b")]


async def test_the_same_batch_three_times_at_once_is_stored_once(journal: Journal, database: Database) -> None:
    answers = await asyncio.gather(*(journal.append("ana", drive(0, 100)) for _ in range(3)))
    assert [(answer.accepted, answer.duplicates) for answer in answers] == [(100, 0), (0, 100), (0, 100)]
    assert stored(database) == drive(0, 100)


async def test_a_late_batch_falls_into_its_place_and_does_not_move_the_van(
    journal: Journal, database: Database
) -> None:
    now = await journal.append("ana", drive(10_000, 10))
    assert now.newest == fix(10_009)
    late = await journal.append("ana", list(reversed(drive(0, 1000))))
    assert late.newest is None
    assert stored(database) == drive(0, 1000) + drive(10_000, 10)
    assert database.read_now(lambda conn: tracks.latest(conn, ["ana", "nobody"])) == {"ana": fix(10_009)}


async def test_a_lone_jump_and_null_island_do_not_move_the_van(journal: Journal, database: Database) -> None:
    await journal.append("ana", drive(0, 10))
    assert (await journal.append("ana", [fix(10, latitude=0.0, longitude=0.0)])).newest is None
    assert (await journal.append("ana", [fix(11, latitude=48.0)])).newest is None
    assert database.read_now(lambda conn: tracks.latest(conn, ["ana"])) == {"ana": fix(9)}
    assert (await journal.append("ana", [fix(12)])).newest == fix(12)
    assert len(stored(database)) == 13  # nothing is deleted for a doubt


async def test_a_jump_that_the_next_fix_confirms_moves_the_van(journal: Journal) -> None:
    await journal.append("ana", drive(0, 10))
    assert (await journal.append("ana", [fix(10, latitude=48.0)])).newest is None
    confirmed = fix(11, latitude=48.0)
    assert (await journal.append("ana", [confirmed])).newest == confirmed


async def test_a_track_is_read_in_pages(journal: Journal, database: Database) -> None:
    for start in (0, 50, 25, 75, 10):  # overlapping, out of order
        await journal.append("ana", drive(start, 30))
    pages: list[Position] = []
    after = -1
    while page := stored(database, limit=7, after_ms=after):
        assert len(page) <= 7
        pages += page
        after = page[-1].at_ms
    assert pages == drive(0, 105)


async def test_chunks_that_all_overlap_are_read_in_order_and_page_by_page(
    journal: Journal, database: Database, rng: random.Random
) -> None:
    fixes = drive(0, 600)
    rng.shuffle(fixes)
    for at in range(0, 600, 5):
        await journal.append("ana", fixes[at : at + 5])
    assert stored(database) == drive(0, 600)
    assert stored(database, limit=333) == drive(0, 333)
    assert stored(database, after_ms=fix(332).at_ms, limit=100) == drive(333, 100)


async def test_the_end_of_a_track_is_that_of_all_its_chunks(journal: Journal, database: Database) -> None:
    await journal.append("ana", [fix(0), fix(50), fix(100)])
    for at in (60, 20, 90, 80, 70, 40, 30):
        await journal.append("ana", [fix(at)])
    [tail] = database.read_now(lambda conn: tracks._shelf(conn).tails(conn, ["ana"])).values()
    assert tail.last_ms == fix(100).at_ms
    assert list(tail.recent) == [fix(at) for at in (50, 60, 70, 80, 90, 100)]


async def test_a_range_holds_its_beginning_and_not_its_end(journal: Journal, database: Database) -> None:
    await journal.append("ana", drive(0, 100))
    found = database.read_now(lambda conn: tracks.track(conn, "ana", NOON_MS + 10_000, NOON_MS + 20_000))
    assert found == drive(10, 10)


async def test_old_positions_are_deleted_to_the_millisecond_with_their_ids(
    journal: Journal, database: Database
) -> None:
    await journal.append("ana", drive(0, 10))
    await journal.append("ana", [fix(20 + n, id=f"id{n}") for n in range(10)])
    await journal.append("ivo", drive(0, 10))
    names = ["ana", "nobody"]
    assert "ana" in await database.read(lambda conn: tracks.with_older(conn, names, NOON_MS + 25_000))
    assert await journal.transact(lambda conn: tracks.delete_before(conn, "ana", NOON_MS + 25_000)) == 15
    assert [found.timestamp - NOON for found in stored(database)] == [25, 26, 27, 28, 29]
    assert len(stored(database, "ivo")) == 10
    assert len(database.read_now(lambda conn: conn.execute(select(position_ids)).all())) == 5
    spans = database.read_now(lambda conn: conn.execute(select(chunks.c.first_ms, chunks.c.count)).all())
    assert (NOON_MS + 25_000, 5) in [tuple(row) for row in spans]


async def test_a_batch_after_a_restart_is_compared_with_what_is_stored(place: str) -> None:
    for expected in ((100, 0), (0, 100)):
        database = Database.open(place)
        journal = Journal(database)
        answer = await journal.append("ana", drive(0, 100))
        await journal.close()
        database.close()
        assert (answer.accepted, answer.duplicates) == expected


@dataclass
class Model:
    """What the store promises, as plain as can be."""

    by_time: dict[int, Position] = field(default_factory=dict)
    ids: set[str] = field(default_factory=set)

    def append(self, fixes: list[Position]) -> tuple[int, int]:
        accepted = 0
        for one in fixes:
            if one.at_ms in self.by_time or one.id in self.ids:
                continue
            self.by_time[one.at_ms] = one
            self.ids |= {one.id} - {None}
            accepted += 1
        return accepted, len(fixes) - accepted


numbered = st.builds(
    lambda tick, latitude, name: fix(tick / 2, latitude=latitude, id=name),
    st.integers(0, 60),
    st.floats(45, 46, allow_nan=False),
    st.one_of(st.none(), st.none(), st.sampled_from("abcdefghijklmnop")),
)
sendings = st.lists(st.tuples(st.sampled_from(["ana", "ivo"]), st.lists(numbered, max_size=12)), max_size=12)


@given(sent=sendings, together=st.booleans())
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_whatever_is_sent_however_often_is_stored_once(
    database: Database, sent: list[tuple[str, list[Position]]], together: bool
) -> None:
    example = f"{next(_examples)} "  # each has drivers of its own

    async def run(journal: Journal) -> None:
        models = {"ana": Model(), "ivo": Model()}
        expected = [models[driver].append(fixes) for driver, fixes in sent]
        if together:
            answers = await asyncio.gather(*(journal.append(example + driver, fixes) for driver, fixes in sent))
        else:
            answers = [await journal.append(example + driver, fixes) for driver, fixes in sent]
        assert [(answer.accepted, answer.duplicates) for answer in answers] == expected
        for driver, model in models.items():
            assert stored(database, example + driver) == [model.by_time[at_ms] for at_ms in sorted(model.by_time)]

    async def run_and_close() -> None:
        journal = Journal(database)
        try:
            await run(journal)
        finally:
            await journal.close()

    asyncio.run(run_and_close())


async def test_only_drivers_with_older_positions_are_named(journal: Journal, database: Database) -> None:
    await journal.append("ivo", [fix(0), fix(20)])
    await journal.append("ana", [fix(5)])
    await journal.append("mia", [fix(10)])

    def older(before_s: float) -> list[str]:
        before_ms = NOON_MS + round(before_s * 1000)
        return database.read_now(lambda conn: tracks.with_older(conn, ["ana", "ivo", "mia", "nobody"], before_ms))

    assert [older(each) for each in (0, 0.001, 6, 11)] == [[], ["ivo"], ["ana", "ivo"], ["ana", "ivo", "mia"]]
    await journal.transact(lambda conn: [tracks.delete_before(conn, each, NOON_MS + 8_000) for each in older(8)])
    assert older(8) == [] and older(11) == ["mia"]
