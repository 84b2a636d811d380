"""One driver's day as a generator of steps: it reads no clock and does no I/O, and says the same for the same route
and seed.

Who runs it (a phone on asyncio, a load test, a test) lets simulated time pass at ``Wait``, hands ``Send`` to its
outbox, and keeps ``Expect`` to compare with the server afterwards. Times in steps are true simulated time in Unix
seconds; times inside messages are the phone's own, which may be off by the scenario's clock offset.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from heapq import merge
from itertools import count
from random import Random
from uuid import UUID, uuid5

from msgspec import Struct
from msgspec.structs import replace

from simulator.driving import Halt, Motion, Receiver, paced
from simulator.geography import Point
from simulator.proofs import Proving
from simulator.roads import Roads, length
from simulator.scenario import Scenario
from simulator.wire import Action, Actions, Form, Message, Position, Positions, Route, Stop, encode, unix

IDS = UUID("6f1d7b0e-8f0a-5a53-9a52-0d5f9d3c1c11")
"""The name space of everything a simulated app numbers: the same content has the same id."""


class Wait(Struct, frozen=True):
    """Nothing happens until this time."""

    until: float


class Send(Struct, frozen=True):
    """The app puts this message into its outbox."""

    message: Message


class Expect(Struct, frozen=True):
    """From here on the order has this status, once everything sent so far has arrived and this action was not
    refused.
    """

    order_id: str
    status: str
    action_id: str


class Signal(Struct, frozen=True):
    """The phone loses or finds its network."""

    up: bool


class Restart(Struct, frozen=True):
    """The app is killed and comes back after so many seconds; its outbox is on disk and survives."""

    away_s: float


Step = Wait | Send | Expect | Signal | Restart


class Who(Struct, frozen=True):
    """Whose day it is: the key that seeds everything about this driver on this date."""

    key: str
    date: str
    seed: int

    def rng(self, purpose: str) -> Random:
        """A stream of chance for one purpose, independent of the others."""
        return Random(f"{self.seed}/{self.date}/{self.key}/{purpose}")


def day(route: Route, who: Who, scenario: Scenario) -> Iterator[Step]:
    """The day of a driver who has this route."""
    return _with_trouble(_Day(route, who, scenario).steps(), who, scenario)


def recorded(fixes: list[Position], who: Who, scenario: Scenario) -> Iterator[Step]:
    """A recorded track as a day: on duty at its first fix, off duty at its last, the fixes as they are."""
    return _with_trouble(_recorded(fixes, who, scenario.reporting.batch), who, scenario)


def numbered(who: Who, content: object) -> str:
    """The id an app gives to something: a UUID of its content."""
    return str(uuid5(IDS, f"{who.seed}/{who.date}/{who.key}/{encode(content).decode()}"))


class _Day:
    """The state that runs through one day: where it is in time, the receiver, the fixes not yet sent, the message
    number.
    """

    def __init__(self, route: Route, who: Who, scenario: Scenario) -> None:
        self.route, self.who, self.scenario = route, who, scenario
        self.rng = who.rng("day")
        self.gps_rng = who.rng("gps")
        self.receiver = Receiver(self.gps_rng, scenario.gps.noise_m, scenario.gps.correlation_s)
        self.offset = who.rng("clock").uniform(*scenario.clock.offset_s)
        self.says_unknown = who.rng("platform").random() < 0.45
        self.proving = Proving(who.rng("proof"), scenario, f"{who.seed}/{who.date}/{who.key}")
        self.orders = [stop for stop in route.stops if stop.orderId]
        self.done: set[str] = set()
        self.batch: list[Position] = []
        self.last: Position | None = None
        self.number = 0

    def steps(self) -> Iterator[Step]:
        """On duty, the route with its stops, off duty."""
        roads = Roads(self.route)
        leaves = _leaves(self.route)
        self.t = leaves - self.rng.uniform(120.0, 420.0)
        self.since = self.t
        self.next_fix = self.t
        self.dropout = self._next_dropout(self.t)
        here = Motion(*roads.start, 0.0, 0.0)
        yield Wait(self.t)
        yield from self._pass(self.t, lambda _: here)
        yield self._act("on_duty")
        if self.rng.random() < 0.08:
            leaves += self.rng.uniform(180.0, 900.0)
            yield self._act("start_time_changed", planned=int(leaves))
        yield from self._pass(leaves, lambda _: here)
        begun = self._act("start_route")
        yield begun
        yield from self._next_on_route(begun)
        for stop, line in zip(self.route.stops, roads.lines, strict=True):
            if stop.orderId and self.rng.random() < self.scenario.outcome.rejected:
                yield from self._reject(stop, here)
                continue
            here = yield from self._drive(roads.join(here, line), stop.travelTime)
            yield from self._at(stop, here)
        if roads.home is not None:
            here = yield from self._drive(roads.join(here, roads.home), 0.0)
        yield self._act("end_route")
        yield from self._pass(self.t + self.rng.uniform(30.0, 240.0), lambda _: here)
        yield from (Send(self._count(late)) for late in self.proving.put_off)
        yield from self._flush()
        yield self._act("off_duty")

    def _drive(self, line: list[Point], planned_s: float) -> Generator[Step, None, Motion]:
        """Drive a line in about the planned time (or at 8 m/s where none is known); returns where it ends."""
        traffic, metres = self.scenario.traffic, length(line)
        count = int(metres / 1000.0 * traffic.halts_per_km + self.rng.random())
        halts = [Halt(self.rng.uniform(0.05, 0.95) * metres, self.rng.uniform(*traffic.halt_s)) for _ in range(count)]
        seconds = (planned_s or metres / 8.0) * self.rng.uniform(*traffic.pace)
        drive = paced(line, seconds, traffic.fastest_mps, halts)
        begun = self.t
        yield from self._pass(begun + drive.duration, lambda t: drive.at(t - begun))
        end = drive.at(drive.duration)
        return Motion(end.latitude, end.longitude, 0.0, end.heading)

    def _at(self, stop: Stop, here: Motion) -> Iterator[Step]:
        """Wait for the window, serve, and say how it ended; a break or a depot is only stood out."""
        if not stop.orderId:
            yield from self._pass(self.t + stop.duration, lambda _: here)
            return
        yield from self._pass(max(self.t + self.rng.uniform(10.0, 50.0), _opens(stop, self.t)), lambda _: here)
        begun = self._act("start_service", stop.orderId)
        yield begun
        yield Expect(stop.orderId, "servicing", _id(begun))
        pace = self.rng.uniform(*self.scenario.service.pace)
        yield from self._pass(self.t + max(self.scenario.service.least_s, stop.duration * pace), lambda _: here)
        failed = self.rng.random() < self.scenario.outcome.failed
        outcome = "failed" if failed else "success"
        form, files = self.proving.prove(stop, outcome)
        yield from (Send(self._count(file)) for file in files)
        yield from self._finish(stop, outcome, form)

    def _reject(self, stop: Stop, here: Motion) -> Iterator[Step]:
        yield from self._pass(self.t + self.rng.uniform(20.0, 60.0), lambda _: here)
        note = self.rng.choice(self.scenario.outcome.rejection_reasons)
        yield from self._finish(stop, "rejected", Form(note=note))

    def _finish(self, stop: Stop, outcome: str, form: Form | None) -> Iterator[Step]:
        finished = self._act(outcome, stop.orderId, form)
        yield finished
        self.done.add(str(stop.orderId))
        yield Expect(str(stop.orderId), outcome, _id(finished))
        yield from self._next_on_route(finished)

    def _next_on_route(self, since: Send) -> Iterator[Step]:
        coming = next((str(stop.orderId) for stop in self.orders if stop.orderId not in self.done), None)
        if coming is not None:
            yield Expect(coming, "on_route", _id(since))

    def _pass(self, until: float, where: Callable[[float], Motion]) -> Iterator[Step]:
        """Time goes by: fixes are taken in their period, and a full batch is sent."""
        reporting = self.scenario.reporting
        while self.next_fix <= until:
            t, truth = self.next_fix, where(self.next_fix)
            period = reporting.period_s if truth.speed > 0.3 else reporting.standing_period_s
            self.next_fix = t + max(0.1, period * self.gps_rng.uniform(0.97, 1.03))
            if self._dropped(t):
                continue
            self.last = self._fix(t, truth)
            self.batch.append(self.last)
            if len(self.batch) >= reporting.batch:
                yield Wait(t)
                yield from self._flush()
        self.t = until
        yield Wait(until)

    def _flush(self) -> Iterator[Step]:
        if self.batch:
            fixes, self.batch = tuple(self.batch), []
            yield Send(self._count(Positions(0, fixes)))

    def _act(self, action: str, order: str | None = None, form: Form | None = None, planned: int | None = None) -> Send:
        """An action stamped now, at the last fix: the phone shows the place it knows."""
        stamp = round(self.t + self.offset, 3)
        named = Action("", action, stamp, order, self.last, form, planned)
        return Send(self._count(Actions(0, (replace(named, id=numbered(self.who, named)),))))

    def _count(self, message: Message) -> Message:
        self.number += 1
        return replace(message, n=self.number - 1)

    def _fix(self, t: float, truth: Motion) -> Position:
        latitude, longitude, accuracy, speed = self.receiver.fix(t, truth)
        moving = speed > 0.5
        unknown = -1.0 if self.says_unknown else None
        hours = (t - self.since) / 3600.0
        return Position(
            timestamp=round(t + self.offset, 3),
            latitude=round(latitude, 7),
            longitude=round(longitude, 7),
            accuracy=round(accuracy, 1),
            speed=round(speed, 2) if moving or not self.says_unknown else unknown,
            heading=round(truth.heading + self.gps_rng.gauss(0.0, 1.5), 1) % 360.0 if moving else unknown,
            battery=round(max(0.05, 0.98 - 0.06 * hours), 2),
        )

    def _dropped(self, t: float) -> bool:
        while t > self.dropout[1]:
            self.dropout = self._next_dropout(self.dropout[1])
        return t >= self.dropout[0]

    def _next_dropout(self, after: float) -> tuple[float, float]:
        per_hour = self.scenario.gps.dropouts_per_hour
        begins = after + self.gps_rng.expovariate(per_hour / 3600.0) if per_hour else float("inf")
        return begins, begins + self.gps_rng.uniform(*self.scenario.gps.dropout_s)


def _recorded(fixes: list[Position], who: Who, batch: int) -> Iterator[Step]:
    numbers = count()

    def act(action: str, fix: Position) -> Send:
        named = Action("", action, fix.timestamp)
        return Send(Actions(next(numbers), (replace(named, id=numbered(who, named)),)))

    yield Wait(fixes[0].timestamp)
    yield act("on_duty", fixes[0])
    for begin in range(0, len(fixes), batch):
        part = tuple(fixes[begin : begin + batch])
        yield Wait(part[-1].timestamp)
        yield Send(Positions(next(numbers), part))
    yield act("off_duty", fixes[-1])


def _with_trouble(steps: Iterator[Step], who: Who, scenario: Scenario) -> Iterator[Step]:
    """The same steps, with lost signal and restarts of the app where chance puts them; the day ends with signal."""
    trouble: Iterator[tuple[float, Step]] | None = None
    coming: tuple[float, Step] = (float("inf"), Signal(True))
    for step in steps:
        if isinstance(step, Wait):
            if trouble is None:
                trouble = merge(
                    _gaps(who.rng("network"), scenario, step.until),
                    _restarts(who.rng("app"), scenario, step.until),
                    key=lambda item: item[0],
                )
                coming = next(trouble)
            while coming[0] <= step.until:
                yield Wait(coming[0])
                yield coming[1]
                coming = next(trouble)
        yield step
    yield Signal(True)


def _gaps(rng: Random, scenario: Scenario, t: float) -> Iterator[tuple[float, Step]]:
    network = scenario.network
    while network.gaps_per_hour:
        t += rng.expovariate(network.gaps_per_hour / 3600.0)
        yield t, Signal(False)
        t += rng.uniform(*network.gap_s)
        yield t, Signal(True)
    yield float("inf"), Signal(True)


def _restarts(rng: Random, scenario: Scenario, t: float) -> Iterator[tuple[float, Step]]:
    """Spread over a working day of nine hours."""
    while scenario.app.restarts_per_day:
        t += rng.expovariate(scenario.app.restarts_per_day / 32_400.0)
        yield t, Restart(rng.uniform(*scenario.app.restart_s))
    yield float("inf"), Signal(True)


def _id(sent: Send) -> str:
    """The id of the one action of a message."""
    match sent.message:
        case Actions(actions=(action,)):
            return action.id
        case other:
            raise TypeError(f"not a message of one action: {other}")


def _leaves(route: Route) -> float:
    """When the plan has the van leave: the route's own start, or so long before the first arrival as the way takes."""
    if route.start and route.start.time:
        return unix(route.start.time)
    for stop in route.stops:
        planned = stop.arrivalTime or stop.scheduledAt
        if planned:
            return unix(planned) - stop.travelTime
    return unix(f"{route.date}T08:00:00+00:00")


def _opens(stop: Stop, arrives: float) -> float:
    """The beginning of the first window that is not over yet, or now."""
    return next((unix(window.opens) for window in stop.timeWindows if unix(window.closes) > arrives), arrives)
