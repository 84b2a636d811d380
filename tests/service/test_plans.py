"""Plans between their start and their saving: what the planner found, and what changed in the meantime."""

import time
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection

from backend.domain.accounts import Office
from backend.domain.drafts import DriverName, OrderDraft, OrderName
from backend.domain.errors import Refusal
from backend.domain.orders import Status
from backend.domain.plans import CannotPlan, PlanRequest
from backend.service import days, listing, orders, plans, removal, selection, shifts
from backend.store import fleet, jobs
from backend.store.postgresql import connect
from backend.store.postgresql import engine as postgresql_engine
from tests.service.conftest import Store
from tests.service.planned import DAY, DAY_S, give, opened, plan, statuses, stops, word


@pytest.fixture
async def company(store: Store) -> tuple[Any, Office, list[str]]:
    """A desk, its office, and two drivers."""
    return await opened(store)


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


@pytest.mark.parametrize("engine", ["postgresql"])  # on SQLite commits wait for reads: none may be long
async def test_a_day_whose_orders_take_long_to_be_read_is_planned(company, monkeypatch: pytest.MonkeyPatch) -> None:
    desk, office, _ = company
    await give(desk, office)
    now_s = 1_000.0
    for module in (connect, postgresql_engine):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now_s, time=time.time, sleep=time.sleep))

    def slowly(conn: Connection, *given: Any) -> selection.Ground:
        nonlocal now_s
        now_s += connect.READ_S * 1.5
        return survey(conn, *given)

    survey = selection.survey
    monkeypatch.setattr(selection, "survey", slowly)
    await plans.start(desk, office, PlanRequest(DAY, DAY))
    assert len(desk.planner.given[-1][0].stops) == 3


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
