"""A database with its journal, for verbs that need no server."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from backend.store.database import Database
from backend.store.journal import Journal


@dataclass
class Store:
    database: Database
    journal: Journal


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    database = Database.open(tmp_path)
    journal = Journal(database)
    yield Store(database, journal)
    await journal.close()
    database.close()
