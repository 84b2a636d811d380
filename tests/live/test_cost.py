"""What is done once for all who watch, shown by counting it."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from backend.live import boxes as boxes_module
from backend.live import frames, watchers
from backend.live.hub import Hub
from backend.live.watchers import Wish
from tests.live.builders import Shelf, Socket, at, opened
from tests.live.builders import until as until_soon

ACCOUNT = "acme"
PATIENCE_S = 100.0
NAMES = [f"d{number}" for number in range(40)]


@pytest.fixture
def redis_url() -> None:
    """A hub alone: what another process tells is told here in the same way."""


@pytest.fixture
def shelf() -> Shelf:
    return Shelf(*NAMES)


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> Iterator[Callable[[], int]]:
    """How often a function was called since."""
    real, calls = getattr(module, name), 0

    def count(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        return real(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(module, name, count)
        yield lambda: calls


async def watch(hub: Hub, *wishes: Wish, events: bool = False, after: int | None = None) -> list[Socket]:
    """All come at once."""
    sockets = [Socket() for _ in wishes]
    coming = (
        hub.subscribe(hub.watch(socket, ACCOUNT, "key"), wish, events, after)
        for socket, wish in zip(sockets, wishes, strict=True)
    )
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(*coming)
    return sockets


async def until(condition: Callable[[], object]) -> None:
    await until_soon(condition, PATIENCE_S)


def move(hub: Hub, names: list[str], second: float) -> None:
    for number, name in enumerate(names):
        hub.tell_positions(ACCOUNT, name, at(second, 45.0 + number, 15.5))


async def test_a_move_is_encoded_once_whatever_each_of_many_calls_its_subscription(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    sockets = await watch(hub, *(Wish(f"name-{number}", max_hz=10) for number in range(200)))
    with counted(monkeypatch, frames, "_moved") as moves, counted(monkeypatch, frames, "moved") as encoded:
        move(hub, NAMES, 1)
        await until(lambda: all(socket.trail(NAMES[-1]) for socket in sockets))
    assert (moves(), encoded()) == (len(NAMES), 1)
    assert {socket.got("positions")[0]["id"] for socket in sockets} == {f"name-{number}" for number in range(200)}


async def test_a_move_is_encoded_once_for_all_the_boxes_it_is_in(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    wishes = [Wish("a", box=(15.0 - number / 100, 44.0, 16.0, 50.5), max_hz=10) for number in range(100)]
    sockets = await watch(hub, *wishes)
    with counted(monkeypatch, frames, "_moved") as moves:
        move(hub, NAMES, 1)
        await until(lambda: all(socket.got("positions") for socket in sockets))
    assert moves() == 6, "as many drivers are in the boxes"
    assert all(len(socket.got("positions")[0]["drivers"]) == 6 for socket in sockets)


async def test_a_box_costs_what_is_in_it_and_not_what_moves_elsewhere(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand boxes, and a fleet of which one driver is in one of them."""
    spots = [(column * 0.5, row * 0.5) for column in range(40) for row in range(25)]
    wishes = [Wish("a", box=(west, south, west + 0.4, south + 0.4), max_hz=10) for west, south in spots]
    sockets = await watch(hub, *wishes)
    with counted(monkeypatch, boxes_module, "contains") as asked, counted(monkeypatch, frames, "moved") as encoded:
        for second in range(1, 11):
            move(hub, NAMES[1:], second)
            hub.tell_positions(ACCOUNT, NAMES[0], at(second, spots[500][1] + 0.2, spots[500][0] + 0.2))
            hub._ticker.spread(hub._audiences[ACCOUNT], hub._running())
        await until(lambda: sockets[500].trail(NAMES[0])[-1:] == [at(10).timestamp])
    assert asked() <= 10 * 4, "of 1,000 boxes a place is looked for in few"
    assert encoded() <= 10
    assert not any(socket.got("positions") for number, socket in enumerate(sockets) if number != 500)


async def test_a_thousand_who_come_at_once_share_one_reading_and_one_snapshot(
    hub: Hub, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(50):
        shelf.add_event()
    shelf.positions = {name: at(1) for name in NAMES}
    monkeypatch.setattr(watchers, "SNAPSHOT_S", 1000.0)  # those who come at once may take long to be greeted here
    began = time.monotonic()
    with counted(monkeypatch, frames, "shown") as snapshots, counted(monkeypatch, frames, "snapshot") as written:
        sockets = await watch(hub, *(Wish("a", max_hz=10) for _ in range(1000)), events=True, after=40)
        await until(lambda: all(len(socket.wires) == 11 for socket in sockets))
    assert shelf.reads.count("roll") == snapshots() == 1
    most = (time.monotonic() - began) / watchers.SAME_S + 2
    assert written() <= most, "the same bytes, but for the time that they tell"
    assert shelf.reads.count("events") <= 3
    assert all(socket.trail(NAMES[7]) == [at(1).timestamp] for socket in sockets)
    assert all([each["event"]["sequence"] for each in socket.got("event")] == [*range(41, 51)] for socket in sockets)


async def test_those_who_come_while_the_fleet_works_share_few_readings(hub: Hub, shelf: Shelf) -> None:
    """After a restart the phones come back too, and whatever they report makes the last reading old."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    for _ in range(100):
        shelf.add_event()
        hub.tell_facts(ACCOUNT)
        await watch(hub, *(Wish("a") for _ in range(10)))
        if loop.time() - began > 1.5:
            break
    assert shelf.reads.count("roll") <= (loop.time() - began) / 0.2 + 2


async def test_one_who_is_far_behind_in_the_log_does_not_keep_the_others_waiting(hub: Hub, shelf: Shelf) -> None:
    for _ in range(4000):
        shelf.add_event()
    (behind,) = await watch(hub, Wish("a"), events=True, after=0)
    (here,) = await watch(hub, Wish("a"), events=True)
    read_when_told: list[int] = []
    take = here.try_write
    here.try_write = lambda frame: read_when_told.append(shelf.reads.count("events")) or take(frame)
    before = shelf.reads.count("events")
    shelf.add_event()
    hub.tell_facts(ACCOUNT)
    await until(lambda: here.got("event"))
    assert read_when_told[0] <= before + 3, "of the eight that the other one needs"
    await until(lambda: len(behind.wires) == 4002)


async def test_many_who_are_behind_by_nearly_the_same_share_the_readings_of_the_log(hub: Hub, shelf: Shelf) -> None:
    for _ in range(3000):
        shelf.add_event()
    sockets = [Socket() for _ in range(40)]
    async with asyncio.timeout(PATIENCE_S):
        for number, socket in enumerate(sockets):
            await hub.subscribe(hub.watch(socket, ACCOUNT, "key"), Wish("a"), events=True, after=2000 + number)
    await until(lambda: all(len(socket.wires) == 1 + 1000 - number for number, socket in enumerate(sockets)))
    assert shelf.reads.count("events") <= 30


async def test_a_listed_driver_is_in_the_first_snapshot_of_a_box_also_where_nobody_watched_before(shelf: Shelf) -> None:
    async with opened(shelf, None) as hub:
        move(hub, NAMES[:1], 1)
        wish = Wish("a", drivers=frozenset({f"X-{NAMES[0]}", f"X-{NAMES[1]}"}), box=(15.0, 44.0, 16.0, 46.0))
        (socket,) = await watch(hub, wish)
    assert socket.trail(NAMES[0]) == [at(1).timestamp]
