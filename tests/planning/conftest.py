"""The search's clock, for tests that ask what it finds within some seconds."""

import pytest


@pytest.fixture
def processor_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search has its seconds of the processor, however long that takes on a machine that is busy otherwise."""
    monkeypatch.setattr("backend.planning.watch.LATE_S", 3600.0)
