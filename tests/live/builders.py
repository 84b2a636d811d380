"""A hub's sources with a log and a fleet of their own, and sockets that are lists."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from typing import Any

from backend.domain.positions import Position
from backend.live.audience import Entry, Page
from backend.live.board import Board, Card, Roll
from backend.live.fanout import JoinedHub
from backend.live.frames import Frame
from backend.live.hub import Hub
from backend.live.parcels import Parcel
from backend.live.phones import Message

NOON = 1_772_452_800.0  # 2026-03-02T12:00:00Z


class Shelf:
    """What a store would hold: cards, stored positions, events and parcels."""

    clock_speed = 1.0

    def __init__(self, *names: str) -> None:
        self.cards = {name: Card(name, name.title(), external_id=f"X-{name}") for name in names}
        self.positions: dict[str, Position] = {}
        self.log: list[Entry] = []
        self.parcels: dict[str, Parcel] = {}
        self.reads: list[str] = []
        self.taken_back: set[str] = set()
        self.versions: dict[str, dict[str, int]] = {}
        self.letters: list[tuple[str, Message]] = []
        self.gate: asyncio.Event | None = None  # while it is there and not set, the roll is being read

    def now_s(self) -> float:
        return NOON

    def add_event(self, driver_id: str | None = None) -> int:
        sequence = len(self.log) + 1
        self.log.append(Entry(sequence, driver_id, json.dumps({"sequence": sequence}).encode()))
        return sequence

    async def roll(self, account_id: str, doubtful: bool) -> tuple[Roll, dict[str, Position]]:
        self.reads.append("roll")
        roll = Roll(len(self.log), dict(self.cards))
        if self.gate:
            await self.gate.wait()
        return roll, self.positions

    async def events(self, account_id: str, after: int, limit: int) -> Page:
        self.reads.append("events")
        await asyncio.sleep(0)
        found = [entry for entry in self.log if entry.sequence > after]
        return Page(found[:limit], found[:limit][-1].sequence if found else after, len(found) > limit)

    async def parcel(self, tracking: str) -> Parcel | None:
        self.reads.append("parcel")
        return self.parcels.get(tracking)

    async def revoked(self, credentials: Collection[str]) -> set[str]:
        return self.taken_back & set(credentials)

    async def route_versions(self, account_id: str) -> dict[str, dict[str, int]]:
        return {driver_id: dict(dates) for driver_id, dates in self.versions.items()}

    async def messages(self, account_id: str, since_s: float) -> list[tuple[str, Message]]:
        return list(self.letters)


class Apart:
    """The hubs of two processes as if they were one: told at one, watched at the other."""

    def __init__(self, told: JoinedHub, watched: JoinedHub) -> None:
        self.told = told
        self.watched = watched

    @property
    def board(self) -> Board:
        return self.told.board

    def __getattr__(self, name: str) -> Any:
        return getattr(self.told if name.startswith("tell_") else self.watched, name)


@asynccontextmanager
async def opened(shelf: Shelf, redis_url: str | None) -> AsyncIterator[Any]:
    """A hub alone, or two joined by the Redis at the address."""
    hubs: list[Any] = [JoinedHub(redis_url, "test"), JoinedHub(redis_url, "test")] if redis_url else [Hub()]
    for hub in hubs:
        hub.start(shelf)
    try:
        await until(lambda: not redis_url or all(hub.whole for hub in hubs), deadline_s=60)
        yield Apart(*hubs) if redis_url else hubs[0]
    finally:
        for hub in hubs:
            await hub.close()


async def arrived(hub: Any) -> None:
    """What was told has come to where it is watched."""
    if isinstance(hub, Apart):
        box = hub.told._box
        await until(lambda: not box.filled.is_set() and _number(hub.watched, box.sender) == box.number)


def _number(hub: JoinedHub, sender: str) -> int:
    """Of the last letter that was heard."""
    heard = hub._heard.get(sender)
    return heard.number if heard else 0


class Socket:
    """An outlet that keeps what it is given; ``stuck`` it takes nothing."""

    def __init__(self) -> None:
        self.wires: list[Frame] = []
        self.stuck = False
        self.closed: int | None = None

    def full(self) -> bool:
        return self.stuck

    def try_write(self, frame: Frame) -> bool:
        if not self.stuck:
            self.wires.append(frame)
        return not self.stuck

    def close(self, code: int, reason: str) -> None:
        self.closed = code

    @staticmethod
    def decode(frame: Frame) -> dict[str, Any]:
        decoded: dict[str, Any] = json.loads(frame.payload)
        return decoded

    def got(self, kind: str) -> list[dict[str, Any]]:
        return [each for each in map(self.decode, self.wires) if each["type"] == kind]

    def trail(self, driver_id: str) -> list[float]:
        """The timestamps of one driver in the order in which they were written, the snapshot's first."""
        shown = [each for frame in self.got("snapshot") for each in frame["drivers"]]
        first = [each["position"]["timestamp"] for each in shown if each["driverId"] == driver_id and each["position"]]
        moved = [each for frame in self.got("positions") for each in frame["drivers"]]
        return first + [each["timestamp"] for each in moved if each["driverId"] == driver_id]


def at(seconds: float, latitude: float = 45.0, longitude: float = 16.0) -> Position:
    return Position(timestamp=NOON + seconds, latitude=latitude, longitude=longitude)


async def until(condition: Callable[[], object], deadline_s: float = 100.0) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + deadline_s
    while not condition():
        assert loop.time() < end, "waited too long"
        await asyncio.sleep(0.005)
