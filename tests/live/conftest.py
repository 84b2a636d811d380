"""Hubs to test: one alone, and two joined by Redis, of which one is told what the other shows."""

from collections.abc import AsyncIterator, Iterator

import pytest

from backend.live.hub import Hub
from tests import redis_server
from tests.live.builders import Shelf, opened
from tests.redis_server import RedisServer


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
