"""Hubs to test: one alone, and two joined by Redis, of which one is told what the other shows."""

from collections.abc import AsyncIterator, Iterator

import pytest

from backend.live import fanout, fanout_calls, rolls
from backend.live import hub as hub_module
from backend.live.hub import Hub
from tests import redis_server
from tests.live.builders import Shelf, opened
from tests.redis_server import RedisServer

IN_EARNEST = {name: getattr(fanout, name) for name in ("PATIENCE_S", "SILENCE_S", "SPREAD_S")}


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody here is given up for being slow: this process, or Redis, may be stopped for seconds at any moment."""
    for name in ("PATIENCE_S", "SILENCE_S", "SPREAD_S"):
        monkeypatch.setattr(fanout, name, 100.0)
    monkeypatch.setattr(fanout_calls, "PATIENCE_S", 100.0)
    for name in ("STUCK_S", "ALIVE_S"):
        monkeypatch.setattr(hub_module, name, 1000.0)
    monkeypatch.setattr(rolls, "ROLL_S", 1000.0)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is in earnest, for tests in which Redis fails."""
    for name, seconds in IN_EARNEST.items():
        monkeypatch.setattr(fanout, name, seconds)


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    with redis_server.running() as server:
        yield server


@pytest.fixture(params=["alone", "joined"])
def redis_url(request: pytest.FixtureRequest) -> str | None:
    """None for a hub alone."""
    if request.param == "alone":
        return None
    url: str = request.getfixturevalue("redis").url
    return url


@pytest.fixture
async def hub(shelf: Shelf, redis_url: str | None) -> AsyncIterator[Hub]:
    async with opened(shelf, redis_url) as hub:
        yield hub
