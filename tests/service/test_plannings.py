"""Plannings as jobs: what may begin, what goes on while one begins, and how each ends."""

import asyncio
import itertools
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import text

from backend.domain.accounts import Office
from backend.domain.drafts import LocationDraft, OrderDraft
from backend.domain.errors import Refusal
from backend.domain.plans import CannotPlan, PlanRequest
from backend.service import leases, orders, plans, selection, workload
from tests.service.conftest import Store
from tests.service.planned import DAY, Job, give, opened


@pytest.fixture
async def company(store: Store) -> tuple[Any, Office, list[str]]:
    """A desk, its office, and two drivers."""
    return await opened(store)


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
    looks = itertools.count(step=leases.SILENT_S / 5)
    monkeypatch.setattr(leases, "time", SimpleNamespace(monotonic=lambda: next(looks)))
    watching = asyncio.create_task(leases.keep_watch(desk))
    async with asyncio.timeout(60):
        while (await plans.status(desk, office, job_id)).status != "E":
            await asyncio.sleep(0.02)
    watching.cancel()
    await plans.start(desk, office, PlanRequest(DAY, DAY))  # the date is free


@pytest.mark.parametrize("engine", ["sqlite"])  # on PostgreSQL another may be planning them: see test_leases
async def test_jobs_of_a_dead_process_have_failed(company) -> None:
    desk, office, _ = company
    await give(desk, office)
    job_id = await plans.start(desk, office, PlanRequest(DAY, DAY))
    await leases.recover(desk)
    progress = await plans.status(desk, office, job_id)
    assert progress.status == "E" and progress.reason


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
            asyncio.run_coroutine_threadsafe(orders.save(desk, office, [change]), loop).result(60)
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
