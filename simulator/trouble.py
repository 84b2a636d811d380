"""What goes wrong around a phone in a day: a slow network, answers that are lost, messages that overtake others, lost
signal, outages of the whole network, restarts of the app.

All of it is drawn here, before anything is sent: what a phone sends, and in which order, does not hang on how fast the
machine is or the answers come.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush, merge
from random import Random

from simulator.chance import draw
from simulator.handset import battery_of
from simulator.scenario import Network, Scenario
from simulator.steps import Restart, Send, Signal, Step, Wait, Who
from simulator.wire import unix

NEVER = float("inf")
MOST_LOST = 10
"""Answers to one message; then it is believed also where the scenario loses all."""
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


def under_way(steps: Iterator[Step], who: Who, network: Network) -> Iterator[Step]:
    """The same steps, with each message handed over when the network has brought it out of the phone: after its delay,
    and by chance after up to three others that were written later.
    """
    delays, fate = who.rng("delay"), who.rng("fate")
    slow: list[tuple[float, int, Send]] = []
    held: list[tuple[int, Send]] = []
    now = reached = 0.0
    gone = written = 0

    def leave(until: float) -> Iterator[Step]:
        nonlocal gone, reached
        while slow and slow[0][0] <= until:
            due, _, send = heappop(slow)
            if due > reached:
                reached = due
                yield Wait(due)
            if fate.random() < network.reordering:
                held.append((gone + fate.randint(1, 3), send))
                continue
            yield _fated(send, fate, network)
            gone += 1
            for late in [late for late in held if late[0] <= gone]:
                held.remove(late)
                yield _fated(late[1], fate, network)

    for step in steps:
        match step:
            case Wait(until=now):
                yield from leave(now)
                reached = now
                yield step
            case Send():
                written += 1
                heappush(slow, (now + draw(network.delay_s, delays), written, step))
                yield from leave(now)
            case _:
                yield step
    yield from leave(NEVER)
    for _, send in held:
        yield _fated(send, fate, network)


def _fated(send: Send, fate: Random, network: Network) -> Send:
    lost = 0
    while lost < MOST_LOST and fate.random() < network.lost_answers:
        lost += 1
    return Send(send.message, lost, fate.random() < network.duplicates)


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
    battery, kills = battery_of(who, scenario, t), _kills(who, scenario, t)
    if battery.dies is not None:
        off = [(battery.dies, Restart(battery.back - battery.dies))]
        yield from merge(((at, kill) for at, kill in kills if not battery.off(at)), off, key=_when)
    else:
        yield from kills


def _kills(who: Who, scenario: Scenario, t: float) -> Iterator[tuple[float, Step]]:
    rng, app = who.rng("app"), scenario.app
    while app.restarts_per_day:
        t += rng.expovariate(app.restarts_per_day / WORKING_DAY_S)
        yield t, Restart(rng.uniform(*app.restart_s))
    yield NEVER, Signal(True)


def _when(item: tuple[float, Step]) -> float:
    return item[0]
