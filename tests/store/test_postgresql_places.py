"""How many read at once where PostgreSQL has few connections to give: as many as it gives, and soon all again."""

import asyncio
import contextlib
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import Connection, text

from backend.domain.errors import Refusal
from backend.store.database import Database
from backend.store.postgresql import engine as engine_module
from backend.store.postgresql import places
from backend.store.postgresql.engine import Postgresql
from backend.store.postgresql.places import CALM_S, FIRST_S, LONGEST_S, Places
from tests.postgresql import FAST, Cluster, cluster
from tests.serving import eventually

pytestmark = pytest.mark.timeout(240)
GIVES, OTHERS = 10, 5


@pytest.fixture
def narrow() -> Iterator[Cluster]:
    """A server with ten connections in all."""
    few = (f"max_connections={GIVES}", "max_wal_senders=0", "superuser_reserved_connections=0")
    yield from cluster(*FAST, *few)


def slowly(conn: Connection) -> int:
    return int(conn.scalar(text("SELECT 7 FROM pg_sleep(0.2)")) or 0)


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(places, "time", clock)
    return clock


async def test_readers_give_up_as_many_places_as_were_refused_and_soon_have_all_again(
    narrow: Cluster, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "PATIENCE_S", 100.0)
    url = narrow.fresh()
    database = Database.open(url)
    engine = database.engine
    assert isinstance(engine, Postgresql)
    clients = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
    eventually(lambda: narrow.runs() and narrow.ask(clients) == 1, what="the end of those who looked after the tables")

    async def all_at_once() -> list[int]:
        return await asyncio.gather(*(database.read(slowly) for _ in range(engine.readers)))

    async with asyncio.timeout(100):
        with contextlib.ExitStack() as others:
            for _ in range(OTHERS):
                others.enter_context(psycopg.connect(url))
            assert await all_at_once() == [7] * engine.readers
            # One of five may still have been with whoever asked last.
            assert GIVES - OTHERS - 1 <= engine._places.now <= GIVES - OTHERS
        while engine._places.now < engine.readers:
            clock.now_s += FIRST_S
            assert await all_at_once() == [7] * engine.readers
    database.close()


def look(of: Places) -> int:
    with contextlib.suppress(Refusal), of.one(0):
        pass
    return of.now


def test_a_server_that_stays_short_is_asked_for_more_ever_more_seldom_and_one_that_was_well_is_not(
    clock: Clock,
) -> None:
    """It gives three; whoever tries six has three refused."""
    readers, pauses_s = Places(8), list[float]()
    for _ in range(5):
        readers.fewer()
    for _ in range(10):
        assert look(readers) == 3
        began_s = clock.now_s
        while look(readers) == 3:
            clock.now_s += FIRST_S / 4
        assert readers.now == 6
        pauses_s.append(clock.now_s - began_s)
        for _ in range(3):
            readers.fewer()
    wanted = [min(FIRST_S * 2**tried, LONGEST_S) for tried in range(10)]
    assert all(one <= took <= one + FIRST_S / 2 for one, took in zip(wanted, pauses_s, strict=True)), pauses_s

    clock.now_s += LONGEST_S + 1
    assert look(readers) == 6
    clock.now_s += CALM_S
    assert look(readers) == 8
    for _ in range(20):
        readers.fewer()
    assert look(readers) == 1
    clock.now_s += FIRST_S * 1.1
    assert look(readers) == 2


def test_who_waits_too_long_for_a_place_is_refused() -> None:
    places = Places(1)
    with places.one(60), pytest.raises(Refusal, match="ERR_OVERLOADED"), places.one(0.01):
        raise AssertionError("there was but one")
    with places.one(0.01):
        pass
