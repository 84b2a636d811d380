"""What is done in the background: what goes wrong once is told, and tried again the next time."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from backend.domain.errors import Refusal
from backend.service import compaction, leases, retention
from backend.service.desk import Clock

CHORES = [
    (retention.keep_forgetting, retention, "sweep", {"EVERY_S", "LOOK_S"}),
    (compaction.keep_compacting, compaction, "compact", {"EVERY_S", "LOOK_S"}),
    (leases.keep_watch, leases.Watch, "look", {"BEAT_S"}),
]


@pytest.mark.parametrize(("chore", "where", "step", "pauses"), CHORES, ids=lambda each: getattr(each, "__name__", ""))
async def test_a_chore_goes_on_after_the_database_refused_and_after_a_bug(
    chore: Callable[[Any], Awaitable[None]],
    where: Any,
    step: str,
    pauses: set[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    troubles = [Refusal("ERR_UNAVAILABLE", "The database cannot be reached."), ValueError("a bug")]
    again = asyncio.Event()

    async def work(*_: object) -> None:
        if troubles:
            raise troubles.pop(0)
        again.set()

    async def leads() -> bool:
        return True

    monkeypatch.setattr(where, step, work)
    module: Any = leases if where is leases.Watch else where
    for pause in pauses:
        monkeypatch.setattr(module, pause, 0.001)
    desk = SimpleNamespace(
        database=SimpleNamespace(leads=leads), clock=Clock(), hub=SimpleNamespace(heed=lambda *_: None)
    )
    with caplog.at_level(logging.WARNING):
        doing = asyncio.ensure_future(chore(desk))
        async with asyncio.timeout(60):
            await again.wait()
        doing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await doing
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR"]
