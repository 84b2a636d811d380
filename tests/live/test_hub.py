"""The hub without sockets: who is told what, and in which order."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from backend.live import hub as hub_module
from backend.live import tasks as tasks_module
from backend.live import watchers as watchers_module
from backend.live.audience import Audience
from backend.live.frames import Frame
from backend.live.hub import Hub
from backend.live.phones import Message
from backend.live.watchers import Feed, Wish
from tests.live.builders import NOON, Shelf, Socket, arrived, at, until

ACCOUNT = "acme"
ALL = Wish("a", max_hz=10)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf("ana", "bob", "cleo")


async def watch(hub: Hub, wish: Wish = ALL, events: bool = False, account: str = ACCOUNT) -> Socket:
    await arrived(hub)
    socket = Socket()
    await hub.subscribe(hub.watch(socket, account, "key"), wish, events)
    return socket


async def test_a_snapshot_comes_first_and_moves_follow(hub: Hub) -> None:
    hub.tell_positions(ACCOUNT, "ana", at(1))
    socket = await watch(hub)
    (snapshot,) = socket.got("snapshot")
    assert snapshot["id"] == "a" and snapshot["now"] == NOON
    assert {each["externalId"] for each in snapshot["drivers"]} == {"X-ana", "X-bob", "X-cleo"}
    assert {each["driverId"]: each["position"] and each["position"]["timestamp"] for each in snapshot["drivers"]} == {
        "ana": NOON + 1,
        "bob": None,
        "cleo": None,
    }
    hub.tell_positions(ACCOUNT, "bob", at(2, 45.5, 16.5))
    await until(lambda: socket.trail("bob"))
    assert socket.got("positions")[-1]["drivers"] == [
        {"driverId": "bob", "timestamp": NOON + 2, "latitude": 45.5, "longitude": 16.5, "externalId": "X-bob"}
    ]


async def test_a_late_fix_does_not_move_the_van(hub: Hub) -> None:
    socket = await watch(hub)
    hub.tell_positions(ACCOUNT, "ana", at(10))
    await until(lambda: socket.trail("ana"))
    hub.tell_positions(ACCOUNT, "ana", at(5))
    hub.tell_positions(ACCOUNT, "ana", at(10))
    hub.tell_positions(ACCOUNT, "bob", at(11))
    await until(lambda: socket.trail("bob"))
    assert socket.trail("ana") == [NOON + 10]


async def test_what_happens_while_the_snapshot_is_made_is_not_lost(hub: Hub, shelf: Shelf) -> None:
    shelf.gate = asyncio.Event()
    socket = Socket()
    subscribing = asyncio.create_task(hub.subscribe(hub.watch(socket, ACCOUNT, "key"), ALL, events=True))
    await until(lambda: shelf.reads)
    hub.tell_positions(ACCOUNT, "ana", at(1))
    shelf.add_event("ana")
    hub.tell_facts(ACCOUNT)
    await arrived(hub)
    shelf.gate.set()
    await subscribing
    await until(lambda: socket.got("event"))
    assert socket.wires[0].payload.startswith(b'{"type":"snapshot"') and socket.trail("ana")[0] == NOON + 1
    assert [each["event"]["sequence"] for each in socket.got("event")] == [1]


async def test_who_comes_while_the_roll_is_read_sees_what_was_told_since_the_reading_began(
    hub: Hub, shelf: Shelf
) -> None:
    shelf.gate = asyncio.Event()
    first = asyncio.create_task(watch(hub))
    await until(lambda: shelf.reads)
    shelf.cards |= Shelf("dora").cards
    hub.tell_fleet(ACCOUNT)
    second = asyncio.create_task(watch(hub))
    await asyncio.sleep(0)
    shelf.gate.set()
    async with asyncio.timeout(60):
        (snapshot,) = (await second).got("snapshot")
        await first
    assert "dora" in {each["driverId"] for each in snapshot["drivers"]}


async def test_who_comes_a_moment_later_shares_the_snapshot_and_is_told_what_moved_since(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchers_module, "SNAPSHOT_S", 1000.0)
    hub.tell_positions(ACCOUNT, "ana", at(1))
    hub.tell_positions(ACCOUNT, "bob", at(1))
    first = await watch(hub)
    hub.tell_positions(ACCOUNT, "ana", at(2))
    second = await watch(hub)
    assert second.wires[0].payload == first.wires[0].payload
    await until(lambda: second.trail("ana") == [NOON + 1, NOON + 2])
    assert second.trail("bob") == [NOON + 1]


async def test_all_watchers_of_one_kind_share_the_very_same_bytes(hub: Hub) -> None:
    sockets = [await watch(hub) for _ in range(3)]
    other = await watch(hub, Wish("b", max_hz=10))
    hub.tell_positions(ACCOUNT, "ana", at(1))
    await until(lambda: all(socket.got("positions") for socket in [*sockets, other]))
    assert len({id(socket.wires[-1].wire) for socket in sockets}) == 1
    assert other.wires[-1].wire is not sockets[0].wires[-1].wire


async def test_a_slow_watcher_gets_fewer_and_newer_positions_and_the_others_get_all(hub: Hub) -> None:
    slow, fast = await watch(hub), await watch(hub)
    slow.stuck = True
    for second in range(1, 6):
        hub.tell_positions(ACCOUNT, "ana", at(second))
        hub.tell_positions(ACCOUNT, "bob", at(second))
        await until(lambda second=second: fast.trail("ana")[-1:] == [NOON + second])
    assert slow.got("positions") == []
    slow.stuck = False
    await until(lambda: slow.got("positions"))
    assert slow.trail("ana") == slow.trail("bob") == [NOON + 5]
    assert fast.trail("ana") == [NOON + each for each in range(1, 6)]
    hub.tell_positions(ACCOUNT, "ana", at(6))
    await until(lambda: slow.trail("ana")[-1] == fast.trail("ana")[-1] == NOON + 6)
    assert slow.wires[-1].wire is fast.wires[-1].wire


@pytest.mark.parametrize("what", ["positions", "event"])
async def test_others_have_their_turns_while_many_are_written_to(
    hub: Hub, shelf: Shelf, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Phones are answered on the same loop."""
    monkeypatch.setattr(tasks_module, "TURN_S", 0.0)
    turns, written_at = 0, []

    async def work() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    def noting(take: Callable[[Frame], bool], frame: Frame) -> bool:
        written_at.append(turns)
        return take(frame)

    sockets = [await watch(hub, events=True) for _ in range(40)]
    await until(lambda: hub.event_lag_s() == 0)
    working = asyncio.create_task(work())
    for socket in sockets:
        monkeypatch.setattr(socket, "try_write", partial(noting, socket.try_write))
    if what == "positions":
        hub.tell_positions(ACCOUNT, "ana", at(1))
    else:
        shelf.add_event("ana")
        hub.tell_facts(ACCOUNT)
    await until(lambda: all(socket.got(what) for socket in sockets))
    working.cancel()
    assert len(set(written_at)) >= 30


async def test_a_watcher_that_takes_nothing_is_closed(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "STUCK_S", 0.2)
    monkeypatch.setattr(hub_module, "SWEEP_S", 0.05)
    stuck, fast = await watch(hub), await watch(hub)
    stuck.stuck = True
    hub.tell_positions(ACCOUNT, "ana", at(1))
    await until(lambda: stuck.closed)
    assert stuck.closed == 4408 and fast.closed is None


@pytest.mark.parametrize("room", [Feed, Audience])
async def test_a_bug_amid_telling_drops_no_move_holds_up_nobody_else_and_is_written_down_once(
    hub: Hub, room: type, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Of a feed's frame, or of finding out which feeds a move is for."""
    sockets, others = [await watch(hub) for _ in range(3)], await watch(hub, account="other")
    name = "moves" if room is Feed else "_spread"
    works, failed = getattr(room, name), list[str]()

    def fails(self: Any, *given: Any) -> Any:
        if self.fleet is sick and len(failed) < 5:
            failed.append(name)
            raise RuntimeError("a bug")
        return works(self, *given)

    sick = hub._audiences[ACCOUNT].fleet
    monkeypatch.setattr(room, name, fails)
    hub.tell_positions(ACCOUNT, "ana", at(1))
    await until(lambda: failed)
    hub.tell_positions(ACCOUNT, "bob", at(2))
    hub.tell_positions("other", "ana", at(3))
    await until(lambda: others.trail("ana") == [NOON + 3])
    await until(lambda: all(each.trail("ana") == [NOON + 1] and each.trail("bob") == [NOON + 2] for each in sockets))
    assert len(failed) == 5 and len([line for line in caplog.records if line.exc_info]) == 1


async def test_silence_is_broken_by_a_sign_of_life(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "ALIVE_S", 0.1)
    monkeypatch.setattr(hub_module, "SWEEP_S", 0.05)
    socket = await watch(hub)
    await until(lambda: socket.got("alive"))
    assert socket.got("alive")[0]["at"] == int(NOON)


async def test_no_more_frames_a_second_than_asked_for(hub: Hub) -> None:
    socket = await watch(hub, Wish("a", max_hz=4))
    loop = asyncio.get_running_loop()
    began = loop.time()
    step = 0
    while step < 100 or len(socket.got("positions")) < 2:
        assert loop.time() - began < 60
        step += 1
        hub.tell_positions(ACCOUNT, "ana", at(step / 100))
        await asyncio.sleep(0.01)
    assert len(socket.got("positions")) <= (loop.time() - began) * 4 + 1
    await until(lambda: socket.trail("ana")[-1] == at(step / 100).timestamp)


async def test_a_list_of_drivers_is_by_external_id(hub: Hub) -> None:
    socket = await watch(hub, Wish("a", drivers=frozenset({"X-bob", "nobody"}), max_hz=10))
    assert [each["driverId"] for each in socket.got("snapshot")[0]["drivers"]] == ["bob"]
    for each in ("ana", "bob"):
        hub.tell_positions(ACCOUNT, each, at(1))
    await until(lambda: socket.trail("bob"))
    assert socket.trail("ana") == []


async def test_a_box_shows_who_is_in_it_and_says_once_who_left(hub: Hub) -> None:
    hub.tell_positions(ACCOUNT, "ana", at(1, 45.5, 15.5))
    hub.tell_positions(ACCOUNT, "bob", at(1, 50.0, 15.5))
    socket = await watch(hub, Wish("a", box=(15.0, 45.0, 16.0, 46.0), max_hz=10))
    assert [each["driverId"] for each in socket.got("snapshot")[0]["drivers"]] == ["ana"]
    hub.tell_positions(ACCOUNT, "ana", at(2, 47.0, 15.5))
    await until(lambda: socket.got("positions"))
    assert socket.got("positions")[0]["drivers"][0]["left"] is True
    hub.tell_positions(ACCOUNT, "ana", at(3, 48.0, 15.5))
    hub.tell_positions(ACCOUNT, "bob", at(3, 45.5, 15.5))
    await until(lambda: socket.trail("bob"))
    assert socket.trail("ana") == [NOON + 1, NOON + 2]
    assert "left" not in socket.got("positions")[-1]["drivers"][0]


async def test_another_account_sees_nothing(hub: Hub) -> None:
    mine, theirs = await watch(hub), await watch(hub, account="other")
    hub.tell_positions(ACCOUNT, "ana", at(1))
    await until(lambda: mine.got("positions"))
    assert theirs.got("positions") == [] and theirs.trail("ana") == []


async def test_a_driver_who_was_hired_meanwhile_is_introduced(hub: Hub, shelf: Shelf) -> None:
    socket = await watch(hub)
    shelf.cards |= Shelf("dora").cards
    hub.tell_positions(ACCOUNT, "dora", at(1))
    await until(lambda: socket.trail("dora"))


async def test_the_stored_position_is_shown_until_a_newer_one_comes(hub: Hub, shelf: Shelf) -> None:
    shelf.positions["ana"] = at(1)
    socket = await watch(hub, Wish("a", box=(15.0, 44.0, 17.0, 46.0), max_hz=10))
    assert socket.trail("ana")[0] == NOON + 1


async def test_events_reach_everybody_in_order_and_none_is_lost_to_a_slow_one(hub: Hub, shelf: Shelf) -> None:
    shelf.add_event()
    slow, fast, deaf = await watch(hub, events=True), await watch(hub, events=True), await watch(hub)
    slow.stuck = True
    for _ in range(2500):
        shelf.add_event("ana")
        hub.tell_facts(ACCOUNT)
        if len(shelf.log) % 100 == 0:
            await asyncio.sleep(0)
    everything = list(range(2, 2502))
    await until(lambda: len(fast.wires) == 2501)
    assert [each["event"]["sequence"] for each in fast.got("event")] == everything
    slow.stuck = False
    await until(lambda: len(slow.wires) == 2501)
    assert [each["event"]["sequence"] for each in slow.got("event")] == everything
    assert deaf.got("event") == []


async def test_those_who_are_up_to_date_share_one_reading_of_the_log(hub: Hub, shelf: Shelf) -> None:
    sockets = [await watch(hub, events=True) for _ in range(20)]
    await until(lambda: not hub._audiences[ACCOUNT].pumping)
    shelf.reads.clear()
    shelf.add_event("ana")
    hub.tell_facts(ACCOUNT)
    await until(lambda: all(socket.got("event") for socket in sockets))
    assert shelf.reads == ["events"]


async def test_how_long_events_wait_to_be_told_is_known(
    hub: Hub, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket = await watch(hub, events=True)
    await until(lambda: hub.event_lag_s() == 0)
    answering, genuine = asyncio.Event(), shelf.events

    async def events(*given: Any) -> Any:
        await answering.wait()
        return await genuine(*given)

    monkeypatch.setattr(shelf, "events", events)
    shelf.add_event("ana")
    hub.tell_facts(ACCOUNT)
    await until(lambda: hub.event_lag_s() > 0.1)
    assert socket.got("event") == []
    answering.set()
    await until(lambda: socket.got("event") and hub.event_lag_s() == 0)


async def test_how_late_the_loop_is_is_known(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "SWEEP_S", 0.05)
    await until(lambda: hub.loop_lag_s < 0.5)
    time.sleep(1.5)  # as something that does not give way
    await until(lambda: hub.loop_lag_s > 0.4)


async def test_who_comes_back_may_name_the_last_event_it_had(hub: Hub, shelf: Shelf) -> None:
    for _ in range(5):
        shelf.add_event()
    socket = Socket()
    await hub.subscribe(hub.watch(socket, ACCOUNT, "key"), Wish("a"), events=True, after=3)
    await until(lambda: len(socket.got("event")) == 2)
    assert [each["event"]["sequence"] for each in socket.got("event")] == [4, 5]


async def test_a_changed_plan_is_told_to_those_who_want_events_and_to_the_phones_concerned(hub: Hub) -> None:
    eager, calm = await watch(hub, events=True), await watch(hub)
    with hub.phone(ACCOUNT, "ana", "token-a") as ana, hub.phone(ACCOUNT, "bob", "token-b") as bob:
        hub.tell_routes(ACCOUNT, "2026-03-02", ["ana"])
        hub.tell_message(ACCOUNT, "bob", Message("m1", "hello", "2026-03-02T12:00:00Z", "office"))
        async with asyncio.timeout(60):
            assert (await ana.hear()).date == "2026-03-02"
            assert (await bob.hear()).message.text == "hello"
    await until(lambda: eager.got("plan"))
    assert eager.got("plan") == [{"type": "plan", "id": "a", "date": "2026-03-02"}]
    assert calm.got("plan") == []


async def test_a_revoked_credential_is_cut_off_at_once(hub: Hub) -> None:
    socket = await watch(hub)
    with hub.phone(ACCOUNT, "ana", "token") as line:
        hub.tell_revoked("key")
        hub.tell_revoked("token")
        hub.tell_revoked("unknown")
        async with asyncio.timeout(60):
            assert (await line.hear()).code == 4409
    assert socket.closed == 4409


async def test_a_newer_connection_of_the_same_phone_replaces_the_older(hub: Hub) -> None:
    with hub.phone(ACCOUNT, "ana", "token") as older, hub.phone(ACCOUNT, "ana", "token") as newer:
        hub.tell_routes(ACCOUNT, "2026-03-02", ["ana"])
        async with asyncio.timeout(60):
            assert (await older.hear()).code == 4409
            assert (await newer.hear()).date == "2026-03-02"


async def test_the_same_id_again_replaces_the_earlier_wish(hub: Hub) -> None:
    socket = Socket()
    watcher = hub.watch(socket, ACCOUNT, "key")
    await hub.subscribe(watcher, Wish("a", drivers=frozenset({"X-ana"}), max_hz=10), events=False)
    await hub.subscribe(watcher, Wish("a", drivers=frozenset({"X-bob"}), max_hz=10), events=False)
    for each in ("ana", "bob"):
        hub.tell_positions(ACCOUNT, each, at(1))
    await until(lambda: socket.trail("bob"))
    assert socket.trail("ana") == []
    assert hub.unsubscribe(watcher, "a") and not hub.unsubscribe(watcher, "a")


async def test_nothing_is_kept_for_those_who_went(hub: Hub) -> None:
    watcher = hub.watch(Socket(), ACCOUNT, "key")
    await hub.subscribe(watcher, Wish("a", box=(0.0, 0.0, 1.0, 1.0)), events=True)
    await hub.subscribe(watcher, Wish("b"), events=True)
    hub.unwatch(watcher)
    audience = hub._audiences[ACCOUNT]
    assert not audience._feeds and not audience._boxes and not audience._open
    assert not audience.readers and not audience.watchers and not hub._credentials and not hub._watchers
