"""PgBouncer between us and PostgreSQL: in its session mode all works, in the others nothing is begun."""

import asyncio

import pytest
from sqlalchemy import Connection, insert, select

from backend.domain.errors import Refusal
from backend.store.database import Database
from backend.store.journal import Journal
from backend.store.tables import skills
from tests.pgbouncer import pooled
from tests.postgresql import Cluster
from tests.store.builders import drive


def through(url: str, way: str) -> str:
    return f"{url.partition('?')[0]}?{way}"


async def test_in_session_mode_two_processes_store_read_and_know_who_leads(postgresql: Cluster) -> None:
    with pooled(postgresql, "session") as way:
        url = through(postgresql.empty(), way)
        databases = [Database.open(url) for _ in range(2)]
        journals = [Journal(database) for database in databases]
        async with asyncio.timeout(60):
            for round_ in range(10):  # often enough that the driver prepares its statements
                for name, journal in zip("ab", journals, strict=True):
                    assert (await journal.append("ana" + name, drive(round_ * 25, 25))).accepted == 25
                    code = f"{name}{round_}"
                    row = {"code": code, "name": code, "account_id": "a", "id": code}
                    await journal.transact(lambda conn, row=row: conn.execute(insert(skills).values(**row)).rowcount)

            def count(conn: Connection) -> int:
                return len(conn.scalars(select(skills.c.id)).all())

            reads = [databases[n % 2].read(count) for n in range(40)]
            assert await asyncio.gather(*reads) == [20] * 40
            assert [await database.leads() for database in databases] == [True, False]
            for journal in journals:
                await journal.close()
        for database in databases:
            database.close()


@pytest.mark.parametrize(
    ("mode", "told"),
    [("transaction", "ERR_STORAGE_UNKNOWN: .*pool_mode = session"), ("statement", ".*statement pooling mode")],
)
def test_in_the_other_modes_the_server_does_not_start_and_says_why(postgresql: Cluster, mode: str, told: str) -> None:
    with pooled(postgresql, mode) as way, pytest.raises(Refusal, match=told):
        Database.open(through(postgresql.empty(), way))
