"""Hubs of several processes, and a Redis that is restarted, frozen, emptied, or not there at all."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator

import msgspec
import pytest

from backend.domain.errors import Refusal
from backend.live import fanout, letters
from backend.live.fanout import JoinedHub
from backend.live.phones import Line, Message, MessageSent, Notice, RouteChanged
from backend.live.watchers import Wish
from tests import redis_server
from tests.live.builders import Apart, Shelf, Socket, arrived, at, opened, until
from tests.redis_server import RedisServer

ACCOUNT = "acme"
HEALED_S = 100.0
HELLO = Message("m1", "hello", "2026-03-02T12:00:00Z", "office")


@pytest.fixture
def shelf() -> Shelf:
    return Shelf("ana", "bob")


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """One that may be broken."""
    with redis_server.running(password="top-secret") as server:
        yield server


@pytest.fixture
async def hub(shelf: Shelf, own_redis: RedisServer) -> AsyncIterator[Apart]:
    async with opened(shelf, own_redis.url) as hub:
        yield hub


async def watch(hub: Apart, events: bool = False) -> Socket:
    socket = Socket()
    await hub.subscribe(hub.watch(socket, ACCOUNT, "key"), Wish("a", max_hz=10), events)
    await until(lambda: hub.event_lag_s() == 0)  # what happens from now on is not found by the first look at the log
    return socket


def restart(server: RedisServer) -> None:
    server.kill()
    server.start()


def cut_off(server: RedisServer) -> None:
    assert b"OK" in server.command("AUTH top-secret\r\nCLIENT KILL TYPE pubsub")


def empty(server: RedisServer) -> None:
    assert b"OK" in server.command("AUTH top-secret\r\nCONFIG SET maxmemory 1\r\nFLUSHALL")


async def told(tell: Callable[[float], object], seen: Callable[[], object]) -> None:
    """Tells what is in no store, by letter, until it is seen: where this process was stopped, a letter may be lost."""
    for second in range(2, 42):
        tell(float(second))
        with contextlib.suppress(AssertionError):
            await until(seen, HEALED_S / 40)
            return
    raise AssertionError("no letter comes")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("trouble", [restart, cut_off, empty])
async def test_after_a_trouble_with_redis_everything_that_happened_is_seen(
    hub: Apart, shelf: Shelf, own_redis: RedisServer, trouble: Callable[[RedisServer], None]
) -> None:
    """What is told in the middle of it is in the store by then, and is read there."""
    socket = await watch(hub, events=True)
    trouble(own_redis)
    shelf.positions["ana"] = at(1)
    shelf.add_event("ana")
    hub.tell_positions(ACCOUNT, "ana", at(1))
    hub.tell_facts(ACCOUNT)
    await until(lambda: socket.trail("ana") and socket.got("event"), HEALED_S)
    await until(lambda: hub.told.whole and hub.watched.whole, HEALED_S)
    await told(
        lambda second: hub.tell_positions(ACCOUNT, "ana", at(second)), lambda: socket.trail("ana")[-1] > at(1).timestamp
    )
    assert [each["event"]["sequence"] for each in socket.got("event")] == [1]


@pytest.mark.usefixtures("impatient")
async def test_while_redis_is_frozen_the_store_is_looked_into_and_nobody_waits(
    hub: Apart, shelf: Shelf, own_redis: RedisServer
) -> None:
    socket = await watch(hub, events=True)
    with hub.phone(ACCOUNT, "ana", "token") as line:
        own_redis.freeze()
        loop = asyncio.get_running_loop()
        began = loop.time()
        for second in range(1, 20_001):
            hub.tell_positions(ACCOUNT, f"d{second}", at(second))
        hub.tell_facts(ACCOUNT)
        hub.tell_routes(ACCOUNT, "2026-03-02", ["ana"])
        hub.tell_message(ACCOUNT, "ana", HELLO)
        hub.tell_revoked("key")
        assert loop.time() - began < 60, "one of these twenty thousand waits would be for two seconds"
        shelf.positions["bob"] = at(1)
        shelf.add_event("bob")
        shelf.versions = {"ana": {"2026-03-02": 1}}
        shelf.letters = [("ana", HELLO)]
        await until(lambda: socket.trail("bob") and socket.got("event"), HEALED_S)
        assert {type(await heard(line)), type(await heard(line))} == {
            RouteChanged,
            MessageSent,
        }
        shelf.taken_back = {"key"}
        await until(lambda: socket.closed, HEALED_S)
        own_redis.thaw()
        await until(lambda: hub.told.whole and hub.watched.whole, HEALED_S)
        dates = {f"2026-03-{second:02.0f}" for second in range(3, 43)}
        hearing = asyncio.create_task(heard(line))
        await told(lambda second: hub.tell_routes(ACCOUNT, f"2026-03-{second + 1:02.0f}", ["ana"]), hearing.done)
        assert (await hearing).date in dates


@pytest.mark.usefixtures("impatient")
async def test_a_hub_begins_without_redis_and_is_joined_when_it_comes(shelf: Shelf, own_redis: RedisServer) -> None:
    own_redis.kill()
    hub = Apart(JoinedHub(own_redis.url, "test"), JoinedHub(own_redis.url, "test"))
    for each in (hub.told, hub.watched):
        each.start(shelf)
    socket = await watch(hub)
    shelf.positions["ana"] = at(1)
    await until(lambda: socket.trail("ana"), HEALED_S)
    own_redis.start()
    await until(lambda: hub.told.whole and hub.watched.whole, HEALED_S)
    await told(lambda second: hub.tell_positions(ACCOUNT, "bob", at(second)), lambda: socket.trail("bob"))
    for each in (hub.told, hub.watched):
        await each.close()


async def test_a_letter_that_is_missing_is_noticed(hub: Apart, shelf: Shelf) -> None:
    socket = await watch(hub)
    hub.told._box.facts(ACCOUNT, None)
    hub.told._box.take()  # and never sent
    shelf.positions["ana"] = at(1)
    await until(lambda: socket.trail("ana"), HEALED_S)
    assert hub.watched.missed == 1


async def test_what_was_missed_of_a_process_that_was_forgotten_is_read_in_the_store(hub: Apart, shelf: Shelf) -> None:
    socket = await watch(hub)
    await until(lambda: hub.told._box.sender in hub.watched._heard)
    hub.told._box.take()  # and never sent, while it was silent for so long
    hub.watched._heard.clear()
    shelf.positions["ana"] = at(1)
    await until(lambda: socket.trail("ana"), HEALED_S)


@pytest.mark.usefixtures("impatient")
async def test_who_is_cut_off_from_redis_alone_is_not_overlooked(
    hub: Apart, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It still takes what phones send; the others only hear nothing of it."""

    async def cut_off(*_: object) -> None:
        raise ConnectionError

    socket = await watch(hub)
    await until(lambda: hub.told._box.sender in hub.watched._heard)
    monkeypatch.setattr(hub.told._redis, "publish", cut_off)
    shelf.positions["ana"] = at(1)
    hub.tell_positions(ACCOUNT, "ana", at(1))
    await until(lambda: socket.trail("ana"), HEALED_S)
    await until(lambda: hub.watched.sound)
    assert not hub.watched.missed


async def test_who_took_leave_is_not_waited_for(hub: Apart, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    await until(lambda: hub.told._box.sender in hub.watched._heard)
    await hub.told.close()
    await until(lambda: not hub.watched._heard)
    assert hub.watched._silent_s() is None and hub.watched.missed == 0


async def test_who_was_killed_is_not_waited_for_once_another_has_its_place(
    hub: Apart, shelf: Shelf, own_redis: RedisServer
) -> None:
    """What it had not told any more is read once, and not for minutes."""
    first, second = (JoinedHub(own_redis.url, "test", "machine 1") for _ in range(2))
    first.start(shelf)
    heard, dead = hub.watched._heard, first._box.sender
    await until(lambda: dead in heard)
    kill(first)
    heard_now, ago_s = heard[dead], 2 * fanout.SILENCE_S
    heard_long_ago = heard_now._replace(heard_at=heard_now.heard_at - ago_s, since=heard_now.since - ago_s)
    heard[dead] = heard_long_ago
    assert hub.watched._silent_s() is not None
    heard[dead] = heard_now
    try:
        second.start(shelf)
        await until(lambda: second._box.sender in heard, HEALED_S)
        await until(lambda: hub.watched.whole, HEALED_S)
        doubts: list[str] = []
        hub.watched.heed("doubt", doubts.append)
        heard[dead] = heard_long_ago
        await until(lambda: doubts and hub.watched._silent_s() is None and hub.watched.whole, HEALED_S)
        assert dead not in heard and second._box.sender in hub.watched._heard
        assert len(doubts) == 1, "the store is read once more, for what the dead one did not tell"
    finally:
        await second.close()


def kill(hub: JoinedHub) -> None:
    """It says nothing from now on, and no farewell."""
    for task in hub._tasks._running:
        task.cancel()


@pytest.mark.usefixtures("impatient")
async def test_a_hub_ends_at_any_moment_of_its_talk_with_redis(shelf: Shelf, own_redis: RedisServer) -> None:
    """Also one that is just writing, where the library of Redis loses the cancellation."""
    own_redis.freeze()

    async def live_shortly(turns: int) -> None:
        hub = JoinedHub(own_redis.url, "test")
        hub.start(shelf)
        for _ in range(turns):
            await asyncio.sleep(0)
        await hub.close()

    async with asyncio.timeout(HEALED_S):
        await asyncio.gather(*(live_shortly(turns) for turns in range(40)))


@pytest.mark.parametrize(
    "nonsense",
    [
        b"",
        b"\xc1",
        b'{"a": 1}',
        msgspec.msgpack.encode([1, "test", "somebody", "one"]),
        letters.encode(letters.Letter(form=2, mark="test", sender="s", number=1)),
        letters.encode(letters.Letter(form=1, mark="theirs", sender="s", number=1, revoked=["key"])),
    ],
)
async def test_what_is_no_letter_of_ours_is_counted_and_does_nothing(
    hub: Apart, own_redis: RedisServer, nonsense: bytes
) -> None:
    socket = await watch(hub)
    async with fanout.client(own_redis.url, 100.0) as redis:
        await redis.publish(hub.told._channel, nonsense)
    await until(lambda: hub.watched.unreadable == 1)
    hub.tell_positions(ACCOUNT, "ana", at(1))
    await until(lambda: socket.trail("ana"))
    assert socket.closed is None


async def test_many_positions_become_few_letters(hub: Apart) -> None:
    await arrived(hub)
    before, began = hub.told._box.number, time.monotonic()
    for second in range(1, 301):
        for driver_id in ("ana", "bob"):
            hub.tell_positions(ACCOUNT, driver_id, at(second))
        if second % 50 == 0:
            await asyncio.sleep(0)
    await until(lambda: hub.watched.board.position(ACCOUNT, "bob") == at(300))
    await until(lambda: hub.watched.board.position(ACCOUNT, "ana") == at(300))
    alone = (time.monotonic() - began) / fanout.BEAT_S  # sent because nothing else was
    assert hub.told._box.number - before < 12 + alone


async def test_what_would_fill_the_memory_is_dropped_and_leaves_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letters, "MOST_WAITING", 1000)
    box = letters.Box("test", "me")
    for number in range(1500):
        box.position(ACCOUNT, f"d{number}", at(1))
    first = box.take()
    assert first.number == 2 and len(first.positions) == 499
    assert not box.filled.is_set()


async def test_a_phone_that_came_to_another_process_is_hung_up_here(hub: Apart) -> None:
    with hub.watched.phone(ACCOUNT, "ana", "token") as older:
        older.came_at -= 60
        await until(lambda: hub.watched._box.sender in hub.told._heard and not hub.watched._box.filled.is_set())
        await arrived(Apart(hub.watched, hub.told))
        with hub.told.phone(ACCOUNT, "ana", "token") as newer:
            assert (await heard(older)).code == 4409
            hub.watched.tell_routes(ACCOUNT, "2026-03-02", ["ana"])
            assert (await heard(newer)).date == "2026-03-02"


async def test_of_two_lines_of_a_phone_that_come_at_the_same_moment_one_stays_at_least(hub: Apart) -> None:
    with hub.watched.phone(ACCOUNT, "ana", "token") as one, hub.told.phone(ACCOUNT, "ana", "token") as other:
        await arrived(hub)
        hub.watched.tell_routes(ACCOUNT, "2026-03-02", ["ana"])
        async with asyncio.timeout(HEALED_S):
            heard_by_each = [await one.hear(), await other.hear()]
        assert any(isinstance(each, RouteChanged) for each in heard_by_each)


async def test_of_two_lines_of_a_phone_the_later_stays_whatever_the_clocks_of_their_machines_say(
    hub: Apart, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told a minute late, by a machine whose clock is an hour ahead."""
    with hub.told.phone(ACCOUNT, "ana", "token") as older:
        older.came_at -= 60
        held_back = hub.told._box._connected.pop("token") - 60
        with monkeypatch.context() as ahead, hub.watched.phone(ACCOUNT, "ana", "token") as newer:
            real = time.time
            ahead.setattr(time, "time", lambda: real() + 3600)
            hub.told._box.connected("token", held_back)
            assert (await heard(older)).code == 4409
            await arrived(hub)
            hub.watched.tell_routes(ACCOUNT, "2026-03-02", ["ana"])
            assert (await heard(newer)).date == "2026-03-02"


async def test_notes_are_heeded_in_every_process(hub: Apart) -> None:
    heard_here: list[str] = []
    heard_there: list[str] = []
    hub.told.heed("account", heard_here.append)
    hub.watched.heed("account", heard_there.append)
    hub.told.note("account", "acme")
    await until(lambda: heard_there)
    assert heard_here == heard_there == ["acme"]


async def test_who_waits_until_it_has_spread_finds_it_everywhere(hub: Apart) -> None:
    noted: list[str] = []
    hub.watched.heed("account", noted.append)
    for number in range(20):
        hub.told.note("account", str(number))
        letter = hub.told._box.last_number()
        await hub.told.spread()
        assert hub.told._echoed >= letter
        await until(lambda number=number: noted[-1:] == [str(number)])


async def test_who_waits_until_it_has_spread_waits_for_as_many_letters_as_it_takes(hub: Apart) -> None:
    noted: set[str] = set()
    hub.watched.heed("account", noted.add)
    for number in range(3 * letters.MOST_IN_LETTER):
        hub.told.note("account", str(number))
    letter = hub.told._box.last_number()
    await hub.told.spread()
    assert hub.told._echoed >= letter
    await until(lambda: len(noted) == 3 * letters.MOST_IN_LETTER)


@pytest.mark.usefixtures("impatient")
async def test_nobody_waits_long_for_what_cannot_spread(hub: Apart, own_redis: RedisServer) -> None:
    own_redis.freeze()
    hub.told.note("account", "acme")
    async with asyncio.timeout(30):
        await hub.told.spread()


async def test_no_password_is_in_the_log(
    shelf: Shelf, own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    hub = JoinedHub(own_redis.url.replace("top-secret", "wrong-secret"), "test")
    hub.start(shelf)
    await asyncio.sleep(0)
    await until(lambda: not hub.sound and hub._box.number > 1, HEALED_S)
    await hub.close()
    with pytest.raises(Refusal) as refused:
        JoinedHub("redis://:wrong-secret@localhost:port/0", "test")
    assert "are not heard" in caplog.text
    assert "secret" not in caplog.text + refused.value.text


async def heard(line: Line) -> Notice:
    async with asyncio.timeout(HEALED_S):
        return await line.hear()
