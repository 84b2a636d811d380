"""A database with its journal, for verbs that need no server; each test runs over every engine."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest

from backend.store.database import Database
from backend.store.journal import Journal
from tests.patience import patient as patient


@dataclass
class Store:
    database: Database
    journal: Journal


@pytest.fixture
async def store(place: str) -> AsyncIterator[Store]:
    database = Database.open(place)
    journal = Journal(database)
    yield Store(database, journal)
    await journal.close()
    database.close()


@pytest.fixture
def database(place: str) -> Iterator[Database]:
    opened = Database.open(place)
    yield opened
    opened.close()
