"""A store that waits: on a machine that gives a test no processor for seconds, what is short for users ends a read."""

import pytest

from backend.store import examiner
from backend.store.postgresql import connect
from backend.store.postgresql import session as postgresql_session
from backend.store.sqlite import engine as sqlite_engine

PATIENCE_S = 100.0


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """For databases that are opened in the test's own process. What is about an end in time sets its own time."""
    monkeypatch.setattr(connect, "READ_S", PATIENCE_S)
    monkeypatch.setattr(connect, "LONG_READ_S", 2 * PATIENCE_S)
    monkeypatch.setattr(sqlite_engine, "PATIENCE_S", PATIENCE_S)
    monkeypatch.setattr(sqlite_engine, "LOOK_FOR_DAMAGE_S", PATIENCE_S)
    monkeypatch.setattr(postgresql_session, "FATE_S", PATIENCE_S)
    monkeypatch.setattr(examiner, "SECONDS", PATIENCE_S)
