"""The times of a route whose order is fixed, and what plans cost. Stops are indices into the problem here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from backend.planning.matrix import Matrix
from backend.planning.problem import Load, Problem, Route, Seconds, Stop, Visit, Window

PENALTY_STEP = 10
"""One stop of a priority outweighs nine of the priority below."""
FAR = 1 << 60
"""Later than any time."""

Ranges = Sequence[Window]
"""When a service may begin: ranges in order, without overlap, both ends included."""


def ranges(stop: Stop) -> Ranges:
    """When the service of a stop may begin: its windows less the time of service, overlapping ones joined."""
    if not stop.windows:
        return ((-FAR, FAR),)
    joined: list[Window] = []
    for opens, closes in sorted(stop.windows):
        last = closes - stop.service_s
        if last < opens:
            continue
        if joined and opens <= joined[-1][1] + 1:
            joined[-1] = joined[-1][0], max(joined[-1][1], last)
        else:
            joined.append((opens, last))
    return joined


def earliest(starts: Ranges, ready_s: Seconds) -> Seconds | None:
    """The earliest beginning at or after ``ready_s``, None where it is too late for every range."""
    for first, last in starts:
        if ready_s <= last:
            return max(ready_s, first)
    return None


def latest(starts: Ranges, limit_s: Seconds) -> Seconds | None:
    """The latest beginning at or before ``limit_s``, None where it is too early for every range."""
    for first, last in reversed(starts):
        if first <= limit_s:
            return min(limit_s, last)
    return None


def timetable(problem: Problem, matrix: Matrix, vehicle: int, order: Sequence[int]) -> Route | None:
    """The route that serves these stops in this order, or None where it cannot be done in time.

    It finishes as early as possible and, given that, leaves as late as possible: the driver waits where waiting cannot
    be avoided and works no longer than needed. Loads are not looked at.
    """
    shift = problem.vehicles[vehicle]
    finish_s = _forward(problem, matrix, vehicle, order, shift.from_s)[1]
    if finish_s is None or finish_s > shift.to_s:
        return None
    departure_s = _latest_departure(problem, matrix, vehicle, order, finish_s)
    visits, finish_s = _forward(problem, matrix, vehicle, order, departure_s)
    if finish_s is None:
        return None
    end = matrix.ends[vehicle]
    return Route(
        vehicle=shift.key,
        departure_s=departure_s,
        visits=tuple(visits),
        finish_s=finish_s,
        distance_m=sum(visit.distance_m for visit in visits) + matrix.distance_m[order[-1]][end],
        travel_s=sum(visit.travel_s for visit in visits) + matrix.travel_s[order[-1]][end],
    )


def travelled(matrix: Matrix, vehicle: int, order: Sequence[int]) -> Seconds:
    """The travel time of a route from its start to its end."""
    if not order:
        return 0
    travel_s = matrix.travel_s
    between = sum(travel_s[a][b] for a, b in pairwise(order))
    return travel_s[matrix.starts[vehicle]][order[0]] + between + travel_s[order[-1]][matrix.ends[vehicle]]


def delivered(stop: Stop) -> Load:
    """What leaves the vehicle at a stop."""
    return stop.load if stop.kind == "delivery" else (0, 0, 0, 0)


def aboard(stop: Stop) -> Load:
    """What is on board for a stop from the start of its route."""
    return stop.load if stop.kind == "delivery" and stop.source is None else (0, 0, 0, 0)


def picked_up(stop: Stop) -> Load:
    """What enters the vehicle at a stop."""
    return stop.load if stop.kind == "pickup" else (0, 0, 0, 0)


def detour(matrix: Matrix) -> int:
    """A cost above that of any way to serve one more stop."""
    return 4 * max((max(row) for row in matrix.travel_s), default=0) + 3600


def penalties(problem: Problem, matrix: Matrix) -> list[int]:
    """What dropping each stop costs: more than any detour for it, ten times as much for each step of priority."""
    base = detour(matrix)
    return [base * PENALTY_STEP**stop.priority for stop in problem.stops]


def _forward(
    problem: Problem, matrix: Matrix, vehicle: int, order: Iterable[int], departure_s: Seconds
) -> tuple[list[Visit], Seconds | None]:
    """The visits as early as they can be after this departure, and the arrival at the end."""
    visits: list[Visit] = []
    here, clock = matrix.starts[vehicle], departure_s
    for i in order:
        stop = problem.stops[i]
        start_s = earliest(ranges(stop), clock + matrix.lead_s[here][i])
        if start_s is None:
            return visits, None
        travel_s = matrix.travel_s[here][i]
        done_s = start_s + stop.service_s
        visits.append(Visit(stop.key, clock + travel_s, start_s, done_s, matrix.distance_m[here][i], travel_s))
        here, clock = i, done_s
    return visits, clock + matrix.travel_s[here][matrix.ends[vehicle]]


def _latest_departure(
    problem: Problem, matrix: Matrix, vehicle: int, order: Sequence[int], finish_s: Seconds
) -> Seconds:
    """The latest departure with which a feasible route still finishes at this time."""
    following, clock = matrix.ends[vehicle], finish_s
    for i in reversed(order):
        limit_s = clock - matrix.lead_s[i][following] - problem.stops[i].service_s
        start_s = latest(ranges(problem.stops[i]), limit_s)
        following, clock = i, limit_s if start_s is None else start_s
    return clock - matrix.lead_s[matrix.starts[vehicle]][following]
