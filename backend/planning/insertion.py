"""Stops put into routes one by one, each where it lengthens a route least.

A check of one position costs constant time, by keeping each visit's earliest and latest start (Savelsbergh 1992, "The
vehicle routing problem with time windows: minimizing route duration"). The first plan is made this way: the hardest
stops go first, by priority, then by how few vehicles can serve them, then by the nearest deadline.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate

from backend.planning.matrix import Matrix
from backend.planning.problem import Problem, Stop
from backend.planning.timetable import FAR, Ranges, delivered, earliest, latest, picked_up, ranges

BLINK = 0.01
"""How often a search overlooks a position, so that it does not always do the same."""

Order = list[int]
Orders = list[Order]
"""For each vehicle the stops of its route in order, as indices into the problem."""


def insert(problem: Problem, matrix: Matrix, choices: list[list[int]], planned: Sequence[Order]) -> Orders:
    """Orders with as many stops as fit. ``choices``: for each stop the vehicles that may serve it.

    The ``planned`` orders are kept as far as they can be: a stop that no longer fits at its place is inserted anew.
    """
    routes = trips(problem, matrix)
    placed: set[int] = set()
    for trip, order in zip(routes, planned, strict=True):
        for i in order:
            stop, last = problem.stops[i], len(trip.order)
            if i not in placed and trip.vehicle in choices[i] and trip.best(i, stop, ranges(stop), FAR, last):
                trip.insert(i, last)
                placed.add(i)
    for i in sorted(range(len(problem.stops)), key=lambda i: _hardness(problem, choices, i)):
        if i not in placed:
            place = cheapest(routes, choices[i], i, problem.stops[i])
            if place is not None:
                routes[place[0]].insert(i, place[1])
    return [trip.order for trip in routes]


def trips(problem: Problem, matrix: Matrix, orders: Sequence[Order] = ()) -> list[Trip]:
    """Feasible orders, or empty ones, ready for insertions."""
    starts = [ranges(stop) for stop in problem.stops]
    routes = [Trip(problem, matrix, starts, vehicle) for vehicle in range(len(problem.vehicles))]
    for trip, order in zip(routes, orders, strict=False):
        trip.replace(order)
    return routes


def cheapest(routes: list[Trip], vehicles: list[int], i: int, stop: Stop) -> tuple[int, int] | None:
    """The vehicle and the position where the stop with index i lengthens a route least, None where it fits nowhere."""
    place: tuple[int, int] | None = None
    starts, bound = ranges(stop), FAR
    for vehicle in vehicles:
        found = routes[vehicle].best(i, stop, starts, bound)
        if found:
            bound, place = found[0], (vehicle, found[1])
    return place


class Trip:
    """A route under construction, with what is needed to check an insertion in constant time."""

    def __init__(self, problem: Problem, matrix: Matrix, starts: list[Ranges], vehicle: int) -> None:
        self.vehicle = vehicle
        self.order: Order = []
        self._problem, self._matrix, self._starts = problem, matrix, starts
        self._start, self._end = matrix.starts[vehicle], matrix.ends[vehicle]
        self._shift = problem.vehicles[vehicle]
        self._loads = [kind for kind, room in enumerate(self._shift.capacity) if room is not None]
        self._refresh()

    def best(
        self, i: int, stop: Stop, starts: Ranges, bound: float, first: int = 0, luck: Callable[[], float] | None = None
    ) -> tuple[float, int] | None:
        """The least travel seconds below ``bound`` that the stop with index i adds, and where; None if it cannot be.

        ``starts`` are the stop's ranges; positions before ``first`` are left out, and those where ``luck`` draws a
        number below :data:`BLINK`. This loop is where a search spends its time, hence the plain style.
        """
        travel_s, lead_s = self._matrix.travel_s, self._matrix.lead_s
        order, free, due = self.order, self._free, self._due
        onward_s, lead_onward_s, service_s = travel_s[i], lead_s[i], stop.service_s
        deadline_s = starts[-1][1] if starts else -FAR
        before, place = order[first - 1] if first else self._start, -1
        for position in range(first, len(order) + 1):
            after = order[position] if position < len(order) else self._end
            cost = travel_s[before][i] + onward_s[after] - (travel_s[before][after] if order else 0)
            ready_s = free[position] + lead_s[before][i]
            if free[position] > deadline_s:
                break
            if cost < bound and ready_s <= deadline_s and (luck is None or luck() >= BLINK):
                for opens, closes in starts:
                    if ready_s <= closes:
                        ready_s = max(ready_s, opens)
                        break
                in_time = ready_s + service_s + lead_onward_s[after] <= due[position]
                if in_time and (stop.kind == "task" or self._carries(stop, position)):
                    bound, place = cost, position
            before = after
        return (bound, place) if place >= 0 else None

    def insert(self, i: int, position: int) -> None:
        self.replace([*self.order[:position], i, *self.order[position:]])

    def replace(self, order: Order) -> None:
        """Take another feasible order. The list is kept and never changed."""
        self.order = order
        self._refresh()

    def _carries(self, stop: Stop, position: int) -> bool:
        for kind in self._loads:
            if stop.load[kind]:
                board = self._board[kind]
                affected = board[: position + 1] if stop.kind == "delivery" else board[position:]
                if max(affected) + stop.load[kind] > self._shift.capacity[kind]:
                    return False
        return True

    def _refresh(self) -> None:
        """``_free[k]``: when leg k may begin; ``_due[k]``: its latest end; ``_board[kind][k]``: the load on it."""
        stops, starts, lead_s = self._problem.stops, self._starts, self._matrix.lead_s
        clock, before = self._shift.from_s, self._start
        self._free = [clock]
        for i in self.order:
            start_s = earliest(starts[i], clock + lead_s[before][i])
            clock = (FAR if start_s is None else start_s) + stops[i].service_s
            self._free.append(clock)
            before = i
        clock, after = self._shift.to_s, self._end
        self._due = [clock]
        for i in reversed(self.order):
            start_s = latest(starts[i], clock - lead_s[i][after] - stops[i].service_s)
            clock = -FAR if start_s is None else start_s
            self._due.append(clock)
            after = i
        self._due.reverse()
        self._board = {kind: self._on_board(kind) for kind in self._loads}

    def _on_board(self, kind: int) -> list[int]:
        stops = [self._problem.stops[i] for i in self.order]
        sent = sum(delivered(stop)[kind] for stop in stops)
        return list(accumulate((picked_up(stop)[kind] - delivered(stop)[kind] for stop in stops), initial=sent))


def _hardness(problem: Problem, choices: list[list[int]], i: int) -> tuple[int, int, int]:
    stop = problem.stops[i]
    deadline = max((closes for _, closes in stop.windows), default=FAR)
    return -stop.priority, len(choices[i]), deadline
