"""Whatever happens in whatever order: in the end every watcher sees what is true, and never went back on the way."""

import asyncio
import random

import pytest

from backend.domain.positions import Position
from backend.live import hub as hub_module
from backend.live import readers as readers_module
from backend.live import tasks as tasks_module
from backend.live import ticker as ticker_module
from backend.live import watchers as watchers_module
from backend.live.boxes import contains
from backend.live.hub import Hub
from backend.live.watchers import Watcher, Wish
from tests import redis_server
from tests.live.builders import Shelf, Socket, at, opened, until

ACCOUNT = "acme"
NAMES = [f"d{number}" for number in range(12)]


class Viewer:
    """A client that believes what it is told, and complains where it is told something older."""

    def __init__(self, hub: Hub, rng: random.Random) -> None:
        west, south = rng.uniform(-1, 9), rng.uniform(-1, 9)
        box = (west, south, west + rng.uniform(1, 6), south + rng.uniform(1, 6)) if rng.random() < 0.5 else None
        named = frozenset(f"X-{each}" for each in rng.sample(NAMES, 5)) if rng.random() < 0.3 else None
        self.wish = Wish("a", drivers=named, box=box, max_hz=rng.choice([50, 200, 500]))
        self.socket = Socket()
        self.watcher: Watcher = hub.watch(self.socket, ACCOUNT, "key")

    async def subscribe(self, hub: Hub) -> None:
        await hub.subscribe(self.watcher, self.wish, events=True)

    def sees(self) -> dict[str, float]:
        seen: dict[str, float] = {}
        newest: dict[str, float] = {}
        for frame in map(self.socket.decode, self.socket.wires):
            match frame["type"]:
                case "snapshot":
                    shown = {
                        each["driverId"]: each["position"]["timestamp"] for each in frame["drivers"] if each["position"]
                    }
                    assert all(newest.get(each, 0) <= at_s for each, at_s in shown.items())
                    seen, newest = shown, newest | shown
                case "positions":
                    for each in frame["drivers"]:
                        driver_id = each["driverId"]
                        assert newest.get(driver_id, 0) <= each["timestamp"], "told something older"
                        newest[driver_id] = seen[driver_id] = each["timestamp"]
                        if each.get("left"):
                            del seen[driver_id]
        return seen

    def should_see(self, positions: dict[str, Position]) -> dict[str, float]:
        wish, true = self.wish, {}
        for driver_id, position in positions.items():
            if wish.drivers is not None and f"X-{driver_id}" not in wish.drivers:
                continue
            if wish.box is None or contains(wish.box, position.latitude, position.longitude):
                true[driver_id] = position.timestamp
        return true


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticker_module, "TICK_S", 0.001)
    monkeypatch.setattr(hub_module, "TICK_S", 0.001)
    monkeypatch.setattr(readers_module, "RETRY_S", 0.001)
    monkeypatch.setattr(watchers_module, "SNAPSHOT_S", 0.02)
    monkeypatch.setattr(watchers_module, "SAME_S", 0.01)
    monkeypatch.setattr(ticker_module, "SHORTEST_S", 0.001)
    monkeypatch.setattr(ticker_module, "AT_ONCE", 2)
    monkeypatch.setattr(tasks_module, "TURN_S", 0.0)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("round_", range(5))
async def test_everybody_sees_the_truth_in_the_end(round_: int, rng: random.Random, redis_url: str | None) -> None:
    rng.seed(rng.random() + round_)
    shelf = Shelf(*NAMES[:8])
    async with opened(shelf, redis_url) as hub:
        await told_and_seen(hub, shelf, rng)


async def told_and_seen(hub: Hub, shelf: Shelf, rng: random.Random) -> None:
    viewers = [Viewer(hub, rng) for _ in range(4)]
    tasks: list[asyncio.Task[None]] = [asyncio.create_task(each.subscribe(hub)) for each in viewers]
    for step in range(400):
        match rng.randrange(10):
            case 0:
                rng.choice(viewers).socket.stuck ^= True
            case 1 if len(viewers) < 15:
                viewers.append(Viewer(hub, rng))
                tasks.append(asyncio.create_task(viewers[-1].subscribe(hub)))
            case 2 if len(viewers) > 3:
                gone = viewers.pop(rng.randrange(len(viewers)))
                gone.socket.stuck = False
                hub.unwatch(gone.watcher)
            case 3:
                shelf.cards |= Shelf(*NAMES[: rng.randrange(8, 13)]).cards
                hub.tell_fleet(ACCOUNT)
            case 4:
                shelf.add_event(rng.choice(NAMES[:8]))
                hub.tell_facts(ACCOUNT)
            case _:
                when = step + rng.choice([0, 0, 0, -20])
                place = at(when, rng.uniform(0, 10), rng.uniform(0, 10))
                hub.tell_positions(ACCOUNT, rng.choice(list(shelf.cards)), place)
        await asyncio.sleep(rng.choice([0, 0, 0, 0.001, 0.003]))
    for each in viewers:
        each.socket.stuck = False
    async with asyncio.timeout(100):
        await asyncio.gather(*tasks)
    await all_true(viewers, hub.board.fleet(ACCOUNT).positions, shelf)


async def all_true(viewers: list[Viewer], positions: dict[str, Position], shelf: Shelf, within_s: float = 40.0) -> None:
    for each in viewers:
        await until(lambda each=each: each.sees() == each.should_see(positions), within_s)
        await until(lambda each=each: each.watcher.subscriptions["a"].cursor == len(shelf.log), within_s)
        told = [event["event"]["sequence"] for event in each.socket.got("event")]
        wanted = each.wish.drivers
        due = [entry for entry in shelf.log if wanted is None or f"X-{entry.driver_id}" in wanted]
        assert told == [entry.sequence for entry in due][len(due) - len(told) :], "an event is missing"


@pytest.mark.usefixtures("hurried", "impatient")
async def test_everybody_sees_the_truth_whatever_becomes_of_redis(rng: random.Random) -> None:
    """Two processes, phones and watchers at both, and a Redis that loses, stops, restarts and hangs up."""
    shelf = Shelf(*NAMES)
    with redis_server.running() as redis:
        async with opened(shelf, redis.url) as apart:
            hubs = (apart.told, apart.watched)
            viewers = [Viewer(rng.choice(hubs), rng) for _ in range(8)]
            for each in viewers:
                await each.subscribe(next(hub for hub in hubs if each.watcher in hub._watchers))
            for step in range(600):
                hub = rng.choice(hubs)
                match rng.randrange(200):
                    case 0 | 1 | 2 | 3:
                        redis.command(f"CLIENT KILL TYPE {rng.choice(['pubsub', 'normal'])}")
                    case 4 | 5 | 6 | 7:
                        hub._box.facts(ACCOUNT, None)
                        hub._box.take()  # a letter that never comes
                    case 8 | 9:
                        redis.kill()
                        redis.start()
                    case 10:
                        redis.freeze()
                        await asyncio.sleep(0.5)
                        redis.thaw()
                    case number if number < 40:
                        shelf.add_event(rng.choice(NAMES))
                        hub.tell_facts(ACCOUNT)
                    case _:
                        driver_id, place = rng.choice(NAMES), at(step, rng.uniform(0, 10), rng.uniform(0, 10))
                        shelf.positions[driver_id] = place
                        hub.tell_positions(ACCOUNT, driver_id, place)
                await asyncio.sleep(rng.choice([0, 0, 0.002, 0.005]))
            redis.kill()
            hubs[0].tell_positions(ACCOUNT, NAMES[0], at(1000))
            shelf.positions[NAMES[0]] = at(1000)
            redis.start()
            await all_true(viewers, shelf.positions, shelf, within_s=100)
