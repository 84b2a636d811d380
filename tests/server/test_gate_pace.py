"""The gate by itself: how soon those who were turned away are answered, and how a burst comes back."""

import asyncio
from itertools import pairwise
from types import SimpleNamespace

import pytest

from backend.server import gate as gate_module
from backend.server.gate import Gate


class Sleeper:
    def __init__(self, woken: list["Sleeper"]) -> None:
        self.woken = woken

    def wake(self) -> None:
        self.woken.append(self)


async def test_few_of_those_that_rest_are_woken_at_once_and_all_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes in between gets its turn."""
    monkeypatch.setattr(gate_module, "REST_S", 0.0)
    monkeypatch.setattr(gate_module, "WAKE_S", 0.0)
    monkeypatch.setattr(gate_module, "WAKE_AT_ONCE", 7)
    gate, woken, seen = Gate(), list[Sleeper](), [0]
    sleepers = [Sleeper(woken) for _ in range(100)]
    for each in sleepers:
        gate.rest(each)
    async with asyncio.timeout(60):
        while len(woken) < len(sleepers):
            await asyncio.sleep(0)
            seen.append(len(woken))
    assert woken == sleepers
    assert max(after - before for before, after in pairwise(seen)) <= 7


class Load:
    """That of requests which all wait for the event loop."""

    under_way = 0

    def full(self, most: int) -> bool:
        return self.under_way >= most

    def turned_away(self) -> None: ...


async def test_a_burst_comes_back_with_the_requests_of_a_quiet_time_and_not_under_pressure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    load, most, clock = Load(), 4 * gate_module.QUIET, SimpleNamespace(monotonic=lambda: now_s)
    monkeypatch.setattr(gate_module, "time", clock)
    now_s = 1000.0
    gate = Gate(load, {b"/let-in": most})

    def beyond() -> int:
        """How many more than the limit are let in at once."""
        while gate.admits(b"/let-in"):
            pass
        return load.under_way - most

    def little_by_little(under_way: int) -> None:
        for _ in range(gate_module.BURST):
            load.under_way = under_way
            assert gate.admits(b"/let-in")

    assert beyond() == gate_module.BURST
    little_by_little(most - 1)
    assert beyond() == 0
    now_s += 1.0
    assert beyond() == gate_module.BURST_A_SECOND, "what comes back with the time"
    little_by_little(gate_module.QUIET - 1)
    assert beyond() == gate_module.BURST
