"""The search's clock, for tests that ask what it finds within some seconds."""

import time
from types import SimpleNamespace

import pytest


@pytest.fixture
def processor_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The seconds of a search are seconds of the processor: as many on a machine that is busy with other things."""
    monkeypatch.setattr("backend.planning.watch.time", SimpleNamespace(monotonic=time.process_time))
