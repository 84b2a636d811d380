"""One driver's day as a generator of steps: it reads no clock and does no I/O, and says the same for the same route
and seed.

Who runs it (a phone on asyncio, a load test, a test) lets simulated time pass at ``Wait``, hands ``Send`` to its
outbox, and keeps ``Expect`` to compare with the server afterwards. Times in steps are true simulated time in Unix
seconds; times inside messages are the phone's own, which may be off by the scenario's clock offset.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from itertools import count
from math import exp

from msgspec.structs import replace

from simulator.driving import Halt, Motion, paced
from simulator.geography import Point, metres_between
from simulator.handset import Handset, handsets
from simulator.proofs import Proving
from simulator.roads import NEAR_M, Roads, length
from simulator.scenario import Scenario
from simulator.steps import Expect, Look, Send, Step, Wait, Who
from simulator.trouble import WORKING_DAY_S, under_way, with_trouble
from simulator.wire import Action, Actions, Form, Message, Position, Positions, Route, Stop, unix

CANCELLED = "cancelled"
Given = Callable[[int], Route | None]
"""``given(number)``: the changed route that the driver sees at the look of this number; None where it is the same."""


def day(route: Route, who: Who, scenario: Scenario, given: Given = lambda _number: None) -> Iterator[Step]:
    """The day of a driver who has this route, and takes over what it is changed to."""
    return with_trouble(under_way(_Day(route, who, scenario, given).steps(), who, scenario.network), who, scenario)


def recorded(fixes: list[Position], who: Who, scenario: Scenario) -> Iterator[Step]:
    """A recorded track as a day: on duty at its first fix, off duty at its last, the fixes as they are."""
    steps = under_way(_recorded(fixes, who, scenario.reporting.batch), who, scenario.network)
    return with_trouble(steps, who, scenario)


class _Day:
    """The state that runs through one day: where it is in time, the phone's sensors, the fixes not yet sent, the
    message number.
    """

    def __init__(self, route: Route, who: Who, scenario: Scenario, given: Given) -> None:
        self.route, self.who, self.scenario, self.given = route, who, scenario, given
        self.roads, self.replanned = Roads(route), False
        self.rng = who.rng("day")
        self.leaves = _leaves(route)
        self.t = self.leaves - self.rng.uniform(*scenario.habits.on_duty_s)
        self.handsets = handsets(who, scenario, self.t)
        self.told_on = self.handsets[-1]
        self.proving = Proving(who.rng("proof"), scenario, f"{who.seed}/{who.date}/{who.key}")
        self.orders = _open(route)
        self.breaks = self._breaks()
        self.done: set[str] = set()
        self.visited: set[str] = set()
        self.looks = self.pauses = 0
        self.coming: str | None = None
        self.latest: Send | None = None
        self.number = 0

    def steps(self) -> Iterator[Step]:
        """On duty, the route with its stops, off duty."""
        self.here = Motion(*self.roads.start, 0.0, 0.0)
        yield Wait(self.t)
        yield from self._stand(0.0)
        yield from self._tell("on_duty")
        yield from self._leave()
        while True:
            yield from self._look()
            if (place := self._next_place()) is None:
                break
            stop, way = self.route.stops[place], self._way(place)
            yield from self._rest()
            if stop.orderId and self.rng.random() < self.scenario.outcome.rejected:
                yield from self._reject(stop)
                continue
            early = bool(stop.orderId) and self.rng.random() < self.scenario.habits.early_success
            yield from self._drive(way, stop.travelTime, stop if early else None)
            yield from self._look()
            if not stop.orderId or stop.orderId in self.done or stop.orderId in {each.orderId for each in self.orders}:
                yield from self._at(stop)
        if self.roads.home is not None:
            yield from self._drive(self._way(len(self.route.stops)), 0.0)
        yield from self._tell("end_route")
        yield from self._stand(self.rng.uniform(30.0, 240.0))
        for late in self.proving.put_off:
            yield self._send(late)
        for handset in self.handsets:
            yield from self._flush(handset)
        yield from self._tell("off_duty")

    def _look(self) -> Iterator[Step]:
        """What the app shows now is what is driven on."""
        self.looks += 1
        yield Look(self.looks)
        route = self.given(self.looks)
        if route is not None:
            self.route, self.roads, self.replanned = route, Roads(route), True
            self.orders = _open(route)
            yield from self._next_on_route(self.latest)

    def _next_place(self) -> int | None:
        """Which stop of the route is the first that the van has not been to."""
        pauses = self.pauses
        for place, stop in enumerate(self.route.stops):
            if stop.orderId is None and pauses:
                pauses -= 1
            elif stop.orderId is None:
                self.pauses += 1
                return place
            elif stop.orderId not in self.visited and stop.status != CANCELLED:
                self.visited.add(stop.orderId)
                return place
        return None

    def _way(self, place: int) -> list[Point]:
        """The route's line to a stop, or home; straight where the changed route comes from somewhere else."""
        line = self.roads.lines[place] if place < len(self.route.stops) else self.roads.home or []
        if self.replanned and line:
            before = [known for known in self.roads.lines[:place] if known]
            begins = before[-1][-1] if before else self.roads.start
            if metres_between(begins, (self.here.latitude, self.here.longitude)) > NEAR_M:
                line = line[-1:]
        return self.roads.join(self.here, line)

    def _leave(self) -> Iterator[Step]:
        """At the planned time, or later; some who are late tell so."""
        habits = self.scenario.habits
        leaves = self.leaves + self.rng.uniform(*habits.departure_s)
        if self.rng.random() < habits.late_start:
            leaves += self.rng.uniform(*habits.late_s)
            if self.rng.random() < 0.7:
                yield from self._tell("start_time_changed", planned=int(leaves))
        yield from self._stand(max(0.0, leaves - self.t))
        begun = yield from self._tell("start_route")
        yield from self._next_on_route(begun)

    def _drive(self, line: list[Point], planned_s: float, early: Stop | None = None) -> Iterator[Step]:
        """Drive a line in about the planned time (or at 8 m/s where none is known); at ``early`` the driver is done
        with the app before the van is there.
        """
        seconds = (planned_s or length(line) / 8.0) * self.rng.uniform(*self.scenario.traffic.pace)
        drive = paced(line, seconds, self.scenario.traffic.fastest_mps, self._hindrances(length(line)))
        begun, ends = self.t, self.t + drive.duration
        if early is not None and not self.told_on.battery.off(self.t):
            yield from self._pass(
                max(begun, ends - self.rng.uniform(*self.scenario.habits.early_s)), lambda t: drive.at(t - begun)
            )
            yield from self._end(early)
        yield from self._pass(max(self.t, ends), lambda t: drive.at(t - begun))
        end = drive.at(drive.duration)
        self.here = Motion(end.latitude, end.longitude, 0.0, end.heading)

    def _hindrances(self, metres: float) -> list[Halt]:
        """Where the van has to stand or to slow down on the way."""
        rng, traffic, km = self.rng, self.scenario.traffic, metres / 1000.0
        halts = int(km * traffic.halts_per_km + rng.random())
        slowings = int(km * traffic.slowings_per_km + rng.random())
        along = [rng.uniform(0.05, 0.95) * metres for _ in range(halts + slowings)]
        standing = [Halt(at_m, rng.uniform(*traffic.halt_s)) for at_m in along[:halts]]
        return standing + [Halt(at_m, 0.0, rng.uniform(*traffic.slowing_mps)) for at_m in along[halts:]]

    def _at(self, stop: Stop) -> Iterator[Step]:
        """Wait for the window, serve, and say how it ended; a break or a depot is only stood out."""
        if not stop.orderId:
            yield from self._stand(stop.duration)
            return
        service = self.scenario.service
        seconds = max(service.least_s, stop.duration * service.median * exp(self.rng.gauss(0.0, service.sigma)))
        if stop.orderId in self.done:
            yield from self._stand(seconds)
            return
        yield from self._stand(max(self.rng.uniform(10.0, 50.0), _opens(stop, self.t) - self.t))
        if self.rng.random() >= self.scenario.habits.forgotten_start:
            begun = yield from self._tell("start_service", stop.orderId)
            yield Expect(stop.orderId, "servicing", _id(begun), self.t)
        yield from self._stand(seconds)
        yield from self._end(stop)

    def _end(self, stop: Stop) -> Iterator[Step]:
        outcome = "failed" if self.rng.random() < self.scenario.outcome.failed else "success"
        form, files = self.proving.prove(stop, outcome)
        for file in files:
            yield self._send(file)
        yield from self._finish(stop, outcome, form)

    def _reject(self, stop: Stop) -> Iterator[Step]:
        yield from self._stand(self.rng.uniform(20.0, 60.0))
        note = self.rng.choice(self.scenario.outcome.rejection_reasons)
        asked = stop.requiredProof.get("failed", {}).get("note")
        yield from self._finish(stop, "rejected", Form(note=note) if asked != "off" else None)

    def _finish(self, stop: Stop, outcome: str, form: Form | None) -> Iterator[Step]:
        finished = yield from self._tell(outcome, stop.orderId, form)
        self.done.add(str(stop.orderId))
        yield Expect(str(stop.orderId), outcome, _id(finished), self.t)
        yield from self._next_on_route(finished)

    def _next_on_route(self, since: Send | None) -> Iterator[Step]:
        coming = next((str(stop.orderId) for stop in self.orders if stop.orderId not in self.done), None)
        if since is None:
            return
        if self.coming not in (None, coming) and self.coming not in self.done:
            yield Expect(str(self.coming), "scheduled", _id(since), self.t)
        if coming is not None:
            yield Expect(coming, "on_route", _id(since), self.t)
        self.coming, self.latest = coming, since

    def _breaks(self) -> list[float]:
        """When the driver wants to rest today."""
        rng, per_day = self.who.rng("breaks"), self.scenario.habits.breaks_per_day
        whole = int(per_day) + (rng.random() < per_day % 1)
        return sorted(self.leaves + rng.uniform(0.1, 0.9) * WORKING_DAY_S for _ in range(whole))

    def _rest(self) -> Iterator[Step]:
        """Breaks that are due are taken between two stops."""
        while self.breaks and self.breaks[0] <= self.t:
            self.breaks.pop(0)
            yield from self._stand(self.rng.uniform(*self.scenario.habits.break_s))

    def _stand(self, seconds: float) -> Iterator[Step]:
        here = self.here
        yield from self._pass(self.t + seconds, lambda _: here)

    def _pass(self, until: float, where: Callable[[float], Motion]) -> Iterator[Step]:
        """Time goes by: fixes are taken in their period, and a full batch is sent."""
        while (t := (handset := self._next_handset()).next_fix) <= until:
            if handset.take(where(t)) is not None and len(handset.batch) >= self.scenario.reporting.batch:
                yield Wait(t)
                yield from self._flush(handset)
        self.t = until
        yield Wait(until)

    def _next_handset(self) -> Handset:
        """The one that takes the next fix."""
        return self.handsets[0] if len(self.handsets) == 1 else min(self.handsets, key=lambda each: each.next_fix)

    def _flush(self, handset: Handset) -> Iterator[Step]:
        if handset.batch:
            fixes, handset.batch = tuple(handset.batch), []
            yield self._send(Positions(0, fixes, handset.device))

    def _tell(
        self, action: str, order: str | None = None, form: Form | None = None, planned: int | None = None
    ) -> Generator[Step, None, Send]:
        """An action stamped now, at the last fix: the phone shows the place it knows. A phone that is off is waited
        for.
        """
        if self.told_on.battery.off(self.t):
            yield from self._stand(self.told_on.battery.back - self.t)
        stamp = round(self.t + self.told_on.offset, 3)
        named = Action("", action, stamp, order, self.told_on.last, form, planned)
        sent = self._send(Actions(0, (replace(named, id=self.who.numbered(named)),)))
        yield sent
        return sent

    def _send(self, message: Message) -> Send:
        self.number += 1
        return Send(replace(message, n=self.number - 1))


def _recorded(fixes: list[Position], who: Who, batch: int) -> Iterator[Step]:
    numbers = count()

    def act(action: str, fix: Position) -> Send:
        named = Action("", action, fix.timestamp)
        return Send(Actions(next(numbers), (replace(named, id=who.numbered(named)),)))

    yield Wait(fixes[0].timestamp)
    yield act("on_duty", fixes[0])
    for begin in range(0, len(fixes), batch):
        part = tuple(fixes[begin : begin + batch])
        yield Wait(part[-1].timestamp)
        yield Send(Positions(next(numbers), part))
    yield act("off_duty", fixes[-1])


def _id(sent: Send) -> str:
    """The id of the one action of a message."""
    match sent.message:
        case Actions(actions=(action,)):
            return action.id
        case other:
            raise TypeError(f"not a message of one action: {other}")


def _open(route: Route) -> list[Stop]:
    """The stops at orders that are not cancelled."""
    return [stop for stop in route.stops if stop.orderId and stop.status != CANCELLED]


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
