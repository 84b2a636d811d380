"""What is known of orders that several drivers ended, that the office changed, or whose driver was not heard out."""

import asyncio
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from rich.console import Console

from simulator.changes import Cancelled, Cancelling, Replanned, Replanning, replanned
from simulator.drawing import draw
from simulator.endings import endings
from simulator.gallery import pages
from simulator.steps import Expect, Send
from simulator.tally import Statuses, Verdict
from simulator.truth import ACKNOWLEDGED, SENT, Before, Diary, Phone, Run, Truth
from simulator.verify import compare_statuses, verify
from simulator.wire import Action, Actions, Form, Position
from tests.simulator.days import DATE, LEAVES, route, steps
from tests.simulator.test_verify import stored, told

ORDER = "order-3"
DONE_AT = LEAVES + 3600


def fleet(*drivers: str) -> Truth:
    """A quiet start: each of the drivers has the same route, and did nothing."""
    truth = Truth.begin(Run("http://x", DATE, 7, "http", "", None, 8), None)
    for driver in drivers:
        truth.paired(Phone(driver, f"DRV-{driver}", f"DRV-{driver}", "token", route(8)))
    return truth


def ends(
    truth: Truth, driver: str, at: float, off_s: float = 0.0, answered: bool = True, status: str = "success"
) -> str:
    """A driver ends the order, by a clock that is so far ahead; the action's id."""
    diary = truth.diaries[driver]
    message = Actions(len(diary.doings), (Action(f"{driver}-{at}", status, at + off_s, ORDER),))
    diary.done(message)
    truth.sent(diary, message, at)
    if answered:
        truth.acknowledge(diary, message, {})
    diary.expectations.append(Expect(ORDER, status, message.actions[0].id, at))
    return message.actions[0].id


def accepted(truth: Truth, status: str, order: str = ORDER) -> bool:
    """Whether a server may say so."""
    known = endings(truth)
    compare_statuses({order: known.statuses[order]}, {order: {"status": status}}, found := Statuses(), known.also)
    return not found.wrong


def test_of_two_drivers_who_ended_an_order_the_one_counts_whose_clock_shows_more():
    truth = fleet("A", "B")
    early = ends(truth, "A", DONE_AT, off_s=600, status="failed")
    late = ends(truth, "B", DONE_AT + 300)
    assert endings(truth).statuses[ORDER] == "failed"
    assert endings(truth).overtaken == {late} and early not in endings(truth).overtaken
    assert accepted(truth, "failed") and not accepted(truth, "success")


def test_who_begins_at_an_order_that_another_has_ended_opens_it_no_more():
    truth = fleet("A", "B")
    ends(truth, "A", DONE_AT)
    ends(truth, "B", DONE_AT + 60, status="servicing")
    assert accepted(truth, "success") and not accepted(truth, "servicing")


def test_what_was_never_answered_may_hold_or_not():
    truth = fleet("A")
    ends(truth, "A", DONE_AT, answered=False)
    assert accepted(truth, "success") and accepted(truth, "scheduled") and not accepted(truth, "failed")
    assert not accepted(truth, "success", order="order-4")


def test_a_cancellation_that_was_not_answered_may_hold_or_not_and_concerns_no_other_status():
    truth = fleet("A")
    truth.change(Cancelling(ORDER, None, ("order-3", "order-4")))
    assert accepted(truth, "cancelled") and accepted(truth, "scheduled") and not accepted(truth, "success")
    assert accepted(truth, "on_route", order="order-4") and not accepted(truth, "cancelled", order="order-4")
    assert not accepted(truth, "on_route", order="order-5")
    truth.change(Cancelled(ORDER, None))
    assert accepted(truth, "cancelled") and not accepted(truth, "scheduled")


@pytest.mark.parametrize(
    ("done_s", "off_s", "may"),
    [
        (-60, 0, {"cancelled"}),
        (90, 0, {"success"}),
        (15, 0, {"success", "cancelled"}),
        (-60, 200, {"success", "cancelled"}),
        (90, -200, {"cancelled"}),
    ],
)
def test_a_cancellation_and_an_ending_count_by_their_own_times(done_s: float, off_s: float, may: set[str]):
    truth = fleet("A")
    ends(truth, "A", DONE_AT + done_s, off_s)
    truth.change(Cancelling(ORDER, DONE_AT))
    truth.change(Cancelled(ORDER, DONE_AT + 30))
    assert {status for status in ("success", "cancelled", "scheduled") if accepted(truth, status)} == may


def test_a_planning_makes_doubtful_only_what_is_on_routes_that_it_changed():
    first, second = route(8), replace(route(4), id="R2", driverId="D2")
    second = replace(second, stops=tuple(replace(stop, orderId=f"other-{stop.orderId}") for stop in second.stops))
    third = replace(second, id="R3", driverId="D3", stops=(replace(second.stops[0], orderId="third"),))
    before = {str(stop.orderId): each.driverId for each in (first, second, third) for stop in each.stops}
    taken = replace(second, stops=(*second.stops, first.stops[-1]))
    change = replanned(before, [replace(first, stops=first.stops[:-1]), taken, third])
    assert change.moved == ("order-8",)
    assert set(change.concerned) == before.keys() - {"third"} and set(change.planned) == before.keys()
    truth = fleet("A")
    truth.change(Replanning(before))
    assert truth.changes.holders == before
    truth.change(Replanned(("order-8",), ("order-7", "order-8"), {}))
    assert truth.changes.holders is None
    assert accepted(truth, "unscheduled", order="order-7") and not accepted(truth, "unscheduled", order="order-6")
    assert not accepted(truth, "success", order="order-7")


def test_what_the_office_changed_is_known_again_after_the_simulator_was_killed(tmp_path: Path):
    truth = Truth.begin(Run("http://x", DATE, 7, "http", "", None, 8), tmp_path / "state.jsonl")
    truth.paired(Phone("A", "A", "A", "token", route(8)))
    truth.change(Cancelling("order-5", None, ("order-6",)))
    truth.change(Cancelled("order-5", None))
    truth.change(Cancelling("order-7", None))
    truth.change(Replanned(("order-8",), ("order-8",), {"order-8": "2026-03-02T09:00:00Z"}))
    truth.change(Replanning({"order-8": "D1"}))
    truth.close()
    known = Truth.read(tmp_path / "state.jsonl").changes
    assert {order: cancel.answered for order, cancel in known.cancels.items()} == {"order-5": True, "order-7": False}
    assert known.moved == {"order-8"} and known.concerned == {"order-5", "order-6", "order-7", "order-8"}
    assert known.planned == {"order-8": {LEAVES + 7200}} and known.holders == {"order-8": "D1"}


def test_wherever_a_run_was_broken_off_the_same_is_expected_of_it():
    whole = steps(4)
    numbers = [n for n, step in enumerate(whole) if isinstance(step, Send)]
    told = [place for place, n in enumerate(numbers) if isinstance(whole[min(n + 1, len(whole) - 1)], Expect)]
    assert len(told) > 5
    for broken in sorted({*told, *range(0, len(numbers), 20)}):
        driven, recalled = (Diary(Phone("D1", "DRV001", "D", "t", route(4)), fleet().run) for _ in range(2))
        for step in [step for step in whole[: numbers[broken] + 1] if isinstance(step, Send)]:
            driven.known(step.message.n, SENT | ACKNOWLEDGED)
            recalled.known(step.message.n, SENT | ACKNOWLEDGED)
        last = next(n for n in range(numbers[broken] + 1, len(whole) + 1) if not isinstance(whole[n], Expect))
        for step in whole[:last]:
            if isinstance(step, Send):
                driven.done(step.message)
            elif isinstance(step, Expect):
                driven.expectations.append(step)
        recalled.recall()
        assert recalled.statuses() == driven.statuses(), whole[numbers[broken]]


class Faithful:
    """A server without fault, as far as a verification asks it; an order's proof is the last driver's who ended it."""

    def __init__(self, truth: Truth) -> None:
        self._diaries = truth.diaries
        self._files: dict[str, bytes] = {}

    async def track(self, driver: str, begin: str, end: str) -> list[Position]:
        return stored(self._diaries[driver])

    async def events(self) -> list[dict[str, Any]]:
        named = {driver: diary.phone.named for driver, diary in self._diaries.items()}
        return [
            event | {"driverExternalId": named[driver]}
            for driver, diary in self._diaries.items()
            for event in told(diary)
        ]

    async def completions(self, orders: Any) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        begun: dict[str, dict[str, Any]] = {}
        for diary in self._diaries.values():
            files = diary.attachments()
            for action, _ in diary.actions():
                ended = found.get(str(action.orderId), {}).get("endTime", {}).get("unixTimestamp", 0)
                if action.action == "start_service":
                    begun[str(action.orderId)] = {"startTime": {"unixTimestamp": int(action.timestamp)}}
                if action.action in ("success", "failed", "rejected") and action.timestamp > ended:
                    details = {"status": action.action, "endTime": {"unixTimestamp": action.timestamp}}
                    details |= begun.get(str(action.orderId), {})
                    found[str(action.orderId)] = details | {"form": self._form(action.form or Form(), files)}
        return found

    def _form(self, form: Form, files: Any) -> dict[str, Any]:
        def shown(name: str) -> dict[str, str]:
            self._files[name] = draw(files[name][0].drawing)
            return {"type": "image/x", "url": name}

        def scans(given: Any) -> list[dict[str, Any]]:
            told = [(each.barcode, each.scanInfo) for each in given]
            kinds = ("status", "scanned", "type")
            return [
                {
                    "barcode": barcode,
                    "scanInfo": {kind: getattr(scan, kind) for kind in kinds}
                    | {"images": list(map(shown, scan.images))},
                }
                for barcode, scan in told
            ]

        made: dict[str, Any] = {"note": form.note, "images": list(map(shown, form.images))}
        made |= {"signature": shown(form.signature)} if form.signature else {}
        return made | {"barcode": scans(form.barcode), "barcode_collections": scans(form.barcode_collections)}

    async def download(self, url: str) -> tuple[int, str, bytes]:
        return 200, "image/x", self._files[url]


PROVED = "proof = {photo = 1, signature = 1}\n"


def delivered(*drivers: str, scenario: str = PROVED) -> Truth:
    """Each of them drove the same route to its end, with photos and signatures, and all was acknowledged."""
    truth = Truth.begin(Run("http://x", DATE, 7, "http", scenario, None, 8), None)
    for key in drivers:
        diary = truth.paired(Phone(key, key, key, "token", route(8)))
        for step in diary.steps():
            if isinstance(step, Send):
                diary.known(step.message.n, SENT | ACKNOWLEDGED)
        diary.recall()
    return truth


async def compared(account: Any, truth: Truth) -> Verdict:
    async with asyncio.timeout(30):
        return await verify(account, truth, Console(file=io.StringIO()))


async def test_of_an_order_that_two_drivers_ended_the_later_proof_is_compared_and_the_other_withheld():
    """Their files were told as wrong: the first driver's were looked for where the second's are shown."""
    truth = delivered("DRV001", "DRV002")
    verdict = await compared(Faithful(truth), truth)
    assert verdict.clean, (verdict.actions.examples, verdict.attachments.examples, verdict.statuses.examples)
    files = verdict.attachments
    assert files.stored + files.withheld == files.acknowledged and files.withheld > 5
    assert len(endings(truth).overtaken) == 8


@pytest.mark.parametrize(
    ("was", "done", "status", "also", "mine"),
    [
        (Before("failed", DONE_AT + 60), "success", "failed", (), False),
        (Before("failed", DONE_AT - 60), "success", "success", (), True),
        (Before("failed", DONE_AT), "success", "success", ("failed",), False),
        (Before("success", DONE_AT), "success", "success", (), True),  # the same day once more
        (Before("rejected"), "success", "success", ("rejected",), False),
        (Before("success", DONE_AT), None, "success", (), False),
        (Before("servicing"), None, "scheduled", ("servicing",), False),
        (Before("cancelled"), None, "cancelled", (), False),
        (Before("cancelled"), "success", "cancelled", ("success",), False),
    ],
)
def test_an_order_that_was_not_open_before_the_run_is_as_the_later_says(
    was: Before, done: str | None, status: str, also: tuple[str, ...], mine: bool
):
    truth = fleet("A")
    truth.run = replace(truth.run, before={ORDER: was})
    action = ends(truth, "A", DONE_AT + 0.4, status=done) if done else ""
    known = endings(truth)
    assert (known.statuses[ORDER], known.also.get(ORDER, frozenset())) == (status, frozenset(also))
    assert not done or (action not in known.overtaken) == mine
    assert {*also, status, was.status} <= pages(truth)[ORDER].had


class Twisted(Faithful):
    """Faithful but for what ``twist`` makes of the completion details, so many times from the first on."""

    def __init__(self, truth: Truth, twist: Callable[[dict[str, dict[str, Any]]], None], times: int = 9) -> None:
        super().__init__(truth)
        self._twist, self._left = twist, times

    async def completions(self, orders: Any) -> dict[str, dict[str, Any]]:
        found = await super().completions(orders)
        if self._left:
            self._left -= 1
            self._twist(found)
        return found


def forms(found: dict[str, dict[str, Any]], *names: str) -> list[dict[str, Any]]:
    """The forms that have all of these."""
    return [each["form"] for each in found.values() if all(each["form"].get(name) for name in names)]


def another_start(found: dict[str, dict[str, Any]]) -> None:
    next(each for each in found.values() if "startTime" in each)["startTime"] = {"unixTimestamp": 5}


def no_start(found: dict[str, dict[str, Any]]) -> None:
    del next(each for each in found.values() if "startTime" in each)["startTime"]


def files_in_the_wrong_place(found: dict[str, dict[str, Any]]) -> None:
    form = forms(found, "signature", "images")[0]
    form["signature"], form["images"][0] = form["images"][0], form["signature"]


def a_photo_of_somebody_else(found: dict[str, dict[str, Any]]) -> None:
    other, without = forms(found, "images")[0], next(each for each in found.values() if each["status"] == "rejected")
    without["form"]["images"] = other["images"][:1]


def a_note_of_nobody(found: dict[str, dict[str, Any]]) -> None:
    next(each for each in found.values() if each["form"]["note"] is None)["form"]["note"] = "hello"


def no_reason_for_a_rejection(found: dict[str, dict[str, Any]]) -> None:
    next(each for each in found.values() if each["status"] == "rejected")["form"]["note"] = None


@pytest.mark.parametrize(
    ("twist", "actions", "files"),
    [
        (another_start, 1, 0),
        (no_start, 1, 0),
        (files_in_the_wrong_place, 0, 2),
        (a_photo_of_somebody_else, 0, 1),
        (a_note_of_nobody, 1, 0),
        (no_reason_for_a_rejection, 1, 0),
    ],
)
async def test_what_an_order_shows_that_its_driver_did_not_hand_in_so_is_named(
    twist: Callable[[dict[str, dict[str, Any]]], None], actions: int, files: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("simulator.verify.LATE_S", 0.0)
    truth = delivered("DRV001", scenario=PROVED + "outcome = {rejected = 0.4}")
    verdict = await compared(Twisted(truth, twist), truth)
    assert (verdict.actions.wrong, verdict.attachments.wrong) == (actions, files), verdict
    assert not verdict.clean and verdict.actions.lost == verdict.attachments.lost == 0


async def test_what_was_wrong_when_it_was_asked_for_and_right_a_moment_later_was_late(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("simulator.verify.LATE_S", 0.0)
    truth = delivered("DRV001")
    verdict = await compared(Twisted(truth, another_start, times=1), truth)
    assert (verdict.actions.wrong, verdict.actions.late) == (0, 1) and not verdict.clean
    assert "wrong at first: order " in verdict.actions.examples["late"][0]
