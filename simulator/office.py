"""The office changes its mind while the fleet drives: orders are cancelled, given to another driver, or the rest of the
day is planned anew.

What it does and when is drawn from the seed; which order it hits depends on how far the day has come by then.
"""

from __future__ import annotations

import asyncio
from random import Random
from time import time

import httpx

from simulator.account import Account, SetupFailed
from simulator.clock import SimClock
from simulator.histogram import Measures
from simulator.scenario import Scenario
from simulator.trouble import WORKING_DAY_S
from simulator.truth import Truth
from simulator.wire import Route, Stop

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
        wanted, rng = self._wanted, self._rng
        count = int(wanted.changes_per_day / parts + rng.random())
        times = sorted(begins + rng.uniform(0.05, 0.8) * WORKING_DAY_S for _ in range(count))
        for at in times:
            chance, pick = rng.random(), Random(rng.random())
            if at <= self._truth.last_at:
                continue  # a run that goes on did this before it was broken off
            await self._clock.until(at)
            try:
                if parts == 1:
                    await self._change(chance, pick)
                elif chance < wanted.cancelled:
                    await self._cancel_one(pick)
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
        if ahead := [stop for _, stops in await self._ahead() for stop in stops]:
            await self._cancel(str(pick.choice(ahead).orderId))

    async def _cancel(self, order_id: str) -> None:
        at = self._clock.now() if abs(self._clock.now() - time()) < 60 or self._clock.of_server else None
        self._truth.cancel(order_id, at)
        await self._account.cancel(order_id)
        self._measures.injected["order cancelled"] += 1

    async def _move(self, stop: Stop, to: Route) -> None:
        await self._account.assign(str(stop.orderId), str(to.externalId))
        await self._replan("order moved")

    async def _replan(self, what: str) -> None:
        date = self._truth.run.date
        self._truth.replanned = True
        before = _drivers(await self._account.routes(date))
        await self._account.plan(date, startWith="CURRENT")
        await self._account.send(date)
        after = _drivers(await self._account.routes(date))
        self._truth.move({order for order, driver in before.items() if after.get(order) != driver})
        self._measures.injected[what] += 1


def _ahead(route: Route) -> list[Stop]:
    """The stops of a route that can still be changed."""
    left = [stop for stop in route.stops if stop.orderId and stop.status == "scheduled"]
    return left[AHEAD:]


def _drivers(routes: list[Route]) -> dict[str, str]:
    """Who has which order."""
    return {str(stop.orderId): route.driverId for route in routes for stop in route.stops if stop.orderId}


async def ended(task: asyncio.Task[None]) -> None:
    """Stop an office's work, whatever it was at."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
