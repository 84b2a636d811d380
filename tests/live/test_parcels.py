"""Recipients: a state at once, then whenever it changes, and never more than once a second."""

import json

import pytest

from backend.domain.positions import Position
from backend.live import parcels
from backend.live.hub import Hub
from backend.live.parcels import Parcel
from tests.live.builders import NOON, Shelf, Socket, arrived, at, until


def parcel(status: str, shown: bool = True, driver_id: str = "ana") -> Parcel:
    def render(position: Position | None, now_s: float) -> bytes:
        return json.dumps({"type": "state", "status": status, "at": position and position.timestamp}).encode()

    return Parcel("acme", driver_id, shown, status, render)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf("ana", "bob")


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parcels, "PERIOD_S", 0.05)
    monkeypatch.setattr(parcels, "TICK_S", 0.01)


async def test_the_state_comes_at_once_and_follows_facts_and_the_driver(hub: Hub, shelf: Shelf) -> None:
    shelf.parcels["code"] = parcel("scheduled", shown=False)
    hub.tell_positions("acme", "ana", at(1))
    await arrived(hub)
    socket = Socket()
    assert await hub.recipient(socket, "code")
    assert socket.got("state") == [{"type": "state", "status": "scheduled", "at": None}]
    shelf.parcels["code"] = parcel("on_route")
    hub.tell_facts("acme", "ana")
    await arrived(hub)
    await until(lambda: len(socket.wires) == 2 and not hub._parcels._dirty)
    assert socket.got("state")[-1] == {"type": "state", "status": "on_route", "at": NOON + 1}
    shelf.reads.clear()
    hub.tell_positions("acme", "ana", at(2))
    await until(lambda: len(socket.wires) == 3)
    assert socket.got("state")[-1]["at"] == NOON + 2
    assert shelf.reads == [], "a move reads nothing"


async def test_other_drivers_and_accounts_wake_nobody(hub: Hub, shelf: Shelf) -> None:
    shelf.parcels["code"] = parcel("on_route")
    socket = Socket()
    await hub.recipient(socket, "code")
    await until(lambda: not hub._parcels._dirty)
    shelf.reads.clear()
    hub.tell_positions("acme", "bob", at(1))
    hub.tell_facts("acme", "bob")
    hub.tell_facts("other")
    await arrived(hub)
    assert not hub._parcels._dirty
    hub.tell_routes("acme", "2026-03-02", [])
    await arrived(hub)
    await until(lambda: not hub._parcels._dirty)
    assert shelf.reads == ["parcel"] and len(socket.wires) == 1, "read again, and found the same"


async def test_nobody_is_told_twice_the_same_and_a_stuck_one_gets_the_newest(hub: Hub, shelf: Shelf) -> None:
    shelf.parcels["code"] = parcel("on_route")
    stuck, other = Socket(), Socket()
    await hub.recipient(stuck, "code")
    await hub.recipient(other, "code")
    stuck.stuck = True
    for second in range(1, 4):
        hub.tell_positions("acme", "ana", at(second))
        await until(lambda second=second: other.got("state")[-1]["at"] == NOON + second)
    stuck.stuck = False
    await until(lambda: len(stuck.wires) == 2)
    assert stuck.got("state")[-1]["at"] == NOON + 3
    assert [each["at"] for each in other.got("state")] == [None, NOON + 1, NOON + 2, NOON + 3]


async def test_an_estimate_is_made_again_after_a_while(hub: Hub, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parcels, "READ_AGAIN_S", 0.0)
    shelf.parcels["code"] = parcel("on_route")
    socket = Socket()
    await hub.recipient(socket, "code")
    shelf.parcels["code"] = parcel("late")
    hub._parcels.age()
    await until(lambda: socket.got("state")[-1]["status"] == "late")


async def test_nobody_knows_an_unknown_code_and_a_deleted_order_is_gone(hub: Hub, shelf: Shelf) -> None:
    assert await hub.recipient(Socket(), "unknown") is None
    shelf.parcels["code"] = parcel("on_route")
    socket = Socket()
    watcher = await hub.recipient(socket, "code")
    assert watcher is not None
    del shelf.parcels["code"]
    hub.tell_facts("acme")
    await until(lambda: socket.closed)
    assert socket.closed == 4404
    hub.unwatch(watcher)
    assert not hub._parcels._windows and not hub._parcels._by_driver and not hub._parcels._by_account
