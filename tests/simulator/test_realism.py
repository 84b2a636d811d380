"""What a day of a van, a phone and a driver is like, clause by clause: each knob of a scenario does what it says."""

import itertools
import random
from collections import Counter
from math import hypot, log, radians
from statistics import correlation, median, pstdev
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from simulator.chance import percentile
from simulator.crew import has_second
from simulator.day import day
from simulator.driving import Motion
from simulator.geography import EARTH_M, bearing, metres_between
from simulator.handset import Handset, battery_of, clock_of, handsets
from simulator.receiver import TALL_CELL_M, Receiver
from simulator.scenario import Gps, Scenario, load, read
from simulator.steps import Restart, Send, Step, Wait, Who
from simulator.trouble import without_signal
from simulator.wire import Action, Actions, Position, Positions, unix
from tests.simulator.days import DATE, LEAVES, QUIET, WHO, route, steps

FLEET = [Who(f"DRV{number:03}", DATE, 7) for number in range(1, 41)]
NEUTRAL = {
    "accuracy_m", "correlation_s", "dropout_s", "period_s", "standing_period_s", "batch", "gap_s", "wrong_s",
    "failure_reasons", "rejection_reasons", "most_photos", "median", "least_s", "early_s", "late_s", "break_s",
    "on_duty_s", "departure_s", "pace", "halt_s", "slowing_mps", "fastest_mps", "restart_s", "lasts_h", "charging_s",
    "offset_s", "signature", "photo", "note", "halts_per_km", "slowings_per_km", "sigma", "tall_worse", "tall_m",
    "tall_dropouts", "both",
}  # fmt: skip
"""What says how large or how long something is, or belongs to any day; all others are shares and rates of what goes
wrong."""


def actions(whole: list[Step]) -> list[Action]:
    messages = sorted((step.message for step in whole if isinstance(step, Send)), key=lambda message: message.n)
    return [action for message in messages if isinstance(message, Actions) for action in message.actions]


def fixes(whole: list[Step], device: int = 0) -> list[Position]:
    messages = [step.message for step in whole if isinstance(step, Send)]
    mine = [message for message in messages if isinstance(message, Positions) and message.device == device]
    return sorted((fix for message in mine for fix in message.positions), key=lambda fix: fix.timestamp)


def place(fix: Any) -> tuple[float, float]:
    return fix.latitude, fix.longitude


def knobs(scenario: Scenario) -> dict[str, Any]:
    return {
        f"{table}.{name}": value
        for table in Scenario.__struct_fields__
        for name, value in msgspec.structs.asdict(getattr(scenario, table)).items()
        if name not in NEUTRAL
    }


def test_speed_and_heading_of_a_fix_are_those_of_the_motion():
    track = fixes(steps(12, replace(QUIET, reporting=replace(QUIET.reporting, period_s=1.0))))
    speeds, turns = [], []
    for before, after in itertools.pairwise(track):
        seconds = after.timestamp - before.timestamp
        if seconds < 1.5 and (before.speed or 0) > 3 and (after.speed or 0) > 3:
            metres = metres_between(place(before), place(after))
            speeds.append(metres / seconds - (before.speed + after.speed) / 2)
            course = bearing(place(before), place(after))
            turns.append(abs((after.heading - course + 180) % 360 - 180))
    assert len(speeds) > 1000
    assert abs(median(speeds)) < 0.1 and percentile(sorted(map(abs, speeds)), 0.99) < 1.2
    assert median(turns) < 3 and percentile(sorted(turns), 0.95) < 12


def test_it_brakes_before_a_stop_and_speeds_up_after_it_as_a_van_does():
    track = fixes(steps(12, replace(QUIET, reporting=replace(QUIET.reporting, period_s=1.0))))
    pairs = [(a, b) for a, b in itertools.pairwise(track) if b.timestamp - a.timestamp < 1.5]
    changes = sorted(
        (b.speed - a.speed) / (b.timestamp - a.timestamp) for a, b in pairs if (a.speed or 0) > 1 and (b.speed or 0) > 1
    )
    assert -3.2 < changes[0] < -1.5, "harder than a van brakes, or not at all"
    assert 1.0 < changes[-1] < 2.6


def offsets(receiver: Receiver, here: Motion, count: int, period_s: float) -> list[tuple[float, float]]:
    """The errors of so many fixes at one place, metres to the north and east."""
    found = []
    for number in range(count):
        fix = receiver.fix(LEAVES + period_s * number, here)
        north, east = radians(fix.latitude - here.latitude) * EARTH_M, radians(fix.longitude - here.longitude) * EARTH_M
        found.append((north, east * 0.697))
    return found


def tall_and_open(gps: Gps) -> tuple[Motion, Motion]:
    """The middle of a block whose walls reflect, and of one with open sky."""
    receiver = Receiver(random.Random(1), gps, "town")
    places = [Motion(45.8, 15.9 + 0.0001 * number, 0.0, 0.0) for number in range(3000)]
    tall = [receiver.reflection(here.latitude, here.longitude) is not None for here in places]
    assert 0.15 < sum(tall) / len(tall) < 0.45
    return places[tall.index(True)], places[tall.index(False)]


def test_tall_houses_push_all_receivers_the_same_way_for_as_long_as_they_are_there(seed: int):
    gps = read("gps = {accuracy_m = 3, correlation_s = 10, tall_share = 0.3, tall_m = 60}").gps
    tall, free = tall_and_open(gps)
    means = []
    for number in range(3):
        errors = offsets(Receiver(random.Random(seed + number), gps, "town"), tall, 600, 10.0)
        means.append((sum(north for north, _ in errors) / 600, sum(east for _, east in errors) / 600))
        halves = [sum(north for north, _ in half) / 300 for half in (errors[:300], errors[300:])]
        assert abs(halves[0] - halves[1]) < 2, "it is there all the time"
    pushes = [hypot(*mean) for mean in means]
    assert min(pushes) > 15 and max(pushes) < 63 and max(pushes) - min(pushes) < 3
    errors = offsets(Receiver(random.Random(seed), gps, "town"), free, 600, 10.0)
    assert hypot(sum(north for north, _ in errors), sum(east for _, east in errors)) / 600 < 1


def test_between_tall_houses_the_accuracy_is_worse_and_there_is_no_fix_more_often(seed: int):
    text = "gps = {tall_share = 0.3, tall_worse = 1, dropouts_per_hour = 2, dropout_s = [30, 60], tall_dropouts = 6}"
    scenario = read(text)
    told = {}
    for where, here in zip(("tall", "open"), tall_and_open(scenario.gps), strict=True):
        who = Who("DRV001", DATE, seed)
        # the town of this seed has other tall blocks: the same receiver, in a town where this one is tall
        handset = Handset(who, scenario, LEAVES)
        handset._receiver = Receiver(who.rng("x"), scenario.gps, "town")
        taken = [handset.take(here) for _ in range(20_000)]
        kept = sorted(fix.accuracy or 0 for fix in taken if fix is not None)
        told[where] = median(kept), 1 - len(kept) / len(taken)
    assert told["tall"][0] > 1.2 * told["open"][0]
    assert 0.01 < told["open"][1] < 0.05 and 3 < told["tall"][1] / told["open"][1] < 7


def test_a_van_is_pushed_along_a_block_and_not_from_fix_to_fix():
    """What a reflection adds changes where the block changes, not with each fix."""
    scenario = read(load("hostile"))
    receiver = Receiver(random.Random(3), scenario.gps, "town")
    along = [receiver.reflection(45.8, 15.9 + 0.0002 * number) for number in range(2000)]  # 15.6 m apart
    changes = sum(before != after for before, after in itertools.pairwise(along))
    assert 20 < changes < 2 * 2000 * 15.6 / TALL_CELL_M


def test_the_error_of_a_day_is_correlated_in_time():
    quiet = replace(QUIET, gps=replace(QUIET.gps, accuracy_m=10.0, correlation_s=60.0))
    noisy, true = (
        {fix.at_ms: fix for fix in fixes(steps(10, scenario))}
        for scenario in (quiet, replace(quiet, gps=replace(quiet.gps, accuracy_m=0.0)))
    )
    both = sorted(noisy.keys() & true.keys())
    errors = [radians(noisy[at].latitude - true[at].latitude) * EARTH_M for at in both]
    pairs = [(a, b) for (m, a), (n, b) in itertools.pairwise(zip(both, errors, strict=True)) if n - m < 7000]
    assert len(pairs) > 500 and 4 < pstdev(errors) < 10
    assert correlation(*zip(*pairs, strict=True)) > 0.8


def test_service_times_are_log_normal_about_what_was_planned():
    text = "service = {median = 1.2, sigma = 0.4, least_s = 0}\noutcome = {rejected = 0}\nhabits = {early_success = 0}"
    ratios = []
    for who in FLEET[:25]:
        begun: dict[str, float] = {}
        for action in actions(list(day(route(8), who, replace(read(text), devices=QUIET.devices)))):
            if action.action == "start_service":
                begun[str(action.orderId)] = action.timestamp
            elif action.orderId in begun:
                ratios.append(log((action.timestamp - begun[action.orderId]) / 300))
    ratios.sort()
    assert len(ratios) > 150
    assert percentile(ratios, 0.5) == pytest.approx(log(1.2), abs=0.1)
    assert pstdev(ratios) == pytest.approx(0.4, rel=0.2)
    skew = sum(((ratio - log(1.2)) / 0.4) ** 3 for ratio in ratios) / len(ratios)
    assert abs(skew) < 0.8, "its logarithm is not normal"


def test_who_is_late_begins_late_and_mostly_says_so():
    late = read("habits = {late_start = 1, late_s = [1800, 2400], departure_s = [0, 0]}")
    told = 0
    for who in FLEET[:20]:
        whole = actions(list(day(route(2), who, replace(late, devices=QUIET.devices, clock=QUIET.clock))))
        begun = next(action for action in whole if action.action == "start_route")
        assert LEAVES + 1800 <= begun.timestamp <= LEAVES + 2400
        if said := [action for action in whole if action.action == "start_time_changed"]:
            assert said[0].plannedStartTime == int(begun.timestamp) and said[0].timestamp < LEAVES
            told += 1
    assert 8 <= told <= 19


def test_a_few_clocks_are_wrong_by_minutes_or_hours():
    text = "clock = {offset_s = [-2, 2], wrong = 0.25, wrong_s = [900, 3600]}"
    found = [clock_of(who, read(text)) for who in FLEET]
    wrong = [offset for offset in found if offset > 2]
    assert 4 <= len(wrong) <= 18 and all(900 <= offset <= 3600 for offset in wrong)
    always = read("clock = {offset_s = [0, 0], wrong = 1, wrong_s = [3600, 3600]}")
    right, ahead = (fixes(steps(2, replace(scenario, devices=QUIET.devices))) for scenario in (QUIET, always))
    assert ahead[0].timestamp == pytest.approx(right[0].timestamp + 3600, abs=1)


def test_a_driver_with_two_devices_may_have_fixes_of_both_each_by_its_own_clock_and_error():
    two = replace(
        QUIET, devices=replace(QUIET.devices, second=1.0, both=1.0), clock=read("clock={offset_s=[-9,9]}").clock
    )
    two = replace(two, gps=replace(two.gps, accuracy_m=8.0))
    whole = steps(4, two)
    first, second = fixes(whole), fixes(whole, device=1)
    assert len(first) > 200 and len(second) > 200
    offset, other = (handset.offset for handset in handsets(WHO, two, LEAVES))
    assert abs(offset - other) > 0.01 and offset == clock_of(WHO, two)
    apart = [metres_between(place(a), place(b)) for a, b in zip(first[:50], second[:50], strict=True)]
    assert 1 < median(apart) < 40, "two receivers in one van"
    sent = set(second)
    assert all(action.position in sent for action in actions(whole) if action.position is not None)
    assert not fixes(steps(4, replace(two, devices=replace(two.devices, both=0.0))), device=1)
    share = [has_second(who, read("devices = {second = 0.5}")) for who in FLEET]
    assert 10 < sum(share) < 30


def test_no_app_comes_back_while_the_battery_is_dead():
    scenario = read(
        "devices={dying=1, lasts_h=[1, 1], charging_s=[3600, 3600]}\napp={restarts_per_day=100, restart_s=[5, 5]}"
    )
    now, kills = 0.0, []
    for step in steps(8, scenario):
        match step:
            case Wait(until=now):
                pass
            case Restart(away_s=away_s):
                kills.append((now, away_s))
    dies = next(at for at, away_s in kills if away_s > 3000)
    assert len(kills) > 5 and not [at for at, away_s in kills if dies < at < dies + 3600]


def silent(who: Who, scenario: Scenario, hours: float = 7.0) -> list[tuple[float, float]]:
    times = itertools.takewhile(lambda each: each[0] < LEAVES + hours * 3600, without_signal(who, scenario, LEAVES))
    return list(times)


def test_in_the_country_phones_are_without_a_network_for_hours():
    longest = sorted(max((high - low for low, high in silent(who, read(load("rural")))), default=0.0) for who in FLEET)
    assert percentile(longest, 0.5) > 3600 and longest[-1] > 6600
    assert (
        percentile(sorted(max((b - a for a, b in silent(who, read(load("city")))), default=0) for who in FLEET), 0.5)
        < 600
    )


def test_after_a_storm_all_come_back_at_once_with_a_full_outbox_and_some_were_killed_with_one():
    scenario = read(load("storm"))
    outages = [(unix(f"{DATE}T{out.begins}:00Z"), out.minutes * 60) for out in scenario.network.outages]
    killed = 0
    for who in FLEET[:12]:
        for begins, lasts_s in outages:
            assert any(low <= begins and high >= begins + lasts_s for low, high in silent(who, scenario))
        now, waiting = 0.0, Counter[float]()
        for step in day(route(24), who, scenario):
            if isinstance(step, Wait):
                now = step.until
            during = next((begins for begins, lasts_s in outages if begins <= now < begins + lasts_s), 0.0)
            waiting[during] += isinstance(step, Send)
            killed += isinstance(step, Restart) and during > 0 and waiting[during] > 5
        if battery_of(who, scenario, LEAVES).dies is None:
            assert waiting[outages[0][0]] > 15, who
    assert killed > 2, "nobody was killed with a full outbox"


def test_everything_is_everything():
    """Whatever may go wrong, goes wrong in the hostile preset, and nothing of it in the calm one."""
    hostile, calm, usual = (knobs(read(load(name))) for name in ("hostile", "calm", None))
    assert len(hostile) >= 25
    for name, value in hostile.items():
        assert value, f"{name} is not in hostile"
        if isinstance(value, float):
            assert value >= usual[name], f"{name} is less in hostile than usual"
    planned = {"proof.barcode_trouble", "proof.collected", "proof.later", "proof.resumable", "outcome.failed"}
    planned |= {"office.cancelled", "office.moved"}
    assert not [name for name, value in calm.items() if value and name not in planned]
    low, high = read(load("hostile")).clock.wrong_s
    assert low < -300 and high > 300, "clocks beyond what a server takes"
