"""The gate by itself: how soon those who were turned away are answered, and how a burst comes back."""

import asyncio
from itertools import pairwise

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


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Load:
    monkeypatch.setattr(gate_module, "LOOK_S", 3600.0)  # the tests look themselves
    return Load()


MOST = 4 * gate_module.QUIET


def beyond(gate: Gate, load: Load) -> int:
    """How many more than the limit are let in at once."""
    while gate.admits(b"/let-in"):
        pass
    return load.under_way - MOST


async def test_a_burst_comes_back_in_a_quiet_time_and_little_of_it_under_pressure(load: Load) -> None:
    gate = Gate(load, {b"/let-in": MOST})
    assert beyond(gate, load) == gate_module.BURST
    load.under_way = MOST - 1
    assert beyond(gate, load) == 0
    gate.look()
    load.under_way = MOST
    assert beyond(gate, load) == gate_module.GIVEN_BACK_UNDER_PRESSURE
    load.under_way = gate_module.QUIET - 1
    for _ in range(gate_module.BURST):
        gate.look()
    assert beyond(gate, load) == gate_module.BURST


async def test_requests_that_come_in_clumps_are_let_in_where_each_clump_is_through_before_the_next(load: Load) -> None:
    gate = Gate(load, {b"/let-in": MOST})
    for _ in range(50):
        load.under_way = 0
        for _ in range(6):  # a twentieth of a second, less what it takes to do them
            gate.look()
        assert all(gate.admits(b"/let-in") for _ in range(MOST + 5 * gate_module.GIVEN_BACK))
