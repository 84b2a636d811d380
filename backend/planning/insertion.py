"""A plan in a fraction of a second: stops are inserted one by one where they lengthen a route least.

This is the warm start of the search, what is left when the search is stopped at once, and what a plan falls back to.
The hardest stops go first: by priority, then by how few vehicles can serve them, then by the nearest deadline. A check
of one position costs constant time, by keeping each visit's earliest and latest start (Savelsbergh 1992, "The vehicle
routing problem with time windows: minimizing route duration").
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from backend.planning.matrix import Matrix
from backend.planning.problem import LOADS, Problem, Stop
from backend.planning.timetable import delivered, earliest, latest, picked_up

Order = list[int]
_FAR = 1 << 60


def insert(problem: Problem, matrix: Matrix, choices: list[list[int]], planned: Sequence[Order]) -> list[Order]:
    """Orders of stops per vehicle. ``choices``: for each stop the vehicles that may serve it.

    The ``planned`` orders are kept as far as they can be: a stop that no longer fits at its place is inserted anew.
    """
    routes = [Trip(problem, matrix, vehicle) for vehicle in range(len(problem.vehicles))]
    placed: set[int] = set()
    for trip, order in zip(routes, planned, strict=True):
        for i in order:
            fits = i not in placed and trip.vehicle in choices[i]
            if fits and trip.cost(i, problem.stops[i], len(trip.order)) is not None:
                trip.insert(i, len(trip.order))
                placed.add(i)
    for i in sorted(range(len(problem.stops)), key=lambda i: _hardness(problem, choices, i)):
        if i not in placed:
            place = cheapest(routes, choices[i], i, problem.stops[i])
            if place is not None:
                routes[place[0]].insert(i, place[1])
    return [trip.order for trip in routes]


def trips(problem: Problem, matrix: Matrix, orders: Sequence[Order]) -> list[Trip]:
    """Feasible orders as trips, ready for further insertions."""
    routes = [Trip(problem, matrix, vehicle) for vehicle in range(len(problem.vehicles))]
    for trip, order in zip(routes, orders, strict=True):
        trip.replace(order)
    return routes


def cheapest(routes: list[Trip], vehicles: list[int], i: int, stop: Stop) -> tuple[int, int] | None:
    """The vehicle and the position where the stop with index i lengthens a route least, None where it fits nowhere."""
    best: tuple[int, int, int] | None = None
    for vehicle in vehicles:
        trip = routes[vehicle]
        for position in range(len(trip.order) + 1):
            cost = trip.cost(i, stop, position)
            if cost is not None and (best is None or cost < best[0]):
                best = cost, vehicle, position
    return best and best[1:]


class Trip:
    """A route under construction, with what is needed to check an insertion in constant time."""

    def __init__(self, problem: Problem, matrix: Matrix, vehicle: int) -> None:
        self.vehicle = vehicle
        self.order: Order = []
        self._problem, self._matrix = problem, matrix
        self._start, self._end = matrix.starts[vehicle], matrix.ends[vehicle]
        self._shift = problem.vehicles[vehicle]
        self._refresh()

    def cost(self, i: int, stop: Stop, position: int) -> int | None:
        """The travel seconds that a stop with index i adds at a position, None where it does not fit there."""
        matrix = self._matrix
        before = self.order[position - 1] if position else self._start
        after = self.order[position] if position < len(self.order) else self._end
        start_s = earliest(stop, self._free[position] + matrix.lead_s[before][i])
        if start_s is None or start_s + stop.service_s + matrix.lead_s[i][after] > self._due[position]:
            return None
        if stop.kind != "task" and not self._carries(stop, position):
            return None
        travel_s = matrix.travel_s
        saved = travel_s[before][after] if self.order else 0
        return travel_s[before][i] + travel_s[i][after] - saved

    def insert(self, i: int, position: int) -> None:
        self.replace([*self.order[:position], i, *self.order[position:]])

    def replace(self, order: Order) -> None:
        self.order = order
        self._refresh()

    def _carries(self, stop: Stop, position: int) -> bool:
        for kind, room in enumerate(self._shift.capacity):
            if room is None or not stop.load[kind]:
                continue
            board = self._board[kind]
            affected = board[: position + 1] if stop.kind == "delivery" else board[position:]
            if max(affected) + stop.load[kind] > room:
                return False
        return True

    def _refresh(self) -> None:
        """``_free[k]``: when leg k may begin; ``_due[k]``: its latest end; ``_board[kind][k]``: the load on it."""
        stops = [self._problem.stops[i] for i in self.order]
        lead_s = self._matrix.lead_s
        nodes = [self._start, *self.order, self._end]
        self._free = [self._shift.from_s]
        for k, stop in enumerate(stops):
            start_s = earliest(stop, self._free[k] + lead_s[nodes[k]][nodes[k + 1]])
            self._free.append((_FAR if start_s is None else start_s) + stop.service_s)
        self._due = [self._shift.to_s]
        for k in range(len(stops) - 1, -1, -1):
            limit_s = self._due[-1] - lead_s[nodes[k + 1]][nodes[k + 2]] - stops[k].service_s
            start_s = latest(stops[k], limit_s)
            self._due.append(-_FAR if start_s is None else start_s)
        self._due.reverse()
        self._board = [
            list(
                accumulate(
                    (picked_up(stop)[kind] - delivered(stop)[kind] for stop in stops),
                    initial=sum(delivered(stop)[kind] for stop in stops),
                )
            )
            for kind in range(LOADS)
        ]


def _hardness(problem: Problem, choices: list[list[int]], i: int) -> tuple[int, int, int]:
    stop = problem.stops[i]
    deadline = max((closes for _, closes in stop.windows), default=_FAR)
    return -stop.priority, len(choices[i]), deadline
