"""What becomes of what waits, and of what was acknowledged, when PostgreSQL crashes, fails over, or has a full disk."""

import asyncio
import contextlib
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, text

from backend.domain.errors import Refusal
from backend.store.database import Database
from backend.store.journal import Journal
from backend.store.postgresql import connect
from backend.store.tables import skills
from tests.disks import small_disk
from tests.postgresql import Cluster, cluster, name_of
from tests.serving import eventually
from tests.store.builders import drive
from tests.store.test_postgresql import NOON_MS, times

pytestmark = [pytest.mark.parametrize("engine", ["postgresql"]), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[Cluster]:
    """A server that the test may kill, which waits for the disk."""
    yield from cluster()


class Phones:
    """Four that send without end over two processes, as who insists; and what was acknowledged to them."""

    def __init__(self, url: str) -> None:
        self.databases = [Database.open(url) for _ in range(2)]  # who wait for each other's turns
        self.journals = [Journal(database) for database in self.databases]
        self.sent: Counter[str] = Counter()
        self.codes: list[str] = []
        self.refused: Counter[str] = Counter()
        self._done = asyncio.Event()

    async def drive(self, trouble: Callable[[], None], times_: int, rng: random.Random) -> None:
        """Have the trouble so many times while they send, and let them end then."""
        async with asyncio.timeout(200):
            phones = (self._phone(f"driver{n}", self.journals[n % 2]) for n in range(4))
            await asyncio.gather(*phones, self._trouble(trouble, times_, rng))
        assert self.refused.keys() <= {"ERR_UNAVAILABLE", "ERR_OVERLOADED"}

    async def close(self) -> None:
        """Look whether all that was acknowledged is there, once."""
        database = self.databases[0]
        for driver, count in self.sent.items():
            stored = database.read_now(lambda conn, driver=driver: times(conn, driver))
            assert sorted(stored) == [NOON_MS + second * 1000 for second in range(count)]
        kept = database.read_now(lambda conn: conn.scalars(select(skills.c.id)).all())
        assert sorted(kept) == sorted(self.codes)
        for journal, opened in zip(self.journals, self.databases, strict=True):
            await journal.close()
            opened.close()

    async def _insist(self, work: Callable[..., Any], *given: Any) -> Any:
        while True:
            try:
                return await work(*given)
            except Refusal as refusal:
                self.refused[refusal.code] += 1
                await asyncio.sleep(0.05)

    async def _phone(self, driver: str, journal: Journal) -> None:
        while not self._done.is_set():
            first = self.sent[driver]
            appended = await self._insist(journal.append, driver, drive(first, 25))
            assert (appended.accepted, appended.duplicates) == (25, 0)
            self.sent[driver] += 25
            code = f"{driver} {first}"
            await self._insist(journal.transact, partial(_add, code))
            self.codes.append(code)
            await self._insist(self.databases[0].read, lambda conn: conn.scalar(select(skills.c.id).limit(1)))

    async def _trouble(self, trouble: Callable[[], None], times_: int, rng: random.Random) -> None:
        for _ in range(times_):
            await self._goes_on(500)
            await asyncio.sleep(rng.random() * 0.2)
            await asyncio.to_thread(trouble)
        await self._goes_on(100)
        self._done.set()

    async def _goes_on(self, positions: int) -> None:
        before, deadline = sum(self.sent.values()), time.monotonic() + 100
        while sum(self.sent.values()) < before + positions:
            assert time.monotonic() < deadline, f"the writers do not go on: {self.refused}"
            await asyncio.sleep(0.01)


async def test_a_server_that_crashes_and_comes_back_loses_nothing_acknowledged(
    own_cluster: Cluster, engine: str, rng: random.Random
) -> None:
    """Writers go on through it, their callers wait or are refused by name, and what they send again is stored once."""
    phones, pauses = Phones(own_cluster.fresh()), [0.0, 1.0]

    def crash() -> None:
        own_cluster.stop("immediate")
        time.sleep(pauses.pop())
        own_cluster.start()

    await phones.drive(crash, 2, rng)
    await phones.close()


async def test_a_standby_that_takes_over_has_all_that_was_acknowledged(engine: str, rng: random.Random) -> None:
    """The leader waits for it with each commit, and dies amid them; who knows both addresses finds the new leader."""
    leader = Cluster()
    try:
        leader.start()
        url = leader.fresh()
        standby = Cluster(leader=leader)
        try:
            standby.start()
            leader.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            leader.execute("SELECT pg_reload_conf()")
            synchronous = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
            eventually(lambda: leader.ask(synchronous), within_s=60, what="the standby")
            leader.execute("CHECKPOINT")  # by the process that tells the others to wait for the standby from now on

            def fail_over() -> None:
                leader.kill()
                standby.promote()

            both = f"postgresql://codriver@/{name_of(url)}?host={standby.folder},{leader.folder}&connect_timeout=60"
            phones = Phones(both)
            await phones.drive(fail_over, 1, rng)
            await phones.close()
        finally:
            standby.remove()
    finally:
        leader.remove()


@pytest.mark.parametrize(
    ("given", "hosts"),
    [
        ("postgresql://u:p@one:1,two:2/db?sslmode=require", ("one:1", "two:2")),
        ("postgres://one,two/db", ("one", "two")),
        ("postgresql://u@/db?host=/one,/two", "/one,/two"),
    ],
)
def test_of_several_hosts_the_one_that_writes_is_meant(given: str, hosts: object, engine: str) -> None:
    url = connect.url_of(given)
    assert url.query["host"] == hosts and url.query["target_session_attrs"] == "read-write" and url.database == "db"
    assert (
        connect.url_of(f"{given}{'&' if '?' in given else '?'}target_session_attrs=primary").query[
            "target_session_attrs"
        ]
        == "primary"
    )
    assert "target_session_attrs" not in connect.url_of("postgresql://u@one:1/db").query


async def test_a_server_that_stays_away_is_told_soon_and_found_when_it_is_back(
    own_cluster: Cluster, engine: str, caplog: pytest.LogCaptureFixture
) -> None:
    database = Database.open(own_cluster.fresh())
    journal = Journal(database)
    await journal.append("ana", drive(0, 10))
    own_cluster.stop("immediate")
    work = [
        journal.append("ana", drive(10, 10)),
        journal.transact(lambda conn: None),
        database.read(lambda conn: conn.scalar(text("SELECT 1"))),
    ]
    async with asyncio.timeout(60):
        told = await asyncio.gather(*work, return_exceptions=True)
    assert [getattr(refusal, "code", refusal) for refusal in told] == ["ERR_UNAVAILABLE"] * 3
    assert "a commit is tried again" in caplog.text
    caplog.clear()
    with pytest.raises(Refusal, match="ERR_UNAVAILABLE"):
        await journal.append("ana", drive(10, 10))
    assert "a commit is tried again" not in caplog.text, "who comes later should not wait as long"
    own_cluster.start()
    async with asyncio.timeout(60):
        while True:
            try:
                assert (await journal.append("ana", drive(10, 10))).accepted == 10
                break
            except Refusal:
                await asyncio.sleep(0.05)
        assert len(await database.read(lambda conn: times(conn, "ana"))) == 20
    await journal.close()
    database.close()


async def test_a_server_that_only_reads_is_away_for_those_who_write(own_cluster: Cluster, engine: str) -> None:
    """As a standby is until it takes over, behind an address that leads to either."""
    database = Database.open(own_cluster.fresh())
    journal = Journal(database)
    await journal.transact(partial(_add, "before"))
    own_cluster.execute("ALTER SYSTEM SET default_transaction_read_only = on")
    own_cluster.execute("SELECT pg_reload_conf()")
    try:
        with pytest.raises(Refusal, match="ERR_UNAVAILABLE"):
            async with asyncio.timeout(60):
                while True:  # until the server has heard of it
                    await journal.transact(lambda conn: None)
                    await asyncio.sleep(0.01)
        assert await database.read(lambda conn: conn.scalars(select(skills.c.id)).all()) == ["before"]
    finally:
        own_cluster.execute("ALTER SYSTEM RESET default_transaction_read_only")
        own_cluster.execute("SELECT pg_reload_conf()")
    async with asyncio.timeout(60):
        while True:
            try:
                await journal.transact(partial(_add, "after"))
                break
            except Refusal:
                await asyncio.sleep(0.05)
    await journal.close()
    database.close()


@pytest.fixture
def cramped() -> Iterator[tuple[Cluster, Path]]:
    """A server on a disk of its own, of 160 MB, and where that is. Skips where nobody lets us mount one."""
    with tempfile.TemporaryDirectory(prefix="codriver-disk-") as place:
        Path(place).chmod(0o711)  # root's PostgreSQL runs as another user
        with small_disk(Path(place) / "disk", 160 << 20) as folder:
            for server in cluster("max_wal_size=64MB", place=folder):
                yield server, folder


async def test_a_full_disk_of_the_server_is_told_and_nothing_acknowledged_is_lost(
    cramped: tuple[Cluster, Path], engine: str
) -> None:
    """Positions are refused while nothing can be written, and it heals when there is room again."""
    server, folder = cramped
    database = Database.open(server.fresh())
    journal = Journal(database)
    refused: Counter[str] = Counter()
    sent = 0

    async def go_on(until: Callable[[], bool]) -> None:
        nonlocal sent
        async with asyncio.timeout(60):
            while not until():
                try:
                    appended = await journal.append("ana", drive(sent, 100))
                    assert appended.accepted + appended.duplicates == 100
                    sent += 100
                except Refusal as refusal:
                    refused[refusal.code] += 1
                    await asyncio.sleep(0.02)

    await go_on(lambda: sent >= 2_000)
    ballast = folder / "ballast"
    with ballast.open("wb") as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1 << 16))
            file.flush()
    await go_on(lambda: refused.total() >= 5)
    assert refused.keys() <= {"ERR_STORAGE_FULL", "ERR_UNAVAILABLE"}, refused
    ballast.unlink()

    def up_again() -> bool:
        if not server.lives():  # it gives up where the log of what was committed cannot be written
            server.start()
        return server.runs()

    eventually(up_again, within_s=100, what="the server")
    before = sent
    await go_on(lambda: sent >= before + 1_000)
    stored = database.read_now(lambda conn: times(conn, "ana"))
    assert sorted(stored) == [NOON_MS + second * 1000 for second in range(sent)]
    await journal.close()
    database.close()


def _add(code: str, conn: Connection) -> None:
    conn.execute(insert(skills).values(id=code, account_id="a", code=code, name=""))
