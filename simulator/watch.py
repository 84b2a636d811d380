"""Map watchers of the simulator's own: how long a position takes from its phone to the map, whether an older one ever
follows a newer one, and whether what is shown in the end is what was done.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from random import Random
from time import monotonic
from typing import Any

import msgspec
from msgspec import Struct
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from simulator.histogram import Histogram
from simulator.transport import near, websocket_url
from simulator.verify import event_driver
from simulator.wire import Message, Positions

SUBSCRIBE = b'{"type":"subscribe","id":"sim","drivers":"all","events":true,"maxHz":10}'.decode()


class Fix(Struct, frozen=True):
    """The last position of a driver, as far as this watcher reads it."""

    timestamp: float


class Seen(Struct, frozen=True):
    """One driver in a frame of the map: with a position in a snapshot, with its values in an update."""

    driverId: str
    timestamp: float | None = None
    position: Fix | None = None


class LiveFrame(Struct, frozen=True):
    """Any frame of ``/live``, as far as this watcher reads it."""

    type: str
    drivers: tuple[Seen, ...] = ()
    now: float | None = None
    clockSpeed: float | None = None
    event: dict[str, Any] | None = None
    code: str | None = None
    message: str | None = None


_decode = msgspec.json.Decoder(LiveFrame).decode


class Arrivals:
    """When positions left their phones and when they arrived at a watcher; what it was shown last of each driver."""

    def __init__(self) -> None:
        self._sent: dict[str, list[tuple[int, float]]] = {}
        self.shown: dict[str, int] = {}
        self.latencies = Histogram()
        self.older_after_newer = 0

    def noticed(self, driver_id: str, message: Message) -> None:
        """A phone is sending fixes; the newest of them is what is going to be shown."""
        if isinstance(message, Positions):
            newest = max(fix.at_ms for fix in message.positions)
            if newest > self.shown.get(driver_id, 0):
                self._sent.setdefault(driver_id, []).append((newest, monotonic()))

    def arrived(self, driver_id: str, at_ms: int, moment: float) -> None:
        """A driver's position of this time is shown."""
        if at_ms < self.shown.get(driver_id, 0):
            self.older_after_newer += 1
            return
        self.shown[driver_id] = at_ms
        waiting = self._sent.get(driver_id, [])
        for sent_ms, sent in waiting:
            if sent_ms == at_ms:
                self.latencies.add((moment - sent) * 1000)
                break
        self._sent[driver_id] = [item for item in waiting if item[0] > at_ms]


class Watch:
    """Subscribes to every driver. ``server_clock`` is (now, speed) where the server's clock is a simulated one."""

    def __init__(self, base_url: str, key: str) -> None:
        self._url = websocket_url(base_url, "/live")
        self._key = key
        self._up = asyncio.Event()
        self._heard = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.arrivals = Arrivals()
        self.frames = self.reconnects = 0
        self.events: Counter[str] = Counter()
        self.server_clock: tuple[float, float] | None = None
        self.trouble: str | None = None

    async def start(self, within_s: float = 10.0) -> bool:
        """Subscribe; True once the first snapshot is here, False where none came in time (``trouble`` says why)."""
        self._task = asyncio.create_task(self._run())
        try:
            async with asyncio.timeout(within_s):
                await self._up.wait()
            return True
        except TimeoutError:
            self.trouble = self.trouble or f"no snapshot within {within_s:.0f} s"
            return False

    async def seen(self, events: int, drivers: Collection[str], within_s: float = 5.0) -> bool:
        """Whether so many events of these drivers came, waiting a while for the last; a connection that broke may have
        missed some.
        """
        return await self._once(lambda: bool(self.reconnects) or self.heard(drivers) >= events, within_s)

    def heard(self, drivers: Collection[str]) -> int:
        """How many events of these drivers came."""
        return sum(self.events[driver] for driver in drivers)

    async def behind(self, newest: Mapping[str, int], within_s: float = 5.0) -> list[str]:
        """The drivers of whom it does not show the newest position (Unix milliseconds) after a while."""
        shown = self.arrivals.shown
        await self._once(lambda: all(shown.get(driver, 0) >= at_ms for driver, at_ms in newest.items()), within_s)
        return [driver for driver, at_ms in newest.items() if shown.get(driver, 0) < at_ms]

    async def _once(self, true: Callable[[], bool], within_s: float) -> bool:
        """Wait for something that can only become true when a frame comes."""
        try:
            async with asyncio.timeout(within_s):
                while not true():
                    self._heard.clear()
                    await self._heard.wait()
        except TimeoutError:
            return False
        return True

    async def stop(self) -> None:
        """Leave."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def noticed(self, driver_id: str, message: Message) -> None:
        """A phone is sending something."""
        if self._up.is_set():
            self.arrivals.noticed(driver_id, message)

    async def _run(self) -> None:
        spread = Random()
        while True:
            try:
                async with connect(
                    self._url,
                    additional_headers={"Authorization": f"Bearer {self._key}"},
                    subprotocols=[Subprotocol("codriver.v1.json")],
                    compression=None,
                    proxy=None if near(self._url) else True,
                    max_size=64 * 2**20,
                ) as socket:
                    await socket.send(SUBSCRIBE)
                    async for data in socket:
                        self._read(data)
            except InvalidStatus as refused:
                self.trouble = f"HTTP {refused.response.status_code}"
            except (WebSocketException, OSError, TimeoutError, msgspec.DecodeError) as error:
                self.trouble = f"{type(error).__name__}: {error}"
            self.reconnects += 1
            await asyncio.sleep(spread.uniform(0.5, 2.0))

    def _read(self, data: str | bytes) -> None:
        arrived = monotonic()
        frame = _decode(data)
        self.frames += 1
        match frame.type:
            case "snapshot":
                if frame.now is not None and frame.clockSpeed not in (None, 1, 1.0):
                    self.server_clock = (frame.now, float(frame.clockSpeed or 1.0))
                for seen in frame.drivers:
                    if seen.position is not None:
                        self.arrivals.arrived(seen.driverId, round(seen.position.timestamp * 1000), arrived)
                self.trouble = None
                self._up.set()
            case "positions":
                for seen in frame.drivers:
                    if seen.timestamp is not None:
                        self.arrivals.arrived(seen.driverId, round(seen.timestamp * 1000), arrived)
            case "event":
                self.events[event_driver(frame.event or {})] += 1
            case "error":
                self.trouble = f"{frame.code}: {frame.message}"
        self._heard.set()
