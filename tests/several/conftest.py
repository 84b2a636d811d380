"""Two servers as two machines would run them: one PostgreSQL, one Redis and one folder of files between them."""

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests import redis_server
from tests.postgresql import Cluster
from tests.redis_server import RedisServer
from tests.serving import Company, Server


class Several(NamedTuple):
    here: Server
    there: Server
    redis: RedisServer

    def company(self) -> tuple[Company, Company]:
        """A new account, as its office uses it at each server."""
        here = self.here.account()
        return here, Company(self.there, here.key)


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory, postgresql: Cluster) -> Iterator[Several]:
    data = tmp_path_factory.mktemp("several") / "data"
    url = postgresql.fresh()
    with redis_server.running() as redis:
        environment = {"CODRIVER_DATABASE_URL": url, "CODRIVER_REDIS_URL": redis.url}
        servers = [Server(data, environment=environment) for _ in range(2)]
        try:
            for server in servers:
                server.start()
            yield Several(*servers, redis)
        finally:
            for server in servers:
                server.kill()
            postgresql.drop(url)


@pytest.fixture
def companies(several: Several) -> tuple[Company, Company]:
    """One account, here and there."""
    return several.company()
