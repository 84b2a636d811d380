"""What an office changes of a day, by its scenario and by how many processes drive it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from simulator.account import SetupFailed
from simulator.changes import Replanned, Replanning
from simulator.clock import SimClock
from simulator.endings import endings
from simulator.histogram import Measures
from simulator.office import Office, ended, settle
from simulator.scenario import read
from simulator.steps import Expect
from simulator.truth import Phone, Run, Truth
from simulator.wire import Action, Actions, Route, iso
from tests.simulator.days import DATE, LEAVES, route


class Account:
    """As much of it as an office uses."""

    def __init__(self) -> None:
        self.called: list[str] = []
        self.down = False

    async def routes(self, date: str) -> list[Route]:
        stops = tuple(replace(stop, scheduledAt=iso(LEAVES + 3600)) for stop in route(8).stops)
        return [replace(route(8), stops=stops)]

    async def cancel(self, order_id: str) -> None:
        self.called.append("cancel")
        if self.down:
            raise SetupFailed("nobody there")

    async def plan(self, date: str, **how: str) -> None:
        self.called.append("plan")
        if self.down:
            raise SetupFailed("nobody there")

    async def send(self, date: str) -> None:
        self.called.append("send")


async def changes(cancelled: float, parts: int) -> list[str]:
    """What an office calls that changes a day twelve times."""
    truth = Truth.begin(Run("http://x", DATE, 7, "http", "", None, 8), None)
    truth.paired(Phone("D1", "DRV001", "DRV001", "token", route(8)))
    scenario = read(f"office = {{changes_per_day = 12, cancelled = {cancelled}, moved = 0}}")
    account: Any = Account()
    office = Office(account, truth, scenario, SimClock(LEAVES + 1e6, 1.0), Measures())
    await office.run(LEAVES, parts)
    return list(account.called)


@pytest.mark.parametrize(("parts", "least", "most"), [(1, 12, 13), (4, 3, 4)])
async def test_the_parts_of_a_fleet_share_its_changes(parts: int, least: int, most: int):
    called = await changes(1.0, parts)
    assert least <= len(called) <= most and set(called) == {"cancel"}


async def test_an_office_that_cancels_nothing_changes_nothing_where_others_drive_too():
    assert set(await changes(0.0, 1)) == {"plan", "send"}
    assert await changes(0.0, 2) == []


def test_a_driver_who_sees_late_that_an_order_went_to_another_takes_no_ending_back(tmp_path: Path):
    truth = Truth.begin(Run("http://x", DATE, 7, "http", "", None, 8), tmp_path / "state.jsonl")
    slow = truth.paired(Phone("D1", "DRV001", "DRV001", "token", route(8)))
    quick = truth.paired(Phone("D2", "DRV002", "DRV002", "token", route(8)))
    order = str(route(8).stops[0].orderId)
    for diary, id, action in ((slow, "a", "start_route"), (quick, "b", "success")):
        message = Actions(0, (Action(id, action, LEAVES, order),))
        diary.done(message)
        truth.sent(diary, message, LEAVES)
        truth.acknowledge(diary, message, {})
    slow.expectations += [Expect(order, "on_route", "a", LEAVES), Expect(order, "scheduled", "a", LEAVES + 900)]
    quick.expectations.append(Expect(order, "success", "b", LEAVES + 300))
    truth.change(Replanned((order,), (order,), {order: ""}))
    assert endings(truth).statuses[order] == "success"
    truth.close()
    assert Truth.read(tmp_path / "state.jsonl").changes.moved == {order}


async def test_what_was_not_answered_is_asked_for_again_when_the_run_goes_on():
    truth = Truth.begin(Run("http://x", DATE, 7, "http", "", None, 8), None)
    truth.paired(Phone("D1", "DRV001", "DRV001", "token", route(8)))
    account: Any = Account()
    clock = SimClock(LEAVES + 1e6, 1.0)
    once = read("office = {changes_per_day = 1, cancelled = 1, moved = 0}")
    account.down = True
    await Office(account, truth, once, clock, measures := Measures()).run(LEAVES)
    (order, cancel), *others = truth.changes.cancels.items()
    assert measures.injected["office could not"] == 1 and not cancel.answered and not others
    assert endings(truth).also[order] == {"scheduled", "on_route", "unscheduled"}
    account.down = False
    truth.change(Replanning({order: "D2"}))
    await Office(account, truth, read("office = {changes_per_day = 0}"), clock, measures).run(LEAVES)
    assert account.called == ["cancel", "cancel", "plan", "send"] and truth.changes.cancels[order].answered
    assert order in truth.changes.moved and truth.changes.holders is None
    truth.change(Replanning({order: "D2"}))
    account.down = True
    await Office(account, truth, read("office = {changes_per_day = 1, cancelled = 0, moved = 0}"), clock, measures).run(
        LEAVES
    )
    assert truth.changes.holders is not None, "what was not answered is looked up by the next who asks, and at the end"
    await settle(account, truth)
    assert truth.changes.holders is None and truth.changes.planned[order] == {LEAVES + 3600}


async def test_an_office_that_broke_is_told_and_one_that_was_stopped_is_not():
    async def broken() -> None:
        raise KeyError("items")

    task = asyncio.create_task(broken())
    await asyncio.wait({task})
    assert await ended(task) == ["the office ended early: KeyError: 'items'"]
    assert await ended(asyncio.create_task(asyncio.sleep(100))) == []
