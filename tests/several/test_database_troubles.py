"""Whole servers on a PostgreSQL that has troubles: phones are answered 503 meanwhile, and all heals by itself."""

from collections.abc import Iterator

import httpx
import pytest

from tests.api.watching import drive, fix, watching
from tests.postgresql import Cluster, cluster
from tests.serving import Company, Server, eventually


@pytest.fixture(scope="module")
def database() -> Iterator[Cluster]:
    """One that may be stopped."""
    yield from cluster()


@pytest.fixture(scope="module")
def own(database: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    environment = {"CODRIVER_DATABASE_URL": database.fresh()}
    server = Server(tmp_path_factory.mktemp("troubled") / "data", environment=environment).start()
    try:
        yield server
    finally:
        server.kill()


@pytest.fixture
def troubled(own: Server) -> Company:
    return own.account()


async def test_a_map_that_comes_while_postgresql_is_away_is_sent_away_to_come_again(
    troubled: Company, database: Cluster
) -> None:
    phone = troubled.driver("Ana")
    async with watching(troubled) as map_:  # known, and nobody has looked who there is
        database.stop("immediate")
        try:
            await map_.send(type="subscribe", id="a")
            assert await map_.code() == 1013
            assert httpx.get(f"{troubled.server.url}/readyz", timeout=20).status_code == 503
        finally:
            database.start()
    eventually(lambda: httpx.get(f"{troubled.server.url}/readyz", timeout=20).status_code == 200)
    async with watching(troubled) as map_:
        await map_.subscribe()
        drive(phone, fix(1))
        await map_.until(lambda: map_.moves(phone.driver_id))
