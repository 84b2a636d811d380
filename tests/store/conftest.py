"""The store's tests run over every engine: ``database`` is a fresh one, ``place`` where it is."""

from collections.abc import AsyncIterator, Iterator

import pytest

from backend.store.database import Database
from backend.store.journal import Journal
from tests.patience import patient as patient


@pytest.fixture
def database(place: str) -> Iterator[Database]:
    opened = Database.open(place)
    yield opened
    opened.close()


@pytest.fixture
async def journal(database: Database) -> AsyncIterator[Journal]:
    writer = Journal(database)
    yield writer
    await writer.close()
