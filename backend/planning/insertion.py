"""Stops put into routes one by one, each where it lengthens a route least.

A check of one position costs constant time, by keeping each visit's earliest and latest start (Savelsbergh 1992, "The
vehicle routing problem with time windows: minimizing route duration"). The first plan is made this way: the hardest
stops go first: by priority, then by how few vehicles can serve them, by the nearest deadline, by how far they are.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise

import msgspec

from backend.planning.matrix import Matrix
from backend.planning.problem import Problem, Stop, Vehicle, pairs
from backend.planning.timetable import (
    ALWAYS,
    FAR,
    Ranges,
    aboard,
    delivered,
    earliest,
    finish,
    latest,
    picked_up,
    ranges,
    travelled,
)

PARTED = 12
"""Longer routes are not parted by a visit to the depot, only lengthened: that would take too long to try."""

Order = list[int]
Orders = list[Order]
"""For each vehicle the stops of its route in order, as indices into the problem, and its depot's node where it comes
back to reload."""


def insert(problem: Problem, matrix: Matrix, choices: list[list[int]], planned: Sequence[Order]) -> Orders:
    """Orders with as many stops as fit. ``choices``: for each stop the vehicles that may serve it.

    The ``planned`` orders are kept as far as they can be: a stop that no longer fits at its place is inserted anew,
    unless its route is locked as it is.
    """
    routes, paired = trips(problem, matrix), pairs(problem)
    fixed = locked(problem)
    placed: set[int] = set()
    for trip, order in zip(routes, planned, strict=True):
        _follow(problem, choices, paired, trip, [i for i in order if i not in placed])
        placed.update(i for i in trip.order if i < len(problem.stops))
    for i in _sorted(problem, matrix, choices):
        if i not in placed and i not in fixed:
            found = cheapest(routes, choices[i], i, problem.stops[i], paired.get(i))
            if found is not None:
                routes[found[0]].replace(found[1])
                placed.update(found[1])
    for trip in routes:
        trip.tidy()
    return [trip.order for trip in routes]


def locked(problem: Problem) -> set[int]:
    """The stops of routes that are locked as they are, and what is related to them."""
    if problem.options.lock != "ROUTES":
        return set()
    known = {vehicle.key for vehicle in problem.vehicles}
    keys = {key for route in problem.options.existing if route.vehicle in known for key in route.stops}
    kept = {i for i, stop in enumerate(problem.stops) if stop.key in keys}
    return kept | {i for pair in pairs(problem).values() if kept.intersection(pair) for i in pair}


def trips(problem: Problem, matrix: Matrix, orders: Sequence[Order] = ()) -> list[Trip]:
    """Feasible orders, or empty ones, ready for insertions."""
    starts = [ranges(stop) for stop in problem.stops]
    starts += [ALWAYS] * (len(matrix.travel_s) - len(starts))
    fetched = frozenset(pickup for pickup, _ in pairs(problem).values())
    kinds: dict[Vehicle, int] = {}
    routes = []
    for vehicle, shift in enumerate(problem.vehicles):
        kind = kinds.setdefault(msgspec.structs.replace(shift, key=""), vehicle)
        routes.append(Trip(problem, matrix, starts, fetched, vehicle, kind))
    for trip, order in zip(routes, orders, strict=False):
        trip.replace(order)
    return routes


def cheapest(
    routes: list[Trip], vehicles: list[int], i: int, stop: Stop, pair: tuple[int, int] | None
) -> tuple[int, Order] | None:
    """The vehicle whose way the stop with index i, or its pair, lengthens least, and its order then.

    Of idle vehicles that differ in nothing but their keys one is enough to try.
    """
    found: tuple[int, Order] | None = None
    starts, bound = ranges(stop), float(FAR)
    idle: set[int] = set()
    for vehicle in vehicles:
        trip = routes[vehicle]
        if not trip.order:
            if trip.kind in idle:
                continue
            idle.add(trip.kind)
        if pair is None:
            place = trip.best(i, stop, starts, bound)
            if place:
                bound, found = place[0], (vehicle, trip.with_stop(i, place[1]))
        else:
            both = trip.best_pair(*pair, bound)
            if both:
                bound, found = both[0], (vehicle, both[1])
    if found is None and any(stop.load):
        for vehicle in vehicles:
            anew = routes[vehicle].best_trip((i,) if pair is None else pair, stop, bound)
            if anew:
                bound, found = anew[0], (vehicle, anew[1])
    return found


class Trip:
    """A route under construction, with what is needed to check an insertion in constant time."""

    def __init__(
        self, problem: Problem, matrix: Matrix, starts: list[Ranges], fetched: frozenset[int], vehicle: int, kind: int
    ) -> None:
        self.vehicle, self.kind = vehicle, kind
        self.order: Order = []
        self._problem, self._matrix, self._starts, self._fetched = problem, matrix, starts, fetched
        self._start, self._end = matrix.starts[vehicle], matrix.ends[vehicle]
        self._shift = problem.vehicles[vehicle]
        self._room = {kind: room for kind, room in enumerate(self._shift.capacity) if room is not None}
        self._refresh()

    def best(
        self,
        i: int,
        stop: Stop,
        starts: Ranges,
        bound: float,
        within: range | None = None,
    ) -> tuple[float, int] | None:
        """The least travel seconds below ``bound`` that the stop with index i adds, and where; None if it cannot be.

        ``starts`` are the stop's ranges. Positions out of ``within`` are left out. This loop is where insertion
        spends its time, hence the plain style.
        """
        lead_s, free, due, nodes = self._matrix.lead_s, self._free, self._due, self._nodes
        inward, onward = self._matrix.into(self.vehicle)[i], self._matrix.cost(self.vehicle)[i]
        lead_onward_s, service_s = lead_s[i], stop.service_s
        deadline_s = starts[-1][1] if starts else -FAR
        positions = range(len(nodes) - 1) if within is None else within
        first, last, place = positions.start, min(positions.stop, bisect_right(free, deadline_s)), -1
        legs = zip(range(first, last), nodes[first:last], nodes[first + 1 :], self._legs[first:], strict=False)
        for position, before, after, leg in legs:
            cost = inward[before] + onward[after] - leg
            if cost < bound and (ready_s := free[position] + lead_s[before][i]) <= deadline_s:
                for opens, closes in starts:
                    if ready_s <= closes:
                        ready_s = max(ready_s, opens)
                        break
                if (
                    ready_s + service_s + lead_onward_s[after] <= due[position]
                    and (stop.kind == "task" or self._carries(stop, position))
                    and self._rests(i, stop, position)
                ):
                    bound, place = cost, position
        return (bound, place) if place >= 0 else None

    def best_pair(self, pickup: int, delivery: int, bound: float) -> tuple[float, Order] | None:
        """The least travel seconds below ``bound`` that a pair adds, and the order with it; None if it cannot be."""
        first, second = self._problem.stops[pickup], self._problem.stops[delivery]
        found: tuple[float, Order] | None = None
        way = travelled(self._matrix, self.vehicle, self.order)
        tried = [self.with_stop(pickup, position) for position in range(len(self.order) + 1)]
        costs = [travelled(self._matrix, self.vehicle, order) - way for order in tried]
        for spent, position in sorted(zip(costs, range(len(tried)), strict=True)):
            if spent >= bound:
                break
            trip = self._with(tried[position])
            if not trip.in_time:
                continue
            within = range(position + 1, self._reach(first, position) + 1)
            place = trip.best(delivery, second, self._starts[delivery], bound - spent, within)
            if place:
                bound = spent + place[0]
                found = bound, trip.with_stop(delivery, place[1])
        return found

    def best_trip(self, stops: tuple[int, ...], stop: Stop, bound: float) -> tuple[float, Order] | None:
        """The least travel seconds below ``bound`` that a trip of its own for these stops adds, before or after what
        there is, or where a short route is parted, and the order with it; None if it cannot be."""
        if not self.order or self.reloads >= self._shift.returns:
            return None
        found: tuple[float, Order] | None = None
        size, depot = len(self.order), self._matrix.depots[self.vehicle]
        way_s = travelled(self._matrix, self.vehicle, self.order)
        for position in range(size + 1) if size <= PARTED else (0, size):
            before, after = self.order[:position], self.order[position:]
            for order in ([*before, *stops, depot, *after], [*before, depot, *stops, *after]):
                added_s = travelled(self._matrix, self.vehicle, order) - way_s
                if added_s < bound:
                    trip = self._with(order)
                    if trip.in_time and trip.in_room:
                        bound, found = added_s, (added_s, order)
        return found

    def tidy(self) -> None:
        """Leave out the visits to the depot without which the route is no worse."""
        for position in range(len(self.order) - 1, -1, -1):
            if self.order[position] >= len(self._problem.stops):
                before = self.order
                self.replace(before[:position] + before[position + 1 :])
                if not (self.in_time and self.in_room):
                    self.replace(before)

    def with_stop(self, i: int, position: int) -> Order:
        """The order with one stop more."""
        return [*self.order[:position], i, *self.order[position:]]

    def replace(self, order: Order) -> None:
        """Take another order. The list is kept and never changed."""
        self.order = order
        self._refresh()

    @property
    def in_time(self) -> bool:
        """Whether all windows, the breaks and the shift are kept."""
        if self._shift.breaks and self.order:
            return self._finishes(self._problem, self.order)
        last = self.order[-1] if self.order else self._start
        return self._free[-1] + self._matrix.lead_s[last][self._end] <= self._shift.to_s

    @property
    def reloads(self) -> int:
        """How often the vehicle comes back to its depot."""
        return len(self._depots)

    @property
    def in_room(self) -> bool:
        """Whether no load is ever more than its capacity."""
        fits = all(max(self._board[kind]) <= room for kind, room in self._room.items())
        return fits and self.reloads <= self._shift.returns

    def _with(self, order: Order) -> Trip:
        trip = Trip(self._problem, self._matrix, self._starts, self._fetched, self.vehicle, self.kind)
        trip.replace(order)
        return trip

    def _reach(self, stop: Stop, position: int) -> int:
        """The last position, counted with the stop on the route, where its load can be put down again."""
        reach = position
        while reach <= len(self.order) and self._has_room(stop, slice(reach, reach + 1)):
            reach += 1
        return reach

    def _carries(self, stop: Stop, position: int) -> bool:
        if stop.source is not None:
            return True
        if stop.kind == "delivery":
            begins = max((depot + 1 for depot in self._depots if depot < position), default=0)
            return self._has_room(stop, slice(begins, position + 1))
        ends = min((depot + 1 for depot in self._depots if depot >= position), default=None)
        return self._has_room(stop, slice(position, ends))

    def _rests(self, i: int, stop: Stop, position: int) -> bool:
        """Whether the driver's breaks can be kept with one stop more."""
        if not self._shift.breaks:
            return True
        problem = self._problem
        if stop is not problem.stops[i]:
            problem = msgspec.structs.replace(problem, stops=(*problem.stops[:i], stop, *problem.stops[i + 1 :]))
        return self._finishes(problem, self.with_stop(i, position))

    def _finishes(self, problem: Problem, order: Order) -> bool:
        soonest = finish(problem, self._matrix, self.vehicle, order)
        return soonest is not None and soonest[0] <= self._shift.to_s

    def _service_s(self, i: int) -> int:
        return self._problem.stops[i].service_s if i < len(self._problem.stops) else self._shift.reload_s

    def _has_room(self, stop: Stop, legs: slice) -> bool:
        return all(
            max(self._board[kind][legs]) + stop.load[kind] <= room
            for kind, room in self._room.items()
            if stop.load[kind]
        )

    def _refresh(self) -> None:
        """``_nodes[k]``: where leg k begins; ``_legs[k]``: what it costs; ``_free[k]``: when it may begin; ``_due[k]``:
        its latest end, both as if there were no breaks; ``_board[kind][k]``: the load on it; ``_depots``: the positions
        of the visits to the depot."""
        way = self._matrix.cost(self.vehicle)
        self._nodes = [self._start, *self.order, self._end]
        self._legs = [way[a][b] for a, b in pairwise(self._nodes)] if self.order else [0]
        starts, lead_s = self._starts, self._matrix.lead_s
        clock, before = self._shift.from_s, self._start
        self._free = [clock]
        for i in self.order:
            start_s = earliest(starts[i], clock + lead_s[before][i])
            clock = (FAR if start_s is None else start_s) + self._service_s(i)
            self._free.append(clock)
            before = i
        clock, after = self._shift.to_s, self._end
        self._due = [clock]
        for i in reversed(self.order):
            start_s = latest(starts[i], clock - lead_s[i][after] - self._service_s(i))
            clock = -FAR if start_s is None else start_s
            self._due.append(clock)
            after = i
        self._due.reverse()
        self._depots = [k for k, i in enumerate(self.order) if i >= len(self._problem.stops)]
        self._board = {kind: self._on_board(kind) for kind in self._room}

    def _on_board(self, kind: int) -> list[int]:
        heights: list[int] = []
        kept = begins = 0
        for ends in (*self._depots, len(self.order)):
            trip = [(i, self._problem.stops[i]) for i in self.order[begins:ends]]
            sent = sum(aboard(stop)[kind] for _, stop in trip)
            heights += accumulate(
                (picked_up(stop)[kind] - delivered(stop)[kind] for _, stop in trip), initial=kept + sent
            )
            kept += sum(stop.load[kind] for i, stop in trip if i in self._fetched)
            kept -= sum(stop.load[kind] for _, stop in trip if stop.source is not None)
            begins = ends + 1
        return heights


def _follow(
    problem: Problem, choices: list[list[int]], paired: dict[int, tuple[int, int]], trip: Trip, order: Order
) -> None:
    """Let a trip have an order, or as much of it as can be, without the pairs then."""
    size = len(problem.stops)
    order = [i for i in order if i >= size or trip.vehicle in choices[i]]
    known = {i: position for position, i in enumerate(order)}
    whole = all(a in known and b in known and known[a] < known[b] for a, b in (paired[i] for i in order if i in paired))
    trip.replace(order)
    if whole and trip.in_time and trip.in_room:
        return
    trip.replace([])
    for i in order:
        end = len(trip.order)
        if i >= size:
            trip.replace([*trip.order, i])
            if not (trip.in_time and trip.in_room):
                trip.replace(trip.order[:-1])
        elif i not in paired and trip.best(i, problem.stops[i], ranges(problem.stops[i]), FAR, range(end, end + 1)):
            trip.replace(trip.with_stop(i, end))


def _sorted(problem: Problem, matrix: Matrix, choices: list[list[int]]) -> list[int]:
    """The stops in the order in which they are inserted."""
    depots = set(matrix.starts)

    def hard(i: int) -> tuple[int, int, int, int]:
        stop = problem.stops[i]
        deadline = max((closes for _, closes in stop.windows), default=FAR)
        far = max((matrix.travel_s[depot][i] for depot in depots), default=0)
        return -stop.priority, len(choices[i]), deadline, -far

    return sorted(range(len(problem.stops)), key=hard)
