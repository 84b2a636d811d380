"""Stops of high priority, sooner.

A search minimizes the way; of two orders of stops that differ little it cannot know which is better for the one who
waits. Here a route is turned round, or a stop moved forward in it or to an earlier day, where that brings stops of high
priority forward by more than it costs: an hour is worth three minutes of travel, and six for a critical stop.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from backend.planning import insertion
from backend.planning.insertion import Order, Orders, Trip
from backend.planning.matrix import Matrix
from backend.planning.problem import Problem, pairs
from backend.planning.timetable import timetable, travelled

WEIGHTS = {2: 1, 3: 2}
"""What a second earlier is worth, in twentieths of a second of travel, by priority."""
UNIT = 20
ROUNDS = 4
"""How often a route is looked through at most."""
DAY_S = 86_400 // 2
"""Shifts that begin so much earlier are of an earlier day."""


def earlier(problem: Problem, matrix: Matrix, movable: list[list[int]], orders: Orders) -> Orders:
    """The same stops served, those of high priority sooner. ``movable``: for each stop the vehicles it may go to; a
    route with a stop that has none stays as it is."""
    if not any(stop.priority in WEIGHTS for stop in problem.stops):
        return orders
    trips = insertion.trips(problem, matrix, orders)
    for trip in trips:
        if all(i >= len(problem.stops) or movable[i] for i in trip.order):
            _improve(problem, matrix, trip)
    if problem.options.balancing == "OFF":
        for trip in sorted(trips, key=lambda trip: problem.vehicles[trip.vehicle].from_s):
            _advance(problem, matrix, movable, trips, trip)
    return [trip.order for trip in trips]


def _improve(problem: Problem, matrix: Matrix, trip: Trip) -> None:
    """Take the best of the other orders of one route as long as there is a better one."""
    urgent = {i for i in trip.order if i < len(problem.stops) and problem.stops[i].priority in WEIGHTS}
    urgent -= pairs(problem).keys()
    for _ in range(ROUNDS if urgent and len(trip.order) > 1 else 0):
        before = trip.order
        best, found = _cost(problem, matrix, trip.vehicle, before), before
        for order in _others(problem, matrix, trip.vehicle, before, urgent):
            trip.replace(order)
            if trip.in_time and trip.in_room and (cost := _cost(problem, matrix, trip.vehicle, order)) < best:
                best, found = cost, order
        trip.replace(found)
        if found == before:
            return


def _others(problem: Problem, matrix: Matrix, vehicle: int, order: Order, urgent: set[int]) -> Iterator[Order]:
    """The order turned round, and with one urgent stop farther in front, where that may be worth its way."""
    if not pairs(problem).keys() & set(order):
        yield order[::-1]
    starts, way_s = _starts(problem, matrix, vehicle, order), travelled(matrix, vehicle, order)
    for position in (position for position, i in enumerate(order) if i in urgent):
        rest = order[:position] + order[position + 1 :]
        for place in range(position):
            moved = [*rest[:place], order[position], *rest[place:]]
            gained = WEIGHTS[problem.stops[order[position]].priority] * (starts[position] - starts[place])
            if UNIT * (travelled(matrix, vehicle, moved) - way_s) < gained:
                yield moved


def _advance(problem: Problem, matrix: Matrix, movable: list[list[int]], trips: Sequence[Trip], trip: Trip) -> None:
    """Move urgent stops of a route to routes of earlier days."""
    begins_s, paired = problem.vehicles[trip.vehicle].from_s, pairs(problem)
    for i in [i for i in trip.order if i < len(problem.stops) and i not in paired]:
        stop = problem.stops[i]
        days = [v for v in movable[i] if problem.vehicles[v].from_s <= begins_s - DAY_S]
        found = insertion.cheapest(list(trips), days, i, stop, None) if stop.priority in WEIGHTS and days else None
        if found is None:
            continue
        vehicle, order = found
        rest = [each for each in trip.order if each != i]
        pair = [(trip.vehicle, trip.order, rest), (vehicle, trips[vehicle].order, order)]
        if sum(_cost(problem, matrix, v, new) - _cost(problem, matrix, v, old) for v, old, new in pair) < 0:
            trips[vehicle].replace(order)
            trip.replace(rest)
            trip.tidy()


def _cost(problem: Problem, matrix: Matrix, vehicle: int, order: Order) -> int:
    """Travel and the times of urgent stops, in twentieths of a second; of an order that can be driven."""
    starts = _starts(problem, matrix, vehicle, order)
    urgent = (
        WEIGHTS.get(problem.stops[i].priority, 0) * start_s
        for i, start_s in zip(order, starts, strict=True)
        if i < len(problem.stops)
    )
    return UNIT * travelled(matrix, vehicle, order) + sum(urgent)


def _starts(problem: Problem, matrix: Matrix, vehicle: int, order: Order) -> list[int]:
    route = timetable(problem, matrix, vehicle, order) if order else None
    return [visit.start_s for visit in route.visits if visit.kind != "break"] if route else []
