"""The times of a route whose order is fixed, and what plans cost. Stops are indices into the problem here.

An order holds the stops that a vehicle serves, and the vehicle's depot where it comes back to reload: that is the
matrix' node of the depot, which is no stop's index.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from backend.planning import breaks
from backend.planning.matrix import Matrix
from backend.planning.problem import Break, Load, Place, Problem, Route, Seconds, Stop, Visit, Window

PENALTY_STEP = 10
"""One stop of a priority outweighs nine of the priority below."""
FAR = 1 << 60
"""Later than any time."""

Ranges = Sequence[Window]
"""When a service may begin: ranges in order, without overlap, both ends included."""
ALWAYS: Ranges = ((-FAR, FAR),)


def ranges(stop: Stop) -> Ranges:
    """When the service of a stop may begin: its windows less the time of service, overlapping ones joined."""
    if not stop.windows:
        return ALWAYS
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
    soonest = finish(problem, matrix, vehicle, order)
    if soonest is None or soonest[0] > shift.to_s:
        return None
    departure_s = _latest_departure(problem, matrix, vehicle, order, *soonest)
    visits, finish_s = _visits(problem, matrix, vehicle, order, departure_s, soonest[1])
    end = matrix.ends[vehicle]
    way = [matrix.starts[vehicle], *order, end] if order else []
    return Route(
        vehicle=shift.key,
        departure_s=departure_s,
        visits=tuple(visits),
        finish_s=finish_s,
        distance_m=sum(matrix.distance_m[a][b] for a, b in pairwise(way)),
        travel_s=sum(matrix.travel_s[a][b] for a, b in pairwise(way)),
    )


def finish(problem: Problem, matrix: Matrix, vehicle: int, order: Sequence[int]) -> tuple[Seconds, breaks.Legs] | None:
    """The earliest arrival at the end, be it after the shift, and the leg in which each break is taken then; None
    where a window or a break is missed.

    Exact: of each number of breaks that may be behind the driver at a node, the earliest time is kept, and an earlier
    one is never worse.
    """
    shift = problem.vehicles[vehicle]
    rests, here = shift.breaks, matrix.starts[vehicle]
    reached = breaks.before_departure(rests, shift.from_s)
    for leg, node in enumerate((*order, matrix.ends[vehicle])):
        last = leg == len(order)
        lead_s, service_s = matrix.lead_s[here][node], 0 if last else _service_s(problem, vehicle, node)
        starts = _starts(problem, node)
        onward: dict[int, tuple[Seconds, breaks.Legs]] = {}
        for behind in sorted(reached, reverse=True):
            free_s, legs = reached[behind]
            for taken in range(behind, len(rests) + 1):
                ready_s = breaks.ready(rests[behind:taken], free_s, lead_s)
                start_s = None if ready_s is None else earliest(starts, ready_s)
                if start_s is None:
                    break
                if taken not in onward or start_s + service_s < onward[taken][0]:
                    onward[taken] = start_s + service_s, (*legs, *(leg for _ in range(behind, taken)))
        here, reached = node, onward
    ended = [
        (free_s, legs)
        for taken, (free_s, legs) in sorted(reached.items())
        if all(free_s <= rest.closes_s - rest.duration_s for rest in rests[taken:])
    ]
    return min(ended, key=lambda end: end[0], default=None)


def travelled(matrix: Matrix, vehicle: int, order: Sequence[int]) -> Seconds:
    """The travel time of a route from its start to its end, or the cost that is counted in place of it."""
    if not order:
        return 0
    cost = matrix.cost(vehicle)
    between = sum(cost[a][b] for a, b in pairwise(order))
    return cost[matrix.starts[vehicle]][order[0]] + between + cost[order[-1]][matrix.ends[vehicle]]


def delivered(stop: Stop) -> Load:
    """What leaves the vehicle at a stop."""
    return stop.load if stop.kind == "delivery" else (0, 0, 0, 0)


def aboard(stop: Stop) -> Load:
    """What is on board for a stop from the start of its trip."""
    return stop.load if stop.kind == "delivery" and stop.source is None else (0, 0, 0, 0)


def picked_up(stop: Stop) -> Load:
    """What enters the vehicle at a stop."""
    return stop.load if stop.kind == "pickup" else (0, 0, 0, 0)


def detour(matrix: Matrix) -> int:
    """A cost above that of any way to serve one more stop."""
    return 4 * max(max(row) for table in matrix.costs for row in table) + 3600


def penalties(problem: Problem, matrix: Matrix) -> list[int]:
    """What dropping each stop costs: more than any detour for it, ten times as much for each step of priority."""
    base = detour(matrix)
    return [base * PENALTY_STEP**stop.priority for stop in problem.stops]


def _service_s(problem: Problem, vehicle: int, node: int) -> Seconds:
    return problem.stops[node].service_s if node < len(problem.stops) else problem.vehicles[vehicle].reload_s


def _starts(problem: Problem, node: int) -> Ranges:
    return ranges(problem.stops[node]) if node < len(problem.stops) else ALWAYS


def _place(problem: Problem, matrix: Matrix, vehicle: int, node: int) -> Place | None:
    shift = problem.vehicles[vehicle]
    if node < len(problem.stops):
        return problem.stops[node].place
    return {matrix.ends[vehicle]: shift.end, matrix.starts[vehicle]: shift.start, matrix.depots[vehicle]: shift.depot}[
        node
    ]


def _visits(
    problem: Problem, matrix: Matrix, vehicle: int, order: Sequence[int], departure_s: Seconds, legs: breaks.Legs
) -> tuple[list[Visit], Seconds]:
    """The visits as early as they can be after this departure, with the breaks in these legs, and the arrival."""
    visits: list[Visit] = []
    here, free_s = matrix.starts[vehicle], departure_s
    for leg, node in enumerate((*order, matrix.ends[vehicle])):
        rests = _of_leg(problem.vehicles[vehicle].breaks, legs, leg)
        ends = _place(problem, matrix, vehicle, here), _place(problem, matrix, vehicle, node)
        way = breaks.Way(matrix.travel_s[here][node], matrix.distance_m[here][node], *ends)
        taken = breaks.taken(rests, free_s, way)
        travel_s = way.travel_s - sum(each.travel_s for each in taken)
        arrival_s = (taken[-1].departure_s if taken else free_s) + travel_s
        visits += taken
        if leg == len(order):
            free_s = arrival_s
            break
        ready_s = breaks.ready(rests, free_s, matrix.lead_s[here][node])
        start_s = None if ready_s is None else earliest(_starts(problem, node), ready_s)
        assert start_s is not None, "an order that is known to be feasible"
        free_s = start_s + _service_s(problem, vehicle, node)
        metres = way.distance_m - sum(each.distance_m for each in taken)
        if node < len(problem.stops):
            visits.append(Visit(problem.stops[node].key, arrival_s, start_s, free_s, metres, travel_s))
        else:
            visits.append(Visit("", arrival_s, start_s, free_s, metres, travel_s, "depot", way.ends))
        here = node
    return visits, free_s


def _latest_departure(
    problem: Problem, matrix: Matrix, vehicle: int, order: Sequence[int], finish_s: Seconds, legs: breaks.Legs
) -> Seconds:
    """The latest departure with which a feasible route still finishes at this time, with the breaks in these legs."""
    following, clock = matrix.ends[vehicle], finish_s
    rests = problem.vehicles[vehicle].breaks
    for leg in range(len(order), 0, -1):
        i = order[leg - 1]
        limit_s = breaks.leave(_of_leg(rests, legs, leg), clock, matrix.lead_s[i][following])
        limit_s -= _service_s(problem, vehicle, i)
        start_s = latest(_starts(problem, i), limit_s)
        following, clock = i, limit_s if start_s is None else start_s
    return breaks.leave(_of_leg(rests, legs, 0), clock, matrix.lead_s[matrix.starts[vehicle]][following])


def _of_leg(rests: Sequence[Break], legs: breaks.Legs, leg: int) -> list[Break]:
    return [rest for rest, at in zip(rests, legs, strict=False) if at == leg]
