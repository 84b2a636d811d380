"""Recipients who look at their delivery: what a page is shown, and whether it is what was done."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection
from random import Random
from time import monotonic

import msgspec
from msgspec import Struct
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus, WebSocketException

from simulator.endings import CANCELLED
from simulator.transport import near, websocket_url
from simulator.truth import FINISHED
from simulator.watch import Arrivals, Fix
from simulator.wire import Message, Stop, unix

ON_THE_WAY = frozenset({"on_route", "servicing"})
"""The statuses in which a recipient may see the driver."""
SAME_PLACE_DEG = 1e-5
ETA_OFF_S = 4 * 3600.0
"""An estimate is the plan moved by what is late, and never in the past. No driver of a scenario is later than this; but
a server that hears nothing takes a driver to be as late as there was time to be, since the route was to begin.
"""
STALE_S = 60.0
"""Of real time: an estimate is made anew every half minute at least."""


class Place(Struct, frozen=True):
    """Where the parcel goes."""

    latitude: float
    longitude: float


class Promise(Struct, frozen=True, rename={"begins": "from", "ends": "to"}):
    """When it was promised to come."""

    begins: str
    ends: str


class State(Struct, frozen=True):
    """A frame of the recipient's socket, as far as it is read here."""

    type: str
    status: str | None = None
    orderNo: str | None = None
    destination: Place | None = None
    window: Promise | None = None
    eta: str | None = None
    driver: Fix | None = None
    finishedAt: str | None = None
    now: float | None = None


_decode = msgspec.json.Decoder(State).decode


class Recipient:
    """Has the page of one order open, which is for a stop of a driver's route that was to begin at ``begins_s`` (Unix
    seconds), on a server whose clock runs ``speed`` times as fast as the wall. ``state`` is what it shows; ``wrong``
    counts what no frame may show.
    """

    def __init__(self, base_url: str, tracking: str, stop: Stop, driver_id: str, begins_s: float, speed: float) -> None:
        self._url = websocket_url(base_url, f"/t/{tracking}/live")
        self._stop, self.driver_id = stop, driver_id
        self._begins_s, self._stale_s = begins_s, STALE_S * speed
        self._heard = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.order_id = str(stop.orderId)
        self.arrivals = Arrivals()
        self.state: State | None = None
        self.shown: set[str] = set()
        self.wrong: Counter[str] = Counter()
        self._odd: list[State] = []
        self.frames = 0

    @property
    def status(self) -> str | None:
        """What the page shows now."""
        return self.state.status if self.state else None

    def start(self) -> None:
        """Open the page, and again whenever the connection breaks."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Close it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def noticed(self, driver_id: str, message: Message) -> None:
        """A phone is sending something. A page that is cut off may not know yet that its driver is on the way."""
        if driver_id == self.driver_id:
            self.arrivals.noticed(driver_id, message, awaited=self.status in ON_THE_WAY)

    async def shows(self, status: str, finished_s: float | None, within_s: float) -> bool:
        """Whether it shows this status, and the second in which the order was finished, at once or after a while. When
        an order was cancelled, is the server's to say.
        """
        return await self._once(
            lambda: self.status == status and (status == CANCELLED or self._finished(finished_s)), within_s
        )

    def judge(self, replanned: Collection[float]) -> None:
        """Count in ``wrong`` what it showed that fits neither the first plan of this stop nor a later one (moments in
        Unix seconds), which may be known here later than to the page.
        """
        odd, self._odd = self._odd, []
        for frame in odd:
            moments = [unix(str(self._stop.scheduledAt)), *replanned]
            self.wrong.update(set.intersection(*(set(astray(frame, each, self._begins_s)) for each in moments)))

    def _finished(self, finished_s: float | None) -> bool:
        told = self.state.finishedAt if self.state else None
        if finished_s is None or told is None:
            return finished_s is told
        return abs(unix(told) - finished_s) <= 1.0

    async def _once(self, true: Callable[[], bool], within_s: float) -> bool:
        try:
            async with asyncio.timeout(within_s):
                while not true():
                    self._heard.clear()
                    await self._heard.wait()
        except TimeoutError:
            return False
        return True

    async def _run(self) -> None:
        spread = Random()
        while True:
            try:
                async with connect(self._url, compression=None, proxy=None if near(self._url) else True) as socket:
                    async for data in socket:
                        self._read(data)
            except (InvalidStatus, WebSocketException, OSError, TimeoutError, msgspec.DecodeError):
                pass  # the comparison at the end tells what was not seen
            await asyncio.sleep(spread.uniform(0.5, 2.0))

    def _read(self, data: str | bytes) -> None:
        arrived, frame = monotonic(), _decode(data)
        if frame.type != "state":
            return
        self.frames += 1
        self.wrong.update(flaws(frame, self._stop, self._stale_s))
        if self._stop.scheduledAt and astray(frame, unix(self._stop.scheduledAt), self._begins_s):
            self._odd.append(frame)
        if self.status in FINISHED and frame.status not in {*FINISHED, CANCELLED}:
            self.wrong["went back to an open status"] += 1
        self.state = frame
        self.shown.add(str(frame.status))
        if frame.driver is not None:
            self.arrivals.arrived(self.driver_id, frame.driver, arrived)
        self._heard.set()


def flaws(frame: State, stop: Stop, stale_s: float) -> list[str]:
    """What a page may not show for a stop, whatever was planned: another order or place, a driver on another way, an
    estimate where there is nothing to wait for, or in the past.
    """
    found = []
    if (frame.orderNo or None) != (stop.orderNo or None):
        found.append("showed another order")
    there = frame.destination
    if there is not None and stop.latitude is not None and stop.longitude is not None:
        off = max(abs(there.latitude - stop.latitude), abs(there.longitude - stop.longitude))
        found += ["showed another place"] if off > SAME_PLACE_DEG else []
    if frame.driver is not None and frame.status not in ON_THE_WAY:
        found.append("showed a driver on another way")
    if frame.eta is not None and frame.now is not None:
        if frame.status == "servicing" or frame.status in FINISHED:
            found.append("estimated when what has begun will begin")
        if unix(frame.eta) < frame.now - stale_s:
            found.append("estimated a time in the past")
    return found


def astray(frame: State, planned: float, begins_s: float) -> list[str]:
    """What a page may not show for a stop that is planned for this moment (Unix seconds): a promise that is not the
    plan's, an estimate far from it.
    """
    found = []
    if frame.window and not unix(frame.window.begins) <= planned <= unix(frame.window.ends):
        found.append("promised another time than was planned")
    if frame.eta is not None and frame.now is not None:
        latest = max(planned, frame.now, planned + frame.now - begins_s) + ETA_OFF_S
        if not planned - ETA_OFF_S <= unix(frame.eta) <= latest:
            found.append("estimated a time far from the plan")
    return found
