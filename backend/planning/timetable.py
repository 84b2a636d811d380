"""The times of a route whose order is fixed, and what a plan costs. Stops are indices into the problem here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from backend.planning.matrix import Matrix
from backend.planning.problem import Load, Problem, Route, Seconds, Stop, Visit, Window

PENALTY_STEP = 10
"""One stop of a priority outweighs nine of the priority below."""


def earliest(stop: Stop, ready_s: Seconds) -> Seconds | None:
    """The earliest time at or after ``ready_s`` at which the service may begin, None where no window is left."""
    if not stop.windows:
        return ready_s
    starts = [max(ready_s, opens) for opens, closes in stop.windows if max(ready_s, opens) + stop.service_s <= closes]
    return min(starts, default=None)


def latest(stop: Stop, limit_s: Seconds) -> Seconds | None:
    """The latest time at or before ``limit_s`` at which the service may begin, None where every window opens later."""
    if not stop.windows:
        return limit_s
    starts = [_last(stop, window, limit_s) for window in stop.windows]
    return max((start for start in starts if start is not None), default=None)


def timetable(problem: Problem, matrix: Matrix, vehicle: int, order: Sequence[int]) -> Route | None:
    """The route that serves these stops in this order, or None where it cannot be done in time.

    It finishes as early as possible and, given that, leaves as late as possible: the driver waits where waiting cannot
    be avoided and works no longer than needed. Loads are not looked at, see :func:`fits_load`.
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


def fits_load(problem: Problem, vehicle: int, order: Iterable[int]) -> bool:
    """Whether no kind of load ever exceeds its capacity, deliveries being on board from the start."""
    stops = [problem.stops[i] for i in order]
    for kind, capacity in enumerate(problem.vehicles[vehicle].capacity):
        if capacity is None:
            continue
        board = sum(delivered(stop)[kind] for stop in stops)
        if board > capacity:
            return False
        for stop in stops:
            board += picked_up(stop)[kind] - delivered(stop)[kind]
            if board > capacity:
                return False
    return True


def delivered(stop: Stop) -> Load:
    """What leaves the vehicle at a stop."""
    return stop.load if stop.kind == "delivery" else (0, 0, 0, 0)


def picked_up(stop: Stop) -> Load:
    """What enters the vehicle at a stop."""
    return stop.load if stop.kind == "pickup" else (0, 0, 0, 0)


def penalties(problem: Problem, matrix: Matrix) -> list[int]:
    """What dropping each stop costs: more than any detour for it, ten times as much for each step of priority."""
    detour = 4 * max((max(row) for row in matrix.travel_s), default=0) + 3600
    return [detour * PENALTY_STEP**stop.priority for stop in problem.stops]


def _forward(
    problem: Problem, matrix: Matrix, vehicle: int, order: Sequence[int], departure_s: Seconds
) -> tuple[list[Visit], Seconds | None]:
    """The visits as early as they can be after this departure, and the arrival at the end."""
    visits: list[Visit] = []
    here, clock = matrix.starts[vehicle], departure_s
    for i in order:
        stop = problem.stops[i]
        start_s = earliest(stop, clock + matrix.lead_s[here][i])
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
        start_s = latest(problem.stops[i], limit_s)
        following, clock = i, limit_s if start_s is None else start_s
    return clock - matrix.lead_s[matrix.starts[vehicle]][following]


def _last(stop: Stop, window: Window, limit_s: Seconds) -> Seconds | None:
    start_s = min(limit_s, window[1] - stop.service_s)
    return start_s if start_s >= window[0] else None
