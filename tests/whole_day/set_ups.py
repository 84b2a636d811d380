"""The ways to run the product, each with the troubles that it may have in the middle of a day."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from tests import postgresql, redis_server
from tests.balancing import Balancer
from tests.postgresql import Cluster
from tests.redis_server import RedisServer
from tests.serving import Company, Server, eventually


class SetUp:
    """``url`` leads to whoever serves; ``troubles`` are what may happen to it, in any order."""

    def __init__(self, servers: list[Server], troubles: list[Callable[[], None]], port: int | None = None) -> None:
        self.servers, self.troubles = servers, troubles
        self.processes = sum(int(server.options[-1]) if server.options else 1 for server in servers)
        self._port = port

    @property
    def port(self) -> int:
        return self._port or self.servers[0].port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def company(self) -> Company:
        return Company(self, self.servers[0].account().key)

    def tail(self) -> str:
        return "\n".join(server.tail() for server in self.servers)

    def log(self) -> str:
        return "".join(server.log.read_text(errors="replace") for server in self.servers)


def one_process(folder: Path) -> Iterator[SetUp]:
    """On SQLite."""
    server = Server(folder / "data").start()
    try:
        yield SetUp([server], [lambda: _kill(server), lambda: _renew(server)])
    finally:
        server.kill()


def two_processes(folder: Path) -> Iterator[SetUp]:
    """Behind one address of one machine, on PostgreSQL and Redis."""
    with ExitStack() as ending:
        database, redis, environment = _shared(ending)
        server = Server(folder / "data", "--workers", "2", environment=environment)
        ending.callback(server.kill)
        server.start()

        def worker() -> None:
            victim, *_ = eventually(server.workers, within_s=60)
            os.kill(victim, signal.SIGKILL)
            eventually(lambda: victim not in server.workers() and len(server.workers()) == 2, within_s=60)

        yield SetUp([server], [worker, *_troubles(database, redis)])


def two_machines(folder: Path) -> Iterator[SetUp]:
    """Each with a data folder of its own, behind a balancer: on one PostgreSQL, one Redis and one bucket."""
    with ExitStack() as ending:
        database, redis, environment = _shared(ending)
        bucket = folder / "bucket"
        bucket.mkdir()
        environment |= {"CODRIVER_SECRET_KEY": "ab" * 32, "CODRIVER_BLOB_URL": f"file://{bucket}"}
        servers = [Server(folder / name, environment=environment) for name in ("here", "there")]
        balancer = Balancer(servers)
        balancer.begin()
        ending.callback(balancer.close)
        for server in servers:
            server.environment["CODRIVER_PUBLIC_URL"] = f"http://127.0.0.1:{balancer.port}"
            ending.callback(server.kill)
            server.start()
        own = [lambda: _kill(servers[0]), lambda: _renew(servers[1])]
        yield SetUp(servers, [*own, *_troubles(database, redis)], balancer.port)


def _shared(ending: ExitStack) -> tuple[Cluster, RedisServer, dict[str, str]]:
    """A PostgreSQL and a Redis that may be killed, and how servers are told of them."""
    database = ending.enter_context(postgresql.running())
    redis = ending.enter_context(redis_server.running())
    return database, redis, {"CODRIVER_DATABASE_URL": database.fresh(), "CODRIVER_REDIS_URL": redis.url}


def _troubles(database: Cluster, redis: RedisServer) -> list[Callable[[], None]]:
    def restart_redis() -> None:
        redis.kill()
        time.sleep(1)
        redis.start()

    def freeze_redis() -> None:
        redis.freeze()
        time.sleep(3)
        redis.thaw()

    def fill_redis() -> None:
        """It loses all that it holds, takes nothing any more, and has cut off all who listened."""
        redis.command("CLIENT KILL TYPE pubsub\r\nCONFIG SET maxmemory 1\r\nFLUSHALL")
        time.sleep(1)
        redis.command("CONFIG SET maxmemory 0")

    return [lambda: database.restart("immediate"), restart_redis, freeze_redis, fill_redis]


def _kill(server: Server) -> None:
    server.kill()
    server.start()


def _renew(server: Server) -> None:
    """As an update does."""
    code = server.stop()
    assert code == 0, f"exit code {code}: {server.tail()}"
    server.start()


KINDS = {"one process": one_process, "two processes": two_processes, "two machines": two_machines}
