"""Plans between their start and their saving: what the planner found, and what changed in the meantime."""

import asyncio
import itertools
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from sqlalchemy import text

from backend.domain.accounts import Account, Office, Role
from backend.domain.drafts import DriverName, LocationDraft, OrderDraft, OrderName
from backend.domain.drivers import Driver
from backend.domain.errors import Refusal
from backend.domain.orders import Status
from backend.domain.plans import CannotPlan, PlanRequest
from backend.planning.problem import Dropped, Plan, Problem, Route, Visit
from backend.service import completions, days, leases, listing, orders, plans, removal, selection, shifts, workload
from backend.service.completions import Asked
from backend.service.desk import Clock
from backend.store import fleet, jobs
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


@pytest.fixture
async def company(store: Store) -> tuple[Any, Office, list[str]]:
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


async def test_a_plan_is_saved_when_it_is_found_and_told(company) -> None:
    desk, office, (ana, _) = company
    await give(desk, office)
    job_id = await plan(desk, office)
    assert await plans.status(desk, office, job_id) == plans.Progress("F", 40)
    assert await stops(desk, office) == {"Ana": ["O0", "O1", "O2"]}
    assert await stops(desk, office, active=True) == {}
    assert await statuses(desk, office) == ["scheduled"] * 3
    assert desk.hub.routes == [(office.account.id, DAY, [ana])]
    (route,) = await days.day_routes(desk, office.account, DAY)
    assert [stop.stop.start_s - DAY_S for stop in route.stops] == [28_900, 32_500, 36_100]
    assert [stop.eta_s for stop in route.stops] == [stop.stop.start_s for stop in route.stops]
    assert (route.sent, route.version) == (False, 0)


async def test_a_plan_that_failed_leaves_the_one_before(company) -> None:
    desk, office, _ = company
    await give(desk, office)
    await plan(desk, office)
    job_id = await plan(desk, office, status="E", reason="The planner crashed.")
    assert await plans.status(desk, office, job_id) == plans.Progress("E", 40, "The planner crashed.")
    assert await stops(desk, office) == {"Ana": ["O0", "O1", "O2"]}
    await plan(desk, office)


async def test_a_plan_that_was_stopped_keeps_what_it_had_found(company) -> None:
    desk, office, _ = company
    await give(desk, office)
    job_id = await plan(desk, office, status="C", dropped=1)
    assert (await plans.status(desk, office, job_id)).status == "C"
    assert await stops(desk, office) == {"Ana": ["O0", "O1"]}
    assert await statuses(desk, office) == ["scheduled", "scheduled", "unscheduled"]


async def test_why_an_order_was_left_out_is_forgotten_when_it_is_planned(company) -> None:
    desk, office, _ = company
    await give(desk, office)
    await plan(desk, office, dropped=1)

    async def reason() -> str | None:
        (found,) = await orders.find(desk, office, [OrderName(order_no="O2")])
        return found.record.unscheduled_code

    assert await reason() == "NO_TIME_LEFT"
    await plan(desk, office)
    assert await reason() is None


async def test_a_driver_who_was_changed_meanwhile_is_not_given_the_route(company, store: Store) -> None:
    desk, office, (ana, _) = company
    await give(desk, office)
    await plans.start(desk, office, PlanRequest(DAY, DAY))
    renamed = {"name": "Ana Maria", "phone": "1"}
    (driver,) = await store.database.read(lambda conn: fleet.drivers_by_id(conn, office.account.id, [ana]))
    named = msgspec.structs.replace(driver, **renamed)
    await store.journal.transact(lambda conn: fleet.save_driver(conn, office.account.id, named))
    await desk.planner.find()
    assert await stops(desk, office) == {"Ana Maria": ["O0", "O1", "O2"]}
    await plans.start(desk, office, PlanRequest(DAY, DAY))
    change = shifts.Change(driver=DriverName(serial="Ana"), date=DAY, work_to="12:00")
    assert await shifts.change(desk, office, [change]) == [None]
    await desk.planner.find()
    assert await stops(desk, office) == {} and await statuses(desk, office) == ["unscheduled"] * 3
    told = await listing.plan(desk, office, DAY)
    assert {each.code for each in told.unscheduled} == {"DRIVER_CHANGED"}


async def test_an_order_that_was_finished_meanwhile_keeps_its_place(company) -> None:
    desk, office, _ = company
    await give(desk, office)
    await plan(desk, office)
    await plans.send(desk, office, DAY)
    await plans.start(desk, office, PlanRequest(DAY, DAY))
    await word(desk, office, "O1", Status.SUCCESS)
    await desk.planner.find(vehicle=1)
    assert await stops(desk, office) == {"Ana": ["O1"], "Bo": ["O0", "O2"]}
    assert await statuses(desk, office) == ["on_route", "success", "scheduled"]  # on the route that was sent


async def test_a_day_that_has_begun_is_planned_around_what_is_done(company) -> None:
    desk, office, _ = company
    await give(desk, office)
    await plan(desk, office)
    await plans.send(desk, office, DAY)
    await word(desk, office, "O0", Status.SERVICING)
    await plans.start(desk, office, PlanRequest(DAY, DAY))
    problem = desk.planner.given[-1][0]
    assert len(problem.stops) == 2 and problem.vehicles[0].from_s == 29_500
    await desk.planner.find(vehicle=0)
    assert await stops(desk, office) == {"Ana": ["O0", "O1", "O2"]}
    (route,) = await days.day_routes(desk, office.account, DAY)
    assert [stop.stop.number for stop in route.stops] == [1, 2, 3]


async def test_a_cancelled_order_leaves_the_plan(company) -> None:
    desk, office, _ = company
    await give(desk, office)
    await plan(desk, office)
    await word(desk, office, "O0", Status.CANCELLED)
    await plan(desk, office)
    assert await stops(desk, office) == {"Ana": ["O1", "O2"]}
    assert await statuses(desk, office) == ["cancelled", "scheduled", "scheduled"]


async def test_orders_that_are_planned_are_neither_changed_nor_deleted(company) -> None:
    desk, office, _ = company
    await give(desk, office)
    job_id = await plans.start(desk, office, PlanRequest(DAY, DAY))
    (refused,) = await orders.save(desk, office, [OrderDraft(order_no="O0", notes="x")])
    assert isinstance(refused, Refusal) and refused.code == "ERR_OPT_RUNNING"
    (refused,) = await removal.remove(desk, office, [OrderName(order_no="O0")])
    assert isinstance(refused, CannotPlan) and (refused.code, refused.planning_id) == ("ERR_OPT_RUNNING", job_id)
    with pytest.raises(CannotPlan, match="ERR_OPT_RUNNING_FOR_DATE"):
        await plans.start(desk, office, PlanRequest(DAY, DAY))
    await desk.planner.find()
    (saved,) = await orders.save(desk, office, [OrderDraft(order_no="O0", notes="x")])
    assert not isinstance(saved, Refusal)


async def test_a_job_that_ended_elsewhere_changes_nothing(company, store: Store) -> None:
    desk, office, _ = company
    await give(desk, office)
    job_id = await plans.start(desk, office, PlanRequest(DAY, DAY))
    await store.journal.transact(lambda conn: jobs.end(conn, job_id, "C", 0))
    await desk.planner.find()
    assert (await plans.status(desk, office, job_id)).status == "C"
    assert await stops(desk, office) == {} and await statuses(desk, office) == ["unscheduled"] * 3


async def refused_beyond(company: Any, monkeypatch: pytest.MonkeyPatch, limit: str) -> str:
    """The code for three orders and two drivers where the limit is one."""
    desk, office, _ = company
    await give(desk, office)
    with monkeypatch.context() as patched, pytest.raises(CannotPlan) as refused:
        patched.setattr(selection, limit, 1)
        await plans.start(desk, office, PlanRequest(DAY, DAY))
    await plans.start(desk, office, PlanRequest(DAY, DAY))  # the date is free
    return refused.value.code


async def test_more_orders_than_a_planning_takes_are_refused(company, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await refused_beyond(company, monkeypatch, "MOST_ORDERS") == "ERR_OPT_REQUESTS_EXCEEDED"


async def test_more_drivers_than_a_planning_takes_are_refused(company, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await refused_beyond(company, monkeypatch, "MOST_DRIVERS") == "ERR_OPT_RESOURCES_EXCEEDED"


async def test_a_server_that_is_stopping_starts_no_planning(company, monkeypatch: pytest.MonkeyPatch) -> None:
    desk, office, _ = company
    await give(desk, office)

    def stopping(*_: Any) -> Job:
        raise RuntimeError("the planner is closed")

    with monkeypatch.context() as patched, pytest.raises(CannotPlan) as refused:
        patched.setattr(desk.planner, "submit", stopping)
        await plans.start(desk, office, PlanRequest(DAY, DAY))
    assert refused.value.code == "ERR_OPT_COULD_NOT_START"
    await plans.start(desk, office, PlanRequest(DAY, DAY))  # the date is free


async def test_a_planning_that_does_not_end_when_it_is_stopped_is_told(
    company, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, office, _ = company
    await give(desk, office)
    job_id = await plans.start(desk, office, PlanRequest(DAY, DAY))
    monkeypatch.setattr(desk.planner, "stop", lambda job: None, raising=False)
    monkeypatch.setattr(plans, "_STOP_S", 0.01)
    with pytest.raises(Refusal) as refused:
        await plans.stop(desk, office, job_id)
    assert refused.value.code == "ERR_OPT_COULD_NOT_STOP"


async def test_a_planning_whose_end_could_not_be_stored_is_not_under_way_for_ever(
    company, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object) -> None:
        raise Refusal("ERR_STORAGE_FULL", "The disk is full; nothing was stored.")

    desk, office, _ = company
    await give(desk, office)
    job_id = await plans.start(desk, office, PlanRequest(DAY, DAY))
    with monkeypatch.context() as patched, pytest.raises(Refusal):
        patched.setattr(desk.journal, "transact", full)
        await desk.planner.find()
    monkeypatch.setattr(leases, "BEAT_S", 0.02)
    monkeypatch.setattr(leases, "SILENT_S", 0.5)
    watching = asyncio.create_task(leases.keep_watch(desk))
    async with asyncio.timeout(60):
        while (await plans.status(desk, office, job_id)).status != "E":
            await asyncio.sleep(0.02)
    watching.cancel()
    await plans.start(desk, office, PlanRequest(DAY, DAY))  # the date is free


async def test_jobs_of_a_dead_process_have_failed(company) -> None:
    desk, office, _ = company
    if not desk.database.alone:
        pytest.skip("another process may be planning them: see test_leases")
    await give(desk, office)
    job_id = await plans.start(desk, office, PlanRequest(DAY, DAY))
    await leases.recover(desk)
    progress = await plans.status(desk, office, job_id)
    assert progress.status == "E" and progress.reason


async def test_a_driver_who_takes_over_an_order_takes_it_off_the_other_route(company) -> None:
    desk, office, _ = company
    await give(desk, office)
    await plan(desk, office)
    mine = PlanRequest(DAY, DAY, drivers=(DriverName(serial="Bo"),), orders=(OrderName(order_no="O1"),))
    await plan(desk, office, mine)
    assert await stops(desk, office) == {"Ana": ["O0", "O2"], "Bo": ["O1"]}
    assert await statuses(desk, office) == ["scheduled"] * 3


async def test_sending_makes_the_plan_active_and_gives_codes_that_are_kept(company) -> None:
    desk, office, (ana, bo) = company
    await give(desk, office)
    await plan(desk, office)
    sent = await plans.send(desk, office, DAY)
    assert (sent.routes, sent.orders) == (1, 3)
    (route,) = await days.day_routes(desk, office.account, DAY, active=True)
    assert (route.sent, route.version) == (True, 1)
    codes = [stop.tracking for stop in route.stops]
    assert len(set(codes)) == 3 and all(len(code or "") >= 12 for code in codes)
    await plans.send(desk, office, DAY)
    (again,) = await days.day_routes(desk, office.account, DAY, active=True)
    assert again.version == 1 and [stop.tracking for stop in again.stops] == codes
    await plan(desk, office, vehicle=1)
    (before,) = await days.day_routes(desk, office.account, DAY, ana, active=True)
    assert before.version == 1 and len(before.stops) == 3 and before.sent is True
    assert [each.sent for each in await days.day_routes(desk, office.account, DAY)] == [True, False]
    desk.hub.routes.clear()
    await plans.send(desk, office, DAY)
    assert desk.hub.routes == [(office.account.id, DAY, [ana, bo])]
    assert await stops(desk, office, active=True) == {"Bo": ["O0", "O1", "O2"]}
    (after,) = await days.day_routes(desk, office.account, DAY, bo, active=True)
    assert {stop.tracking for stop in after.stops} == set(codes)


async def test_a_day_without_a_plan_is_sent_without_effect(company) -> None:
    desk, office, _ = company
    sent = await plans.send(desk, office, DAY)
    assert (sent.routes, sent.orders) == (0, 0)


async def test_two_plannings_of_different_days_run_side_by_side(company) -> None:
    desk, office, _ = company
    await give(desk, office)
    await orders.save(
        desk, office, [OrderDraft(order_no="T", date="2026-03-03", location=LocationDraft("L", "x", "", 1, 2))]
    )
    first = await plans.start(desk, office, PlanRequest(DAY, DAY))
    second = await plans.start(desk, office, PlanRequest("2026-03-03", "2026-03-03"))
    assert second > first
    with pytest.raises(CannotPlan, match="ERR_OPT_RUNNING_FOR_DATE"):
        await plans.start(desk, office, PlanRequest("2026-03-01", "2026-03-05"))


@pytest.mark.parametrize("engine", ["postgresql"])
async def test_nobody_waits_while_a_problem_is_built(company: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither is the turn taken to change something, nor a transaction open, which would hold back cleaning."""
    desk, office, _ = company
    await give(desk, office)
    genuine, seen = workload.build, []
    held = text(
        "SELECT (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND database ="
        " (SELECT oid FROM pg_database WHERE datname = current_database())),"
        " (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid != pg_backend_pid()"
        " AND xact_start IS NOT NULL AND application_name LIKE 'codriver %')"
    )

    def build(*given: Any) -> Any:
        seen.append(tuple(desk.database.read_now(lambda conn: conn.execute(held).one())))
        return genuine(*given)

    monkeypatch.setattr(workload, "build", build)
    await plans.start(desk, office, PlanRequest(DAY, DAY))
    assert seen == [(0, 0)]


@pytest.mark.parametrize("times", [1, 3, 9])
async def test_what_is_changed_while_a_problem_is_built_is_in_the_problem(
    company: Any, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """It is built anew, and at last while nobody can change anything."""
    desk, office, _ = company
    (order_id, *_) = await give(desk, office)
    genuine, built = selection.draft, []

    def draft(*given: Any) -> Any:
        built.append(threading.current_thread().name)
        if len(built) <= min(times, 3):
            change = OrderDraft(id=order_id, duration_min=len(built) * 10)
            asyncio.run_coroutine_threadsafe(orders.save(desk, office, [change]), loop).result(10)
        return genuine(*given)

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(selection, "draft", draft)
    await plans.start(desk, office, PlanRequest(DAY, DAY))
    problem = desk.planner.given[-1][0]
    (stop,) = [each for each in problem.stops if each.key == order_id]
    assert stop.service_s == min(times, 3) * 600
    assert len(built) == min(times, 3) + 1 and built[-1].startswith("journal") == (times >= 3)


async def test_of_two_plannings_that_begin_at_once_one_does(company: Any) -> None:
    desk, office, _ = company
    await give(desk, office)
    told = await asyncio.gather(
        *(plans.start(desk, office, PlanRequest(DAY, DAY)) for _ in range(4)), return_exceptions=True
    )
    refused = [each.code for each in told if isinstance(each, CannotPlan)]
    assert refused == ["ERR_OPT_RUNNING_FOR_DATE"] * 3 and len(desk.planner.given) == 1
