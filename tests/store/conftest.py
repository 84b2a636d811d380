from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from backend.store.database import Database
from backend.store.journal import Journal


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(tmp_path / "data")
    yield opened
    opened.close()


@pytest.fixture
async def journal(database: Database) -> AsyncIterator[Journal]:
    writer = Journal(database)
    yield writer
    await writer.close()
