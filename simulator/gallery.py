"""Everybody who looks on while a fleet drives: the map watcher that each run has, more of them, and recipients."""

from __future__ import annotations

import asyncio
from functools import reduce
from random import Random

from simulator.account import Account
from simulator.histogram import Histogram
from simulator.recipients import Recipient
from simulator.truth import Truth
from simulator.watch import Watch
from simulator.wire import Message

EXAMPLES = 10


class Gallery:
    """``count`` more watchers of the map, and as many recipients' pages, beside the one watcher that measures."""

    def __init__(self, base_url: str, key: str, count: int) -> None:
        self._base_url, self._count = base_url, count
        self.first = Watch(base_url, key)
        self._maps = [self.first, *(Watch(base_url, key) for _ in range(count))]
        self._recipients: list[Recipient] = []

    @property
    def _everybody(self) -> list[Watch | Recipient]:
        return [*self._maps, *self._recipients]

    async def start(self, account: Account, truth: Truth) -> list[str]:
        """Open everything; what could not be opened."""
        up = await asyncio.gather(*(watch.start() for watch in self._maps))
        if self._count:
            by_order = {
                stop.orderId: diary.phone.driver_id
                for diary in truth.diaries.values()
                if diary.phone.route
                for stop in diary.phone.route.stops
            }
            known = [
                (code, order, by_order[order])
                for order, code in sorted((await account.trackings(truth.run.date)).items())
                if order in by_order
            ]
            chosen = Random(f"{truth.run.seed}/recipients").sample(known, min(self._count, len(known)))
            self._recipients = [Recipient(self._base_url, *each) for each in chosen]
        for recipient in self._recipients:
            recipient.start()
        return [f"the map could not be watched: {w.trouble}" for w, ok in zip(self._maps, up, strict=True) if not ok]

    async def stop(self) -> None:
        """Close everything."""
        await asyncio.gather(*(each.stop() for each in self._everybody))

    def noticed(self, driver_id: str, message: Message) -> None:
        """A phone is sending something."""
        for each in self._everybody:
            each.noticed(driver_id, message)

    async def differences(self, truth: Truth, every_event: bool) -> list[str]:
        """What was shown otherwise than it was, or never: an old position after a newer one, too few events, a last
        position or status that is not the last.
        """
        done = sum(acknowledged for diary in truth.diaries.values() for _, acknowledged in diary.actions())
        newest = {driver: at_ms for driver, diary in truth.diaries.items() if (at_ms := diary.newest_ms())}
        drivers = {diary.phone.named for diary in truth.diaries.values()}
        found = []
        for number, watch in enumerate(self._maps):
            named = f"map {number}" if number else "the map"
            if every_event and not await watch.seen(done, drivers):
                found.append(f"{named} got {watch.heard(drivers)} events of {done}")
            if behind := await watch.behind(newest):
                found.append(f"{named} does not show the last position of {', '.join(behind[:EXAMPLES])}")
            if watch.arrivals.older_after_newer:
                count = watch.arrivals.older_after_newer
                found.append(f"{count} times {named} got an older position after a newer one")
        statuses = {order: status for diary in truth.diaries.values() for order, status in diary.statuses().items()}
        for recipient in self._recipients:
            found += await _page(recipient, statuses[recipient.order_id])
        return found

    def latencies(self) -> Histogram:
        """From the sending of a position to each map that showed it."""
        return reduce(Histogram.merged, (watch.arrivals.latencies for watch in self._maps))

    def told(self) -> dict[str, int]:
        """Counts for the report."""
        return {
            "maps": len(self._maps),
            "recipients": len(self._recipients),
            "frames": sum(each.frames for each in self._everybody),
            "events": sum(watch.events.total() for watch in self._maps),
            "reconnects": sum(watch.reconnects for watch in self._maps),
        }


async def _page(recipient: Recipient, status: str) -> list[str]:
    found = []
    if not await recipient.shows(status):
        found.append(f"the page of order {recipient.order_id} shows {recipient.status}, should be {status}")
    if recipient.arrivals.older_after_newer:
        found.append(f"the page of order {recipient.order_id} got an older position after a newer one")
    if times := recipient.seen_wrongly:
        found.append(f"the page of order {recipient.order_id} showed a driver on another way, {times} times")
    return found
