"""Everybody who looks on while a fleet drives: the map watcher that each run has, more of them, and recipients."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial, reduce
from random import Random
from time import monotonic
from typing import NamedTuple

from simulator.account import Account
from simulator.endings import endings
from simulator.handset import ahead_of
from simulator.histogram import Histogram
from simulator.recipients import Recipient
from simulator.scenario import read
from simulator.steps import Who
from simulator.truth import FINISHED, Truth
from simulator.verify import EventKey
from simulator.watch import Done, Fix, Watch, there
from simulator.wire import Message, Route, iso, unix

EXAMPLES = 10
PATIENCE_S = 30.0
"""How long what is missing in the end is waited for: on a crowded machine nobody may be heard for some seconds."""
LEAST_S = 1.0
IN_ALL_S = 30.0
"""Once that is over, each of them is still given the least, and all of them together no more than this."""


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
        if truth.continued:  # what was under way when the run was broken off may be shown at any time
            for watch in self._maps:
                watch.arrivals.before.update(_sent_before(truth))
        up = await asyncio.gather(*(watch.start() for watch in self._maps))
        if self._count:
            by_order = {
                str(stop.orderId): (stop, diary.phone.driver_id, begins(diary.phone.route))
                for diary in truth.diaries.values()
                if diary.phone.route
                for stop in diary.phone.route.stops
                if stop.orderId
            }
            known = [
                (code, *by_order[order])
                for order, code in sorted((await account.trackings(truth.run.date)).items())
                if order in by_order
            ]
            chosen = Random(f"{truth.run.seed}/recipients").sample(known, min(self._count, len(known)))
            _, speed = self.first.server_clock or (0.0, 1.0)
            self._recipients = [Recipient(self._base_url, *each, speed) for each in chosen]
        for recipient in self._recipients:
            recipient.arrivals.before.update(self.first.arrivals.before)
            recipient.start()
        return [f"the map could not be watched: {w.trouble}" for w, ok in zip(self._maps, up, strict=True) if not ok]

    async def stop(self) -> None:
        """Close everything."""
        await asyncio.gather(*(each.stop() for each in self._everybody))

    def noticed(self, driver_id: str, message: Message) -> None:
        """A phone is sending something."""
        for each in self._everybody:
            each.noticed(driver_id, message)

    async def differences(self, truth: Truth, every_event: bool, within_s: float = PATIENCE_S) -> list[str]:
        """What was shown otherwise than it was, or never: an old position after a newer one, one elsewhere, a last
        position or status that is not the last; where everything was heard, events that are missing or too many. What
        is missing is waited for: so long for all together, as they hear it at the same time.
        """
        until = monotonic() + within_s

        def left_s() -> float:
            left = until - monotonic()
            return max(left, min(LEAST_S, within_s) if left > -IN_ALL_S else 0.0)

        done = [
            Done(diary.phone.named, action, acknowledged)
            for diary in truth.diaries.values()
            for action, acknowledged in diary.actions()
        ]
        newest = {driver: at_ms for driver, diary in truth.diaries.items() if (at_ms := diary.newest_ms())}
        found = []
        for number, watch in enumerate(self._maps):
            named = f"map {number}" if number else "the map"
            if every_event:
                found += [f"{named} {each}" for each in await _events(watch, done, left_s())]
            if behind := await watch.behind(newest, left_s()):
                found.append(f"{named} does not show the last position of {', '.join(behind[:EXAMPLES])}")
            found += [f"{named} {what}, {count} times" for what, count in watch.arrivals.wrong.items()]
        expected = pages(truth)
        for recipient in self._recipients:
            named = f"the page of order {recipient.order_id}"
            outcome = expected[recipient.order_id]
            found += [f"{named} {each}" for each in await _page(recipient, outcome, truth, left_s())]
        return found

    def latencies(self) -> Histogram:
        """From the sending of a position to each map that showed it."""
        return reduce(Histogram.merged, (watch.arrivals.latencies for watch in self._maps))

    def page_latencies(self) -> Histogram:
        """From the sending of a position to each recipient's page that showed it; empty where none was looked at."""
        return reduce(Histogram.merged, (page.arrivals.latencies for page in self._recipients), Histogram())

    def told(self) -> dict[str, int]:
        """Counts for the report."""
        return {
            "maps": len(self._maps),
            "recipients": len(self._recipients),
            "frames": sum(each.frames for each in self._everybody),
            "events": sum(watch.events.total() for watch in self._maps),
            "reconnects": sum(watch.reconnects for watch in self._maps),
        }


def _sent_before(truth: Truth) -> dict[str, int]:
    """By driver: what was sent so far is stamped up to then (Unix milliseconds)."""
    run = truth.run
    return {
        driver: round((truth.last_at + ahead_of(Who(diary.phone.key, run.date, run.seed), read(run.scenario))) * 1000)
        for driver, diary in truth.diaries.items()
    }


def begins(route: Route) -> float:
    """When a route was to begin, Unix seconds: at its start, or at its first stop; 0 where nothing tells it."""
    moments = [route.start.time if route.start else None, *(stop.scheduledAt for stop in route.stops)]
    return min((unix(moment) for moment in moments if moment), default=0.0)


class Outcome(NamedTuple):
    """How an order ended, when (Unix seconds; None where it did not), every status that it may have had, and in which
    others it may have ended.
    """

    status: str
    finished_s: float | None
    had: frozenset[str]
    also: frozenset[str]


def pages(truth: Truth) -> dict[str, Outcome]:
    """Of every order, as all drivers and the office made it."""
    ends = endings(truth)
    had: dict[str, set[str]] = {}
    for diary in truth.diaries.values():
        sent = {action.id for action, _ in diary.actions()}
        for expected in diary.expectations:
            if expected.action_id in sent:
                had.setdefault(expected.order_id, set()).add(expected.status)
    for order, was in truth.run.before.items():
        had.setdefault(order, set()).add(was.status)
    found = {}
    for order, status in ends.statuses.items():
        ended = ends.finished.get(order) if status in FINISHED else None
        also = ends.also.get(order, frozenset())
        may = frozenset({"scheduled", "on_route", status, *had.get(order, ()), *also})
        found[order] = Outcome(status, ended.stamp_ms / 1000 if ended else None, may, also)
    return found


def _sent_by_another(truth: Truth, driver_id: str, shown: Fix) -> bool:
    """Whether a shown position is one of another driver, to whom the order may have gone."""
    at_ms = round(shown.timestamp * 1000)
    others = (diary for driver, diary in truth.diaries.items() if driver != driver_id)
    return any(there(fix, shown) for diary in others for fix, _ in diary.fixes().get(at_ms, ()))


async def _events(watch: Watch, done: list[Done], within_s: float) -> list[str]:
    missing, more = await watch.missed(done, within_s)
    found = [f"was not told of {_told(missing)}"] if missing else []
    return [*found, f"was told of {_told(more)} more often than it was done"] if more else found


def _told(what: Sequence[Done] | Sequence[EventKey]) -> str:
    """How many, and the first of them."""
    first = what[0]
    driver, kind, order = (
        (first.driver, first.action.action, first.action.orderId) if isinstance(first, Done) else first[:3]
    )
    return f"{len(what)} events, the first {kind} of {driver}{f' for order {order}' if order else ''}"


async def _page(recipient: Recipient, expected: Outcome, truth: Truth, within_s: float) -> list[str]:
    found = []
    shows = recipient.status in expected.also or await recipient.shows(expected.status, expected.finished_s, within_s)
    if not shows and recipient.status not in expected.also:
        shown = f"{recipient.status}, finished at {recipient.state.finishedAt if recipient.state else None}"
        wanted = iso(expected.finished_s) if expected.finished_s is not None else None
        found.append(f"shows {shown}, should be {expected.status}, finished at {wanted}")
    recipient.judge(truth.changes.planned.get(recipient.order_id, ()))
    if recipient.order_id in truth.changes.moved:
        recipient.arrivals.forgive(partial(_sent_by_another, truth, recipient.driver_id))
    if never := recipient.shown - expected.had:
        found.append(f"showed {', '.join(sorted(never))}, which the order never was")
    return found + [f"{what}, {count} times" for what, count in (recipient.wrong + recipient.arrivals.wrong).items()]
