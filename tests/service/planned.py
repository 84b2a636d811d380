"""A desk whose planner plans when it is told to, and what tests of plans ask of it."""

import itertools
from collections.abc import Awaitable, Callable
from typing import Any

from backend.domain.accounts import Account, Office, Role
from backend.domain.drafts import LocationDraft, OrderDraft, OrderName
from backend.domain.drivers import Driver
from backend.domain.errors import Refusal
from backend.domain.orders import Status
from backend.domain.plans import PlanRequest
from backend.planning.problem import Dropped, Plan, Problem, Route, Visit
from backend.service import completions, days, orders, plans
from backend.service.completions import Asked
from backend.service.desk import Clock
from backend.store import fleet
from tests.service.builders import add_account
from tests.service.conftest import Store

DAY = "2026-03-02"
DAY_S = 1_772_409_600  # its midnight, UTC


class Job:
    def __init__(self) -> None:
        self.status, self.percent = "R", 40
        self.reason: str | None = None
        self.plan: Plan | None = None


class PatientPlanner:
    """Plans when it is told to, so that a test can do something before."""

    def __init__(self) -> None:
        self.given: list[tuple[Problem, Callable[[Job], Awaitable[None]], Job]] = []

    def submit(self, problem: Problem, done: Callable[[Job], Awaitable[None]]) -> Job:
        self.given.append((problem, done, Job()))
        return self.given[-1][2]

    async def find(self, status: str = "F", vehicle: int = 0, dropped: int = 0, reason: str | None = None) -> None:
        """The last problem's stops in their order, an hour each, all on one vehicle."""
        problem, done, job = self.given[-1]
        served = problem.stops[: len(problem.stops) - dropped]
        visits = [
            Visit(stop.key, 28_900 + n * 3600, 28_900 + n * 3600, 29_500 + n * 3600, 1000, 100)
            for n, stop in enumerate(served)
        ]
        lost = tuple(Dropped(stop.key, "NO_TIME_LEFT", "No time.") for stop in problem.stops[len(served) :])
        key = problem.vehicles[vehicle].key
        route = Route(key, 28_800, tuple(visits), 61_200, 1000 * len(visits), 100 * len(visits))
        job.status, job.reason = status, reason
        job.plan = Plan((route,) if visits else (), lost, 0) if status != "E" else None
        await done(job)


class Told:
    """The hub, which remembers what it was told."""

    def __init__(self) -> None:
        self.routes: list[tuple[str, str, list[str]]] = []

    def tell_routes(self, account_id: str, date: str, driver_ids: list[str]) -> None:
        self.routes.append((account_id, date, list(driver_ids)))

    def tell_facts(self, account_id: str) -> None:
        pass

    def heed(self, topic: str, act: Callable[[str], None]) -> None:
        pass


class Here:
    """What these verbs need of a desk."""

    def __init__(self, store: Store) -> None:
        self.database, self.journal = store.database, store.journal
        self.planner, self.hub = PatientPlanner(), Told()
        self.clock = Clock(DAY_S + 6 * 3600, speed=0)
        self._count = itertools.count(1)

    def new_id(self) -> str:
        """They sort as they were made, so that the routes of these tests are always the same."""
        return f"{next(self._count):032x}"


async def opened(store: Store) -> tuple[Here, Office, list[str]]:
    """A desk, its office, and two drivers."""
    desk = Here(store)
    account: Account = await store.journal.transact(add_account)
    drivers = [Driver(desk.new_id(), name, serial=name) for name in ("Ana", "Bo")]
    await store.journal.transact(lambda conn: fleet.add_drivers(conn, account.id, drivers))
    return desk, Office("k", account, Role.TENANT), sorted(driver.id for driver in drivers)


async def give(desk: Any, office: Office, count: int = 3, **fields: Any) -> list[str]:
    place = LocationDraft(name="x", latitude=45.8, longitude=16.0)
    drafts = [OrderDraft(order_no=f"O{n}", date=DAY, location=place, **fields) for n in range(count)]
    saved = await orders.save(desk, office, drafts)
    return [each.order.id for each in saved if not isinstance(each, Refusal)]


async def plan(desk: Any, office: Office, request: PlanRequest | None = None, **found: Any) -> int:
    job_id = await plans.start(desk, office, request or PlanRequest(DAY, DAY))
    await desk.planner.find(**found)
    return job_id


async def stops(desk: Any, office: Office, **which: Any) -> dict[str, list[str]]:
    found = await days.day_routes(desk, office.account, DAY, **which)
    return {route.driver.name: [stop.order.order_no for stop in route.stops] for route in found}


async def word(desk: Any, office: Office, order_no: str, status: Status) -> None:
    await completions.set_statuses(desk, office, [(OrderName(order_no=order_no), Asked(status))])


async def statuses(desk: Any, office: Office) -> list[str]:
    found = await orders.find(desk, office, [OrderName(order_no=f"O{n}") for n in range(3)])
    return ["gone" if isinstance(each, Refusal) else each.record.status for each in found]
