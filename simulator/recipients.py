"""Recipients who look at their delivery: what a page is shown, and whether it is what was done."""

from __future__ import annotations

import asyncio
from random import Random
from time import monotonic

import msgspec
from msgspec import Struct
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus, WebSocketException

from simulator.transport import near, websocket_url
from simulator.watch import Arrivals, Fix
from simulator.wire import Message

ON_THE_WAY = frozenset({"on_route", "servicing"})
"""The statuses in which a recipient may see the driver."""


class State(Struct, frozen=True):
    """A frame of the recipient's socket, as far as it is read here."""

    type: str
    status: str | None = None
    driver: Fix | None = None


_decode = msgspec.json.Decoder(State).decode


class Recipient:
    """Has the page of one order open. ``status`` is what it shows; ``seen_wrongly`` counts the frames that showed the
    driver when nobody was on the way to this stop.
    """

    def __init__(self, base_url: str, tracking: str, order_id: str, driver_id: str) -> None:
        self._url = websocket_url(base_url, f"/t/{tracking}/live")
        self._driver_id = driver_id
        self._heard = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.order_id = order_id
        self.arrivals = Arrivals()
        self.status: str | None = None
        self.frames = self.seen_wrongly = 0

    def start(self) -> None:
        """Open the page, and again whenever the connection breaks."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Close it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def noticed(self, driver_id: str, message: Message) -> None:
        """A phone is sending something."""
        if driver_id == self._driver_id and self.status in ON_THE_WAY:
            self.arrivals.noticed(driver_id, message)

    async def shows(self, status: str, within_s: float = 5.0) -> bool:
        """Whether it shows this status, at once or after a while."""
        try:
            async with asyncio.timeout(within_s):
                while self.status != status:
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
        self.status = frame.status
        if frame.driver is not None:
            self.seen_wrongly += frame.status not in ON_THE_WAY
            self.arrivals.arrived(self._driver_id, round(frame.driver.timestamp * 1000), arrived)
        self._heard.set()
