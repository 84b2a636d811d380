import itertools

import pytest

from simulator.day import day
from simulator.handset import battery_of
from simulator.scenario import PRESETS, Scenario, digest, load, read
from simulator.steps import Restart, Send, Signal, Step, Wait, Who
from simulator.trouble import without_signal
from simulator.wire import Action, Actions, Positions, encode, unix
from tests.simulator.days import DATE, LEAVES, QUIET, WHO, route, steps


def actions(whole: list[Step]) -> list[Action]:
    messages = sorted((step.message for step in whole if isinstance(step, Send)), key=lambda message: message.n)
    return [action for message in messages if isinstance(message, Actions) for action in message.actions]


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_a_day_to_its_end_and_the_same_again(name: str):
    scenario = read(load(name))
    first, again = ([encode(step.message) for step in steps(6, scenario) if isinstance(step, Send)] for _ in range(2))
    assert first == again
    done = actions(steps(6, scenario))
    assert done[0].action == "on_duty" and done[-1].action == "off_duty"
    assert len({action.orderId for action in done if action.action in ("success", "failed", "rejected")}) == 6
    stamps = [action.timestamp for action in done]
    assert stamps == sorted(stamps)


def test_presets_differ_and_a_scenario_is_known_by_its_values():
    marks = {digest(read(load(name))) for name in PRESETS}
    assert len(marks) == len(PRESETS)
    assert digest(read("")) == digest(Scenario()) == digest(read("[gps]\ncorrelation_s = 30"))


def test_an_outage_takes_the_signal_of_all_and_gives_it_back_at_one_moment():
    scenario = read('network = {gaps_per_hour = 4, outages = [{from = "08:00", minutes = 25}]}')
    low, high = unix(f"{DATE}T08:00:00+00:00"), unix(f"{DATE}T08:25:00+00:00")
    for key in ("DRV001", "DRV002", "DRV003"):
        silent = list(itertools.islice(without_signal(Who(key, DATE, 7), scenario, LEAVES), 12))
        assert any(begins <= low and ends >= high for begins, ends in silent)
        assert all(before[1] < after[0] for before, after in itertools.pairwise(silent))


def test_signals_alternate_also_where_gaps_and_outages_overlap():
    whole = steps(12, read('network = {gaps_per_hour = 30, outages = [{from = "07:30", minutes = 60}]}'))
    signals = [step.up for step in whole if isinstance(step, Signal)]
    assert len(signals) > 5 and all(a != b for a, b in itertools.pairwise(signals[:-1]))


def test_a_phone_whose_battery_dies_is_silent_until_it_is_charged_and_its_driver_waits_for_it():
    scenario = read("devices = {dying = 1, lasts_h = [0.3, 0.4], charging_s = [900, 1200]}")
    whole = steps(8, scenario)
    begins = next(step.until for step in whole if isinstance(step, Wait))
    battery = battery_of(WHO, scenario, begins)
    assert battery.dies is not None and any(isinstance(step, Restart) for step in whole)
    offset = WHO.rng("clock").uniform(*scenario.clock.offset_s)
    told = [action.timestamp - offset for action in actions(whole)]
    fixes = [
        fix
        for step in whole
        if isinstance(step, Send) and isinstance(step.message, Positions)
        for fix in step.message.positions
    ]
    told += [fix.timestamp - offset for fix in fixes]
    assert not [t for t in told if battery.dies + 0.01 < t < battery.back - 0.01]
    assert min(fix.battery for fix in fixes if fix.battery is not None) < 0.1


def test_drivers_forget_and_hurry_as_often_as_the_scenario_says():
    forgetful = actions(steps(10, read("habits = {forgotten_start = 1}\noutcome = {rejected = 0}")))
    assert not [action for action in forgetful if action.action == "start_service"]
    hasty = read("habits = {early_success = 1, early_s = [60, 60]}\noutcome = {failed = 0, rejected = 0}")
    there = {stop.orderId: (stop.latitude, stop.longitude) for stop in route(10).stops}
    early = [action for action in actions(steps(10, hasty)) if action.action == "success"]
    assert len(early) == 10
    away = [
        action
        for action in early
        if action.position and abs(action.position.latitude - there[action.orderId][0]) > 0.0005
    ]
    assert len(away) >= 8


def test_breaks_make_the_day_longer():
    def ends(breaks: float) -> float:
        text = f"habits = {{breaks_per_day = {breaks}, break_s = [1800, 1800]}}"
        return actions(list(day(route(8), WHO, read(text))))[-1].timestamp

    assert ends(9) > ends(0) + 1800


def left(whole: list[Step]) -> list[tuple[float, Send]]:
    """Each message with when it was handed over."""
    now, found = 0.0, []
    for step in whole:
        match step:
            case Wait(until=now):
                pass
            case Send():
                found.append((now, step))
    return found


def test_messages_are_under_way_as_long_as_the_network_says():
    text = "clock = {offset_s = [0, 0]}\nnetwork = {reordering = 0, delay_s = "
    for delay, least, most in (("[[0, 1], [0.5, 2], [1, 40]]", 1, 40), ("0", 0, 0.001)):
        whole = steps(8, read(text + delay + "}"))
        told = [(at, send.message.actions[0]) for at, send in left(whole) if isinstance(send.message, Actions)]
        delays = [at - action.timestamp for at, action in told]
        assert least - 0.001 <= min(delays) and max(delays) <= most + 0.001, delays
        assert most < 1 or len(set(delays)) > 12
        waits = [step.until for step in whole if isinstance(step, Wait)]
        assert waits == sorted(waits)


def test_some_messages_are_overtaken_some_answers_lost_and_some_come_twice_and_none_is_missing():
    scenario = read("network = {reordering = 0.3, duplicates = 0.2, lost_answers = 0.4}")
    sends = [send for _, send in left(steps(12, scenario))]
    numbers = [send.message.n for send in sends]
    assert sorted(numbers) == list(range(len(numbers))) != numbers
    assert all(abs(place - n) <= 30 for place, n in enumerate(numbers))
    assert 0.05 < sum(send.twice for send in sends) / len(sends) < 0.4
    assert max(send.lost for send in sends) > 1 and min(send.lost for send in sends) == 0
    plain = [send for _, send in left(steps(12, QUIET))]
    assert [send.message.n for send in plain] == list(range(len(plain))) and not any(s.lost or s.twice for s in plain)
