"""Every value of a scenario does something: another one makes another day, of a fleet to which everything happens."""

from itertools import zip_longest
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from simulator.day import day
from simulator.scenario import SPREADS, Scenario, load, read
from simulator.steps import Step, Who
from tests.simulator.days import DATE, route

HOSTILE = read(load("hostile"))
FLEET = [Who(f"DRV{number:03}", DATE, 7) for number in range(1, 25)]
STOPS = 20
"""So many take most of a day, with its breaks, and with a battery that dies and is charged."""
OF_THE_OFFICE = "office"
"""Not of a phone's day: see test_office."""
KNOBS = [
    f"{table}.{name}"
    for table in Scenario.__struct_fields__
    if table != OF_THE_OFFICE
    for name in getattr(HOSTILE, table).__struct_fields__
]
_days: dict[Who, list[Step]] = {}


def usual(who: Who) -> list[Step]:
    """A driver's day in the hostile preset."""
    if who not in _days:
        _days[who] = list(day(route(STOPS), who, HOSTILE))
    return _days[who]


def differs(who: Who, changed: Scenario) -> bool:
    """Whether a driver's day is another one; it is looked at up to the first difference."""
    pairs = zip_longest(day(route(STOPS), who, changed), usual(who))
    return any(step != before for step, before in pairs)


def otherwise(name: str, value: Any) -> Any:
    """Another value of its range."""
    match value:
        case _ if name in SPREADS:
            return 7.0
        case _ if name == "service.least_s":
            return 450.0  # longer than a stop of these days takes
        case (str(), *_):
            return ("something else",)
        case (int() | float(), int() | float()):
            low, high = value
            return (high - (high - low) / 8, high)
        case tuple():
            return ()
        case int():
            return value + 1
        case _:
            return value * 1.5 if value > 1 else 0.8 if value <= 0.5 else 0.1


@pytest.mark.parametrize("knob", KNOBS)
def test_another_value_makes_another_day(knob: str):
    table, _, name = knob.partition(".")
    of_table = getattr(HOSTILE, table)
    value = otherwise(knob, getattr(of_table, name))
    changed = replace(HOSTILE, **{table: replace(of_table, **{name: value})})
    assert read_again(changed) == changed, "the other value is one that a file may hold"
    assert any(differs(who, changed) for who in FLEET), f"{knob} = {value} changes nothing"


def read_again(scenario: Scenario) -> Scenario:
    return msgspec.convert(msgspec.to_builtins(scenario), Scenario)
