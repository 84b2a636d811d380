"""What goes wrong around a phone in a day: lost signal, outages of the whole network, restarts of the app."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge

from simulator.handset import battery_of
from simulator.scenario import Scenario
from simulator.steps import Restart, Signal, Step, Wait, Who
from simulator.wire import unix

NEVER = float("inf")
WORKING_DAY_S = 32_400.0
"""Nine hours, over which what is told per day is spread."""


def with_trouble(steps: Iterator[Step], who: Who, scenario: Scenario) -> Iterator[Step]:
    """The same steps, with trouble where chance and the scenario put it; the day ends with signal."""
    trouble: Iterator[tuple[float, Step]] | None = None
    coming: tuple[float, Step] = (NEVER, Signal(True))
    for step in steps:
        if isinstance(step, Wait):
            if trouble is None:
                trouble = merge(_signals(who, scenario, step.until), _restarts(who, scenario, step.until), key=_when)
                coming = next(trouble)
            while coming[0] <= step.until:
                yield Wait(coming[0])
                yield coming[1]
                coming = next(trouble)
        yield step
    yield Signal(True)


def without_signal(who: Who, scenario: Scenario, begins: float) -> Iterator[tuple[float, float]]:
    """The times without signal from when a day begins, each from and to in Unix seconds, apart from each other."""
    low = high = begins
    for start, end in merge(_gaps(who, scenario, begins), _outages(who, scenario)):
        if start <= high:
            high = max(high, end)
            continue
        if high > low:
            yield low, high
        low, high = start, end
    if high > low:
        yield low, high


def _signals(who: Who, scenario: Scenario, begins: float) -> Iterator[tuple[float, Step]]:
    for low, high in without_signal(who, scenario, begins):
        yield low, Signal(False)
        yield high, Signal(True)
    yield NEVER, Signal(True)


def _gaps(who: Who, scenario: Scenario, t: float) -> Iterator[tuple[float, float]]:
    rng, network = who.rng("network"), scenario.network
    while network.gaps_per_hour:
        t += rng.expovariate(network.gaps_per_hour / 3600.0)
        begins, t = t, t + rng.uniform(*network.gap_s)
        yield begins, t


def _outages(who: Who, scenario: Scenario) -> Iterator[tuple[float, float]]:
    """The same moments for every phone of the fleet."""
    times = [(unix(f"{who.date}T{outage.begins}:00+00:00"), outage.minutes * 60) for outage in scenario.network.outages]
    yield from sorted((begins, begins + lasts) for begins, lasts in times)


def _restarts(who: Who, scenario: Scenario, t: float) -> Iterator[tuple[float, Step]]:
    """The system kills the app, or the battery dies under it."""
    battery = battery_of(who, scenario, t)
    if battery.dies is not None:
        yield from merge(_kills(who, scenario, t), [(battery.dies, Restart(battery.back - battery.dies))], key=_when)
    else:
        yield from _kills(who, scenario, t)


def _kills(who: Who, scenario: Scenario, t: float) -> Iterator[tuple[float, Step]]:
    rng, app = who.rng("app"), scenario.app
    while app.restarts_per_day:
        t += rng.expovariate(app.restarts_per_day / WORKING_DAY_S)
        yield t, Restart(rng.uniform(*app.restart_s))
    yield NEVER, Signal(True)


def _when(item: tuple[float, Step]) -> float:
    return item[0]
