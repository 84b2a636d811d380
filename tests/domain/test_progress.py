"""What orders, routes and drivers are, from what is said of them in whatever order."""

import itertools
import uuid

import pytest

from backend.domain.errors import Refusal
from backend.domain.events import (
    Action,
    EndRoute,
    Failed,
    Form,
    Kind,
    OffDuty,
    OnDuty,
    Scan,
    ScanInfo,
    StartRoute,
    StartService,
    StatusSet,
    Success,
)
from backend.domain.orders import Status
from backend.domain.positions import Position
from backend.domain.progress import (
    OrderState,
    SoFar,
    decide,
    fold_duty,
    fold_order,
    fold_route,
    out_of_order,
    shown_status,
)

NOW_MS = 1_700_000_000_000
ID = "018f6f0e-0000-7000-8000-000000000001"


def action(kind: Kind, at_ms: int = NOW_MS, **more) -> Action:
    return Action(id=ID, action=kind, timestamp=at_ms / 1000, **more)


def start(at_ms: int, order_id: str = "o1", name: str = "s") -> StartService:
    return StartService(id=name, at_ms=at_ms, driver_id="d", order_id=order_id)


def success(at_ms: int, order_id: str = "o1", name: str = "y", note: str | None = None) -> Success:
    return Success(id=name, at_ms=at_ms, driver_id="d", order_id=order_id, form=note and Form(note=note))


def failed(at_ms: int, order_id: str = "o1", name: str = "n") -> Failed:
    return Failed(id=name, at_ms=at_ms, driver_id="d", order_id=order_id)


def says(status: Status, at_ms: int, name: str = "office", **more) -> StatusSet:
    return StatusSet(id=name, at_ms=at_ms, order_id="o1", status=status, **more)


def test_an_order_of_which_nothing_is_said_has_no_status_of_its_own():
    assert fold_order([]) == OrderState()


def test_every_order_of_arrival_folds_to_the_same_state():
    facts = [start(1), failed(2), success(3, note="second try"), start(4, name="late"), success(3, name="a")]
    states = {fold_order(order) for order in itertools.permutations(facts)}
    assert states == {
        OrderState(status=Status.SUCCESS, started_ms=1, finished_ms=3, form=Form(note="second try"), form_of="d")
    }


def test_the_latest_of_several_endings_by_its_own_time_is_the_state():
    assert fold_order([failed(20), success(10)]).status is Status.FAILED
    assert fold_order([success(10), failed(20)]).status is Status.FAILED


def test_of_two_endings_at_one_moment_the_greater_id_is_the_state():
    assert fold_order([failed(10, name="b"), success(10, name="a")]).status is Status.FAILED


def test_success_without_start_of_service_is_fine():
    assert fold_order([success(10)]) == OrderState(status=Status.SUCCESS, finished_ms=10)


def test_a_service_that_begins_after_the_ending_changes_nothing():
    assert fold_order([success(10), start(11)]) == fold_order([success(10)])


def test_the_same_fact_twice_counts_once():
    assert fold_order([success(10), success(10)]) == fold_order([success(10)])


def test_the_office_cancels_and_a_later_ending_of_the_driver_overrules_it():
    assert fold_order([says(Status.CANCELLED, 10)]).status is Status.CANCELLED
    assert fold_order([success(5), says(Status.CANCELLED, 10)]).status is Status.CANCELLED
    assert fold_order([success(15), says(Status.CANCELLED, 10)]).status is Status.SUCCESS


def test_the_office_opens_an_ended_order_again_and_it_can_be_served_again():
    facts = [success(5, note="x"), says(Status.SCHEDULED, 10)]
    assert fold_order(facts) == OrderState(status=Status.SCHEDULED)
    assert fold_order([*facts, start(11)]).status is Status.SERVICING


def test_an_order_that_the_office_calls_scheduled_while_a_plan_has_it_is_what_the_plan_has():
    assert fold_order([success(5, note="x"), says(Status.SCHEDULED, 10, on_plan=True)]) == OrderState()


def test_the_office_sets_the_times_of_an_ending_and_the_proof_stays():
    facts = [start(1), success(5, note="x"), says(Status.FAILED, 10, start_ms=2, end_ms=4)]
    assert fold_order(facts) == OrderState(
        status=Status.FAILED, started_ms=2, finished_ms=4, form=Form(note="x"), form_of="d"
    )


STOPS = [("o1", None), ("o2", None), ("o3", None)]
BEGIN = StartRoute(id="b", at_ms=10, driver_id="d", route_id="r")
END = EndRoute(id="e", at_ms=20, driver_id="d", route_id="r")


def test_before_the_route_starts_nobody_is_on_the_way():
    assert fold_route([], STOPS).on_route is None


def test_from_the_start_of_the_route_the_first_open_stop_is_on_route():
    assert fold_route([BEGIN], STOPS).on_route == "o1"
    assert fold_route([BEGIN], [("o1", Status.FAILED), *STOPS[1:]]).on_route == "o2"


def test_from_the_first_ending_the_next_stop_is_on_route_without_a_start_of_the_route():
    assert fold_route([], [("o1", Status.SUCCESS), *STOPS[1:]]).on_route == "o2"


def test_nobody_is_on_the_way_to_a_stop_that_the_office_called_unscheduled():
    assert fold_route([BEGIN], [("o1", Status.UNSCHEDULED), *STOPS[1:]]).on_route == "o2"


def test_a_route_stays_under_way_when_the_office_changes_what_the_driver_ended():
    assert fold_route([], [("o1", Status.CANCELLED), *STOPS[1:]], driven=True).on_route == "o2"
    assert fold_route([], STOPS, driven=True).on_route == "o1"


def test_a_stop_that_the_office_cancelled_before_the_day_does_not_start_the_route():
    assert fold_route([], [("o1", Status.CANCELLED), *STOPS[1:]]).on_route is None


def test_after_the_end_of_the_route_nobody_is_on_the_way_until_it_starts_again():
    assert fold_route([END, BEGIN], STOPS).on_route is None
    again = StartRoute(id="c", at_ms=30, driver_id="d", route_id="r")
    assert fold_route([again, END, BEGIN], STOPS).on_route == "o1"


def test_a_stop_being_serviced_is_servicing_and_the_one_after_it_is_not_yet_on_route():
    stops = [("o1", Status.SERVICING), *STOPS[1:]]
    route = fold_route([BEGIN], stops)
    shown = [shown_status(own, order_id, route, Status.SCHEDULED) for order_id, own in stops]
    assert shown == [Status.SERVICING, Status.SCHEDULED, Status.SCHEDULED]


def test_a_stop_done_while_one_before_it_is_open_is_out_of_order_whenever_that_one_is_heard_of():
    facts = [success(10, "o2", "two"), success(20, "o1", "one"), success(30, "o3", "three")]
    for arrival in itertools.permutations(facts):
        assert out_of_order(["o1", "o2", "o3"], arrival) == {"two"}
    in_order = [success(5, "o1", "one"), *facts[:1], *facts[2:]]
    assert not out_of_order(["o1", "o2", "o3"], in_order)


def test_duty_is_the_latest_word_on_it():
    on, off = OnDuty(id="a", at_ms=1, driver_id="d"), OffDuty(id="b", at_ms=2, driver_id="d")
    assert fold_duty([]) is False
    assert fold_duty([off, on]) is False
    assert fold_duty([on]) is True


@pytest.mark.parametrize("kind", list(Kind))
def test_every_action_becomes_a_fact_of_its_own_time(kind: Kind):
    so_far = SoFar(driver_id="d", order_id="o1", route_id="r")
    asked = action(kind, NOW_MS - 1250, order_no="ORD1", planned_start_time=NOW_MS / 1000)
    fact = decide(so_far, asked, NOW_MS)
    assert (fact.__struct_config__.tag, fact.id, fact.at_ms, fact.driver_id) == (kind, ID, NOW_MS - 1250, "d")


def scan(number: int) -> Scan:
    return Scan(info=ScanInfo(status="unscannable", images=(str(uuid.UUID(int=number)),)))


def refused(so_far: SoFar, asked: Action) -> str:
    with pytest.raises(Refusal) as refusal:
        decide(so_far, asked, NOW_MS)
    return refusal.value.code


def test_what_does_not_fit_is_refused_by_name():
    mine = SoFar(driver_id="d", order_id="o1")
    nobodys = SoFar(driver_id="d")
    assert refused(nobodys, action(Kind.SUCCESS, order_no="ORD1")) == "ERR_ORDER_NOT_FOUND"
    assert refused(nobodys, action(Kind.SUCCESS)) == "ERR_ACTION_INVALID"
    many = Form(images=("018f6f0e-0000-7000-8000-000000000001",), barcode=tuple(scan(n) for n in range(100)))
    assert refused(mine, action(Kind.SUCCESS, order_id="o1", form=many)) == "ERR_ACTION_INVALID"
    assert refused(mine, action(Kind.START_TIME_CHANGED)) == "ERR_ACTION_INVALID"
    assert refused(mine, action(Kind.SUCCESS, NOW_MS + 301_000, order_id="o1")) == "ERR_TIMESTAMP_FUTURE"
    assert decide(mine, action(Kind.SUCCESS, NOW_MS + 299_000, order_id="o1"), NOW_MS).at_ms == NOW_MS + 299_000


def test_a_phone_says_unknown_with_a_negative_number():
    there = Position(timestamp=NOW_MS / 1000, latitude=45, longitude=16, speed=-1, heading=-1, accuracy=5)
    fact = decide(SoFar(driver_id="d"), action(Kind.ON_DUTY, position=there), NOW_MS)
    assert fact.position == Position(timestamp=NOW_MS / 1000, latitude=45, longitude=16, accuracy=5)
