"""Map watchers of the simulator's own: how long a position takes from its phone to the map, whether an older one ever
follows a newer one or one is shown elsewhere than it was, and whether what is shown in the end is what was done.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from random import Random
from time import monotonic
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from simulator.histogram import Histogram
from simulator.transport import near, websocket_url
from simulator.verify import SAME_PLACE_DEG, EventKey, event_key, told_second
from simulator.wire import Action, Message, Position, Positions

SUBSCRIBE = {"type": "subscribe", "id": "sim", "drivers": "all", "events": True, "maxHz": 10}


class Fix(Struct, frozen=True):
    """The last position of a driver, as far as this watcher reads it."""

    timestamp: float
    latitude: float
    longitude: float


class Seen(Struct, frozen=True):
    """One driver in a frame of the map: with a position in a snapshot, with its values in an update."""

    driverId: str
    timestamp: float | None = None
    latitude: float | None = None
    longitude: float | None = None
    position: Fix | None = None

    @property
    def fix(self) -> Fix | None:
        """Where it is, in either kind of frame."""
        if self.timestamp is None or self.latitude is None or self.longitude is None:
            return self.position
        return Fix(self.timestamp, self.latitude, self.longitude)


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
    """When positions left their phones and when they arrived at a watcher; what it was shown last of each driver.
    ``before`` is up to when (Unix milliseconds) positions may be stamped that were sent before somebody looked.
    """

    def __init__(self) -> None:
        self._sent: dict[str, list[tuple[Position, float]]] = {}
        self._newest: dict[str, Position] = {}
        self.before: dict[str, int] = {}
        self.shown: dict[str, int] = {}
        self.latencies = Histogram()
        self.wrong: Counter[str] = Counter()
        self.odd: list[tuple[str, Fix]] = []

    def noticed(self, driver_id: str, message: Message, awaited: bool = True) -> None:
        """A phone is sending fixes; the newest of them is what is going to be shown, soon where it is ``awaited``."""
        if isinstance(message, Positions):
            newest = max(message.positions, key=_at_ms)
            if awaited and newest.at_ms > self.shown.get(driver_id, 0):
                self._sent.setdefault(driver_id, []).append((newest, monotonic()))
            self._newest[driver_id] = max(newest, self._newest.get(driver_id, newest), key=_at_ms)

    def arrived(self, driver_id: str, fix: Fix, moment: float) -> None:
        """A driver's position is shown; ``wrong`` counts what cannot be."""
        at_ms = round(fix.timestamp * 1000)
        if at_ms < self.shown.get(driver_id, 0):
            self._odd("got an older position after a newer one", fix)
            return
        newest = self._newest.get(driver_id)
        known = self.shown.get(driver_id, 0), self.before.get(driver_id, 0)
        if newest is not None and at_ms > max(newest.at_ms, *known):
            self._odd("got a position that nobody sent", fix)
        self.shown[driver_id] = at_ms
        waiting = self._sent.get(driver_id, [])
        for sent, left in waiting:
            if sent.at_ms == at_ms:
                self.latencies.add((moment - left) * 1000)
                break
        self._sent[driver_id] = [item for item in waiting if item[0].at_ms > at_ms]
        own = next((sent for sent, _ in waiting if sent.at_ms == at_ms), newest)
        if own is not None and own.at_ms == at_ms and not there(own, fix):
            self._odd("got a position elsewhere than it was", fix)

    def forgive(self, sent_by_another: Callable[[Fix], bool]) -> None:
        """Count no more as wrong what is truly of another driver."""
        for what, fix in self.odd:
            if sent_by_another(fix):
                self.wrong[what] -= 1
        self.wrong, self.odd = +self.wrong, []

    def _odd(self, what: str, fix: Fix) -> None:
        self.wrong[what] += 1
        self.odd.append((what, fix))


def _at_ms(fix: Position) -> int:
    return fix.at_ms


def there(sent: Position, shown: Fix) -> bool:
    return (
        abs(sent.latitude - shown.latitude) <= SAME_PLACE_DEG
        and abs(sent.longitude - shown.longitude) <= SAME_PLACE_DEG
    )


class Done(NamedTuple):
    """An action that was sent: by whom (as events name the driver), and whether it was acknowledged."""

    driver: str
    action: Action
    acknowledged: bool


def compare(events: Counter[EventKey], done: Sequence[Done]) -> tuple[list[Done], list[EventKey]]:
    """What was done, acknowledged and not told; what was told of these drivers and not done (so often)."""
    left, missing = Counter(events), []
    for each in done:
        driver, action = each.driver, each.action
        key = (driver, action.action, action.orderId, told_second(action, driver, left, Counter()))
        if left[key]:
            left[key] -= 1
        elif each.acknowledged:
            missing.append(each)
    drivers = {each.driver for each in done}
    return missing, [key for key, count in left.items() if count > 0 and key[0] in drivers]


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
        self.events: Counter[EventKey] = Counter()
        self.sequence: int | None = None
        self.server_clock: tuple[float, float] | None = None
        self.trouble: str | None = None

    async def start(self, within_s: float = 30.0) -> bool:
        """Subscribe; True once the first snapshot is here, False where none came in time (``trouble`` says why)."""
        self._task = asyncio.create_task(self._run())
        try:
            async with asyncio.timeout(within_s):
                await self._up.wait()
            return True
        except TimeoutError:
            self.trouble = self.trouble or f"no snapshot within {within_s:.0f} s"
            return False

    async def missed(self, done: Sequence[Done], within_s: float) -> tuple[list[Done], list[EventKey]]:
        """The acknowledged actions whose events did not come after a while, and what came more often than it was
        done.
        """
        await self._once(lambda: not compare(self.events, done)[0], within_s)
        return compare(self.events, done)

    async def behind(self, newest: Mapping[str, int], within_s: float) -> list[str]:
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
                    await socket.send(self._subscription())
                    async for data in socket:
                        self._read(data)
            except InvalidStatus as refused:
                self.trouble = f"HTTP {refused.response.status_code}"
            except (WebSocketException, OSError, TimeoutError, msgspec.DecodeError) as error:
                self.trouble = f"{type(error).__name__}: {error}"
            self.reconnects += 1
            await asyncio.sleep(spread.uniform(0.5, 2.0))

    def _subscription(self) -> str:
        """Who comes back names the last event that came, and misses none."""
        heard = self.sequence if self.sequence is not None or not self.reconnects else 0  # it may have missed the first
        after = {} if heard is None else {"after": heard}
        return msgspec.json.encode(SUBSCRIBE | after).decode()

    def _read(self, data: str | bytes) -> None:
        arrived = monotonic()
        frame = _decode(data)
        self.frames += 1
        match frame.type:
            case "snapshot":
                if frame.now is not None and frame.clockSpeed not in (None, 1, 1.0):
                    self.server_clock = (frame.now, float(frame.clockSpeed or 1.0))
                self._show(frame, arrived)
                self.trouble = None
                self._up.set()
            case "positions":
                self._show(frame, arrived)
            case "event" if frame.event is not None:
                self.events[event_key(frame.event)] += 1
                self.sequence = frame.event.get("sequence", self.sequence)
            case "error":
                self.trouble = f"{frame.code}: {frame.message}"
        self._heard.set()

    def _show(self, frame: LiveFrame, arrived: float) -> None:
        for seen in frame.drivers:
            if (fix := seen.fix) is not None:
                self.arrivals.arrived(seen.driverId, fix, arrived)
