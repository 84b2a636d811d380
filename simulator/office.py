"""The office changes its mind while the fleet drives: orders are cancelled, given to another driver, or the rest of the
day is planned anew.

What it does and when is drawn from the seed; which order it hits depends on how far the day has come by then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from random import Random
from time import time

import httpx

from simulator.account import Account, SetupFailed
from simulator.changes import Cancelled, Cancelling, Replanning, holders, planned, replanned
from simulator.clock import SimClock
from simulator.histogram import Measures
from simulator.scenario import Scenario
from simulator.trouble import WORKING_DAY_S
from simulator.truth import Truth
from simulator.wire import Route, Stop

APART_S = 2.0
"""Seconds of real time by which the server's clock may be off from what is known of it here."""
AHEAD = 2
"""Stops of a route that are left alone, counted from the first that is not done: their driver is on the way already."""


class Office:
    """``run()`` until it is cancelled or the day's changes are made. Where a fleet is driven in several ``parts``, the
    other processes know nothing of what is changed here: then it only cancels, its part of what is to be.
    """

    def __init__(self, account: Account, truth: Truth, scenario: Scenario, clock: SimClock, measures: Measures) -> None:
        self._account, self._truth, self._clock, self._measures = account, truth, clock, measures
        self._wanted = scenario.office
        self._rng = Random(f"{truth.run.seed}/{truth.run.date}/office")

    async def run(self, begins: float, parts: int = 1) -> None:
        """Change the day at its times, from when the first driver's day begins (Unix seconds)."""
        await self._go_on()
        wanted, rng = self._wanted, self._rng
        count = int(wanted.changes_per_day / parts + rng.random())
        times = sorted(begins + rng.uniform(0.05, 0.8) * WORKING_DAY_S for _ in range(count))
        for at in times:
            chance, pick = rng.random(), Random(rng.random())
            if at <= self._truth.last_at:
                continue  # a run that goes on did this before it was broken off
            await self._clock.until(at)
            if parts == 1:
                await self._try(self._change(chance, pick))
            elif chance < wanted.cancelled:
                await self._try(self._cancel_one(pick))

    async def _go_on(self) -> None:
        """What was asked for and not answered when the run was broken off, is asked for again."""
        for order_id, cancel in list(self._truth.changes.cancels.items()):
            if not cancel.answered:
                await self._try(self._cancel(order_id))
        if self._truth.changes.holders is not None:
            await self._try(self._replan("re-planned"))

    async def _try(self, change: Awaitable[None]) -> None:
        try:
            await change
        except (SetupFailed, httpx.HTTPError, OSError, TimeoutError):
            self._measures.injected["office could not"] += 1

    async def _change(self, chance: float, pick: Random) -> None:
        if chance < self._wanted.cancelled:
            await self._cancel_one(pick)
        elif chance < self._wanted.cancelled + self._wanted.moved:
            ahead = await self._ahead()
            routes = [route for route, _ in ahead]
            others = [(route, stop) for route, stops in ahead for stop in stops if len(routes) > 1]
            if others:
                route, stop = pick.choice(others)
                await self._move(stop, pick.choice([each for each in routes if each is not route]))
        else:
            await self._replan("re-planned")

    async def _ahead(self) -> list[tuple[Route, list[Stop]]]:
        """The routes of this run's drivers, each with the stops that can still be changed."""
        routes = await self._account.routes(self._truth.run.date)
        return [(route, _ahead(route)) for route in routes if route.driverId in self._truth.diaries]

    async def _cancel_one(self, pick: Random) -> None:
        if ahead := [(route, stop) for route, stops in await self._ahead() for stop in stops]:
            route, stop = pick.choice(ahead)
            await self._cancel(str(stop.orderId), tuple(planned(route)))

    async def _cancel(self, order_id: str, beside: tuple[str, ...] = ()) -> None:
        self._truth.change(Cancelling(order_id, self._server_time(-APART_S), beside))
        await self._account.cancel(order_id)
        self._truth.change(Cancelled(order_id, self._server_time(APART_S)))
        self._measures.injected["order cancelled"] += 1

    def _server_time(self, later_s: float) -> float | None:
        """What the server's clock shows in so many seconds of real time; None where it is far ahead of the phones."""
        of_now = abs(self._clock.now() - time()) < 60 or self._clock.of_server
        return self._clock.now() + later_s * self._clock.speed if of_now else None

    async def _move(self, stop: Stop, to: Route) -> None:
        await self._account.assign(str(stop.orderId), str(to.externalId))
        await self._replan("order moved")

    async def _replan(self, what: str) -> None:
        date = self._truth.run.date
        await settle(self._account, self._truth)  # an earlier one that was not answered, before its times are gone
        self._truth.change(Replanning(holders(await self._account.routes(date))))
        await self._account.plan(date, startWith="CURRENT")
        await self._account.send(date)
        await settle(self._account, self._truth)
        self._measures.injected[what] += 1


def _ahead(route: Route) -> list[Stop]:
    """The stops of a route that can still be changed."""
    left = [stop for stop in route.stops if stop.orderId and stop.status == "scheduled"]
    return left[AHEAD:]


async def settle(account: Account, truth: Truth) -> None:
    """What a planning changed that was asked for, whether it was answered or not."""
    if (before := truth.changes.holders) is not None:
        truth.change(replanned(before, await account.routes(truth.run.date)))


async def ended(task: asyncio.Task[None]) -> list[str]:
    """Stop an office's work, whatever it was at; what broke it before."""
    task.cancel()
    (outcome,) = await asyncio.gather(task, return_exceptions=True)
    if outcome is None or isinstance(outcome, asyncio.CancelledError):
        return []
    return [f"the office ended early: {type(outcome).__name__}: {outcome}"]
