"""What every test may ask for: the reference data beside the repository, and random numbers that can be drawn again."""

import os
import random
import secrets
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import websockets.asyncio.client
import websockets.sync.client
from httpx import _config
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from tests.postgresql import FAST, Cluster, cluster
from tests.serving import Company, Server

# A machine that is busy with other tests may need more than the five or ten seconds that clients give a server by
# themselves, also for its answers to their pings.
for _name in ("connect", "read", "write", "pool"):
    setattr(_config.DEFAULT_TIMEOUT_CONFIG, _name, 60.0)
for _connect in (websockets.sync.client.connect, websockets.asyncio.client.connect.__init__):
    _connect.__kwdefaults__ |= {"open_timeout": 60.0, "ping_timeout": 60.0}
# Nor does a rule break where an example took longer than the fifth of a second that Hypothesis gives it.
hypothesis_settings.register_profile(
    "busy machine", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
hypothesis_settings.load_profile("busy machine")
SHARED = Path(__file__).resolve().parents[2] / "shared"
"""Reference data that is not part of the repository. A test that needs it is skipped where it is absent."""
LONGEST = ("whole_day", "browser")


@pytest.fixture
def shared() -> Callable[[str], Path]:
    """``shared("data/van-day.csv")`` is that file of the reference data."""

    def find(path: str) -> Path:
        found = SHARED / path
        if not found.exists():
            pytest.skip(f"the reference data {path} is not beside the repository")
        return found

    return find


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, help="the seed of every random test, to repeat a run")
    parser.addoption(
        "--kills", type=int, default=3, help="how often the server is killed in tests/whole_day/test_torture"
    )
    parser.addoption(
        "--database",
        choices=["sqlite", "postgresql"],
        default="sqlite",
        help="what tests/whole_day/test_torture tortures: one process, or two with Redis",
    )
    parser.addoption("--days", type=int, default=2, help="how many days tests/whole_day/test_soak.py drives")


def pytest_configure(config: pytest.Config) -> None:
    if config.option.seed is None:
        config.option.seed = secrets.randbelow(2**32)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # begun in the background: what we start would ignore it too
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors, as most tests wait most of the time: for servers, clocks and disks."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, or one of them is left to one worker in the end while the others have nothing to do."""
    items.sort(key=lambda item: item.path.parent.name not in LONGEST)


def pytest_report_header(config: pytest.Config) -> str:
    return f"random tests: repeat with --seed {config.option.seed}"


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """The run's seed, printed where the test fails."""
    value: int = request.config.option.seed
    print(f"repeat with --seed {value}")
    return value


@pytest.fixture
def rng(seed: int) -> random.Random:
    return random.Random(seed)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real server that the module's tests share; take a ``company`` each and they do not meet."""
    running = Server(tmp_path_factory.mktemp("served") / "data").start()
    try:
        yield running
    finally:
        running.kill()


@pytest.fixture
def company(server: Server) -> Company:
    """A new account on the shared server."""
    return server.account()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    """A real PostgreSQL that the whole run shares; take a ``fresh`` database of it each. It does without fsync."""
    yield from cluster(*FAST)


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> str:
    """Each engine in turn."""
    kind: str = request.param
    return kind


@pytest.fixture
def place(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """What ``Database.open`` takes for a database that is only this test's."""
    if engine == "sqlite":
        yield str(tmp_path / "data")
        return
    postgresql = request.getfixturevalue("postgresql")
    url = postgresql.fresh()
    yield url
    postgresql.drop(url)
