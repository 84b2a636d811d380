import itertools
from collections import Counter

import pytest
from msgspec.structs import replace

from simulator.day import day, recorded
from simulator.geography import metres_between
from simulator.scenario import Scenario, read
from simulator.steps import Expect, Restart, Send, Signal, Step, Wait, Who
from simulator.wire import Action, Actions, Attachment, Position, Positions, encode
from tests.simulator.days import DATE, LEAVES, QUIET, WHO, route, steps


def actions(whole: list[Step]) -> list[Action]:
    messages = [step.message for step in whole if isinstance(step, Send)]
    return [action for message in messages if isinstance(message, Actions) for action in message.actions]


def fixes(whole: list[Step]) -> list[Position]:
    messages = [step.message for step in whole if isinstance(step, Send)]
    return [fix for message in messages if isinstance(message, Positions) for fix in message.positions]


def test_the_same_seed_and_route_send_the_same_bytes():
    first, again, other = (
        [encode(step.message) for step in steps(who=Who("DRV001", DATE, seed)) if isinstance(step, Send)]
        for seed in (7, 7, 8)
    )
    assert first == again
    assert first != other


def test_a_day_goes_from_duty_over_the_stops_in_order_to_the_end_of_duty():
    done = [(action.action, action.orderId) for action in actions(steps(3, QUIET))]
    done = [entry for entry in done if entry[0] != "start_time_changed"]
    assert done == [
        ("on_duty", None),
        ("start_route", None),
        ("start_service", "order-1"),
        ("success", "order-1"),
        ("start_service", "order-2"),
        ("success", "order-2"),
        ("start_service", "order-3"),
        ("success", "order-3"),
        ("end_route", None),
        ("off_duty", None),
    ]


def test_time_only_goes_forward_and_messages_are_numbered():
    whole = steps()
    waits = [step.until for step in whole if isinstance(step, Wait)]
    assert waits == sorted(waits)
    assert [step.message.n for step in whole if isinstance(step, Send)] == list(
        range(sum(isinstance(s, Send) for s in whole))
    )
    stamps = [fix.at_ms for fix in fixes(whole)]
    assert len(stamps) == len(set(stamps)) and stamps == sorted(stamps)


def test_service_begins_at_the_place_and_not_before_the_window_opens():
    whole = steps(3, QUIET)
    begins = {action.orderId: action for action in actions(whole) if action.action == "start_service"}
    assert begins["order-1"].timestamp >= LEAVES + 1800
    for stop in route(3).stops:
        at = begins[stop.orderId].position
        assert at is not None and stop.latitude is not None and stop.longitude is not None
        assert metres_between((at.latitude, at.longitude), (stop.latitude, stop.longitude)) < 20.0


def test_the_place_of_an_action_is_a_fix_that_was_sent_too():
    whole = steps()
    sent = set(fixes(whole))
    assert all(action.position in sent for action in actions(whole) if action.position is not None)


def test_fixes_move_as_a_van_does():
    track = fixes(steps(8, QUIET))
    for before, after in itertools.pairwise(track):
        seconds = after.timestamp - before.timestamp
        metres = metres_between((before.latitude, before.longitude), (after.latitude, after.longitude))
        assert metres <= 22.5 * seconds + 1.0


def test_every_file_that_an_action_names_is_sent_and_the_last_before_duty_ends():
    whole = steps(12, read("proof = {signature = 1, photo = 1, most_photos = 2, later = 0.5, barcode_trouble = 0.5}"))
    order = [step.message for step in whole if isinstance(step, Send)]
    files = [message.id for message in order if isinstance(message, Attachment)]
    named = []
    for action in actions(whole):
        if action.form is not None:
            named += [action.form.signature] * bool(action.form.signature) + list(action.form.images)
            named += [image for scan in action.form.barcode for image in scan.scanInfo.images]
    assert Counter(files) == Counter(named) and len(files) > 20
    assert isinstance(order[-1], Actions)


@pytest.mark.parametrize(
    ("share", "outcome"), [("failed = 1, rejected = 0", "failed"), ("failed = 0, rejected = 1", "rejected")]
)
def test_outcomes_follow_the_scenario_and_give_a_reason(share: str, outcome: str):
    done = [
        action
        for action in actions(steps(5, read(f"outcome = {{{share}}}")))
        if action.orderId and action.action != "start_service"
    ]
    assert {action.action for action in done} == {outcome} and len(done) == 5
    assert all(action.form is not None and action.form.note for action in done)


def test_what_is_required_is_handed_in_whatever_chance_says():
    strict = route(4)
    rule = {"success": {"signature": "required", "images": "required", "note": "off", "barcode": "off"}}
    stops = tuple(replace(stop, requiredProof=rule) for stop in strict.stops)
    scenario = read(
        "proof = {signature = 0, photo = 0, most_photos = 0, note = 1}\noutcome = {failed = 0, rejected = 0}"
    )
    done = [a for a in actions(list(day(replace(strict, stops=stops), WHO, scenario))) if a.action == "success"]
    for action in done:
        assert action.form is not None
        assert action.form.signature and action.form.images and not action.form.note and not action.form.barcode


def test_it_says_what_to_expect_of_each_order():
    found: dict[str, str] = {}
    for step in steps(6):
        if isinstance(step, Expect):
            found[step.order_id] = step.status
    assert len(found) == 6
    assert set(found.values()) <= {"success", "failed", "rejected"}


def test_signal_goes_and_comes_back_and_the_app_is_restarted():
    whole = steps(12, read("network = {gaps_per_hour = 6}\napp = {restarts_per_day = 60}"))
    signals = [step.up for step in whole if isinstance(step, Signal)]
    assert False in signals and signals[-1] is True
    assert all(before != after for before, after in itertools.pairwise(signals[:-1]))
    assert any(isinstance(step, Restart) for step in whole)


def test_a_phone_whose_clock_is_off_stamps_everything_by_it():
    plain, ahead = (fixes(steps(2, read(f"clock = {{offset_s = [{offset}, {offset}]}}"))) for offset in (0, 120))
    assert [round(fix.timestamp + 120, 3) for fix in plain] == [fix.timestamp for fix in ahead]


def test_dropouts_leave_gaps_in_the_track():
    def longest(whole: list[Step]) -> float:
        stamps = [fix.timestamp for fix in fixes(whole)]
        return max(after - before for before, after in itertools.pairwise(stamps))

    assert longest(steps(8, read("gps = {dropouts_per_hour = 20, dropout_s = [200, 300]}"))) > 150
    assert longest(steps(8, QUIET)) < 40


def test_a_recorded_track_is_sent_as_it_is():
    track = [Position(1654273879.155 + 7 * i, 37.7693169 + 1e-13 * i, -122.5102416, speed=-0.19) for i in range(20)]
    whole = list(recorded(track, WHO, Scenario()))
    assert fixes(whole) == track
    assert [action.action for action in actions(whole)] == ["on_duty", "off_duty"]


def test_a_changed_route_is_driven_on_from_where_the_van_is():
    planned = route(6)
    gone, moved = planned.stops[3], replace(planned.stops[5], stopNumber=4)
    changed = replace(planned, stops=(*planned.stops[:3], moved, planned.stops[4]))

    def orders(given) -> list[str]:
        whole = list(day(planned, WHO, QUIET, given))
        return [str(action.orderId) for action in actions(whole) if action.action == "success"]

    assert orders(lambda _look: None) == [str(stop.orderId) for stop in planned.stops]
    assert orders({5: changed}.get) == ["order-1", "order-2", "order-3", "order-6", "order-5"]
    cancelled = replace(planned, stops=(*planned.stops[:3], replace(gone, status="cancelled"), *planned.stops[4:]))
    assert orders({5: cancelled}.get) == ["order-1", "order-2", "order-3", "order-5", "order-6"]
    whole = list(day(planned, WHO, QUIET, {5: changed}.get))
    fast = max(fix.speed or 0 for fix in fixes(whole))
    assert fast <= QUIET.traffic.fastest_mps + 1
    statuses = [(step.order_id, step.status) for step in whole if isinstance(step, Expect)]
    assert ("order-6", "on_route") in statuses and ("order-4", "success") not in statuses


def test_a_stop_that_is_taken_away_on_the_way_to_it_is_not_served():
    planned = route(4)
    without = replace(planned, stops=(planned.stops[0], *planned.stops[2:]))
    whole = list(day(planned, WHO, QUIET, {4: without}.get))
    told = [(action.action, action.orderId) for action in actions(whole) if action.orderId]
    assert "order-2" not in {order for _, order in told} and ("success", "order-3") in told
