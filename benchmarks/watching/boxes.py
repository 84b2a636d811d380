"""What 500 watchers of small boxes cost the hub: what is in the boxes, however large the fleet around them is.

The hub runs here, without a server: processor time is of this process, of telling it of each move and writing the
frames into outlets that take everything. A second of it is two moves of each driver and two frames for each watcher.
"""

import asyncio
import gc
import time
from collections.abc import Collection

from backend.domain.positions import Position
from backend.live.audience import Page
from backend.live.board import Card, Roll
from backend.live.frames import Frame
from backend.live.hub import Hub
from backend.live.parcels import Parcel
from backend.live.phones import Message
from backend.live.watchers import Wish
from benchmarks.watching import phones
from benchmarks.watching.processes import boxes

TURNS = 10  # in which the fleet moves once: not all phones send in the same moment


class Shelf:
    """A store with a fleet and nothing else."""

    clock_speed = 1.0

    def __init__(self, drivers: int) -> None:
        self.cards = {f"{number:032x}": Card(f"{number:032x}", "x", f"D{number}") for number in range(drivers)}

    def now_s(self) -> float:
        return time.time()

    async def roll(self, account_id: str, doubtful: bool) -> tuple[Roll, dict[str, Position]]:
        return Roll(0, self.cards), {}

    async def events(self, account_id: str, after: int, limit: int) -> Page:
        return Page([], after)

    async def parcel(self, tracking: str) -> Parcel | None:
        return None

    async def revoked(self, credentials: Collection[str]) -> set[str]:
        return set()

    async def route_versions(self, account_id: str) -> dict[str, dict[str, int]]:
        return {}

    async def messages(self, account_id: str, since_s: float) -> list[tuple[str, Message]]:
        return []


class Outlet:
    """Takes everything, and counts it."""

    def __init__(self) -> None:
        self.bytes = 0

    def full(self) -> bool:
        return False

    def try_write(self, frame: Frame) -> bool:
        self.bytes += len(frame.payload)
        return True

    def close(self, code: int, reason: str) -> None:
        raise AssertionError(reason)


async def _cost(inside: int, outside: int, watchers: int, share: float, seconds: float) -> tuple[float, float]:
    """Processor seconds a second, and bytes a second, of so many drivers in the town, and outside of it."""
    shelf, hub, outlets = Shelf(inside + outside), Hub(), [Outlet() for _ in range(watchers)]
    hub.start(shelf)
    ids = list(shelf.cards)
    columns = int(inside**0.5) + 1
    places = [
        (
            phones.SOUTH + (phones.NORTH - phones.SOUTH) * (number // columns) / columns,
            phones.WEST + (phones.EAST - phones.WEST) * (number % columns) / columns,
        )
        for number in range(inside)
    ] + [(50.0 + number % 100 * 0.002, 20.0 + number // 100 * 0.002) for number in range(outside)]
    moment = time.time() - 1e6
    for outlet, box in zip(outlets, boxes(watchers, share), strict=True):
        await hub.subscribe(hub.watch(outlet, "a", "key"), Wish("a", box=box), False)
    steps = 0

    async def move(until_s: float) -> None:
        nonlocal moment, steps
        began = time.monotonic()
        while time.monotonic() - began < until_s:
            turn_at = time.monotonic()
            moment, steps = moment + 0.05, steps + 1
            for number in range(steps % TURNS, len(ids), TURNS):
                latitude, longitude = places[number]
                shift = steps % 40 * 0.00001
                hub.tell_positions(
                    "a", ids[number], Position(moment, latitude + shift, longitude, speed=13.25, heading=90.5)
                )
            await asyncio.sleep(max(0.0, 0.5 / TURNS - (time.monotonic() - turn_at)))

    await move(1.0)
    gc.collect()
    wrote, spent, at = sum(each.bytes for each in outlets), time.process_time(), time.monotonic()
    await move(seconds)
    spent, wall_s = time.process_time() - spent, time.monotonic() - at
    await hub.close()
    return spent / wall_s, (sum(each.bytes for each in outlets) - wrote) / wall_s


async def small_boxes(watchers: int, seconds: float) -> None:
    share = 0.01
    few, few_bytes = await _cost(2000, 0, watchers, share, seconds)
    more, more_bytes = await _cost(2000, 18000, watchers, share, seconds)
    none, _ = await _cost(2000, 18000, 0, share, seconds)
    dense, dense_bytes = await _cost(20000, 0, watchers, share, seconds)
    each_us, outside_us = few / 4000 * 1e6, (more - few) / 36000 * 1e6
    print(f"{watchers} watchers of boxes with 1% of 2,000 drivers, each of whom moves twice a second:")
    print(
        f"  {few:.3f} of a processor for {few_bytes / 1e6:.1f} MB a second: {each_us:.1f} µs a move,"
        f" told to {watchers * share:.1f}"
    )
    print(
        f"  with 18,000 more drivers outside of all boxes {more:.3f} for {more_bytes / few_bytes:.2f} of the bytes:",
        end=" ",
    )
    print(
        f"a move that nobody sees takes {outside_us:.1f} µs, {outside_us / each_us:.2f} of one that is told;", end=" "
    )
    print(f"where nobody watches at all {none / 40000 * 1e6:.1f} µs")
    print(f"  with ten times the drivers in the same boxes {dense:.3f}: {dense / few:.1f} times, for", end=" ")
    print(f"{dense_bytes / few_bytes:.1f} times the bytes")
