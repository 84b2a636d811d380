"""A hub's sources with a log and a fleet of their own, and sockets that are lists."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from backend.domain.positions import Position
from backend.live.audience import Entry, Page
from backend.live.board import Card, Roll
from backend.live.frames import Frame
from backend.live.parcels import Parcel

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
        self.gate: asyncio.Event | None = None  # while it is there and not set, the roll is being read

    def now_s(self) -> float:
        return NOON

    def add_event(self, driver_id: str | None = None) -> int:
        sequence = len(self.log) + 1
        self.log.append(Entry(sequence, driver_id, json.dumps({"sequence": sequence}).encode()))
        return sequence

    async def roll(self, account_id: str) -> tuple[Roll, dict[str, Position]]:
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


async def until(condition: Callable[[], object], deadline_s: float = 5.0) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + deadline_s
    while not condition():
        assert loop.time() < end, "waited too long"
        await asyncio.sleep(0.005)
