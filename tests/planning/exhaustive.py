"""The best plan of a small problem by trying every order of every subset on every vehicle, written without the
planner's own tables of times and loads."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from backend.planning.matrix import leg, travel
from backend.planning.problem import Place, Problem, Stop, Vehicle
from backend.planning.timetable import penalties

RELOAD = None
"""Stands in a sequence for a visit to the depot."""
Sequence = tuple[Stop | None, ...]


def least_cost(problem: Problem) -> int:
    """Travel seconds plus the penalties of what is dropped, of the best plan that there is."""
    lost = dict(zip((stop.key for stop in problem.stops), penalties(problem, travel(problem)), strict=True))
    best = {frozenset[str](): 0}
    for vehicle in problem.vehicles:
        routes = {frozenset[str](): 0}
        for sequence, way_s in _sequences(problem, vehicle):
            served = frozenset(stop.key for stop in sequence if stop)
            if way_s < routes.get(served, way_s + 1) and _whole(problem, sequence) and _carried(vehicle, sequence):
                routes[served] = way_s
        joined: dict[frozenset[str], int] = {}
        for (done, spent), (more, cost) in itertools.product(best.items(), routes.items()):
            if not done & more:
                joined[done | more] = min(spent + cost, joined.get(done | more, spent + cost))
        best = joined
    return min(spent + sum(lost[key] for key in lost.keys() - done) for done, spent in best.items())


def _sequences(problem: Problem, vehicle: Vehicle) -> Iterator[tuple[Sequence, int]]:
    """Every sequence that can be driven in time, with its travel seconds."""
    fit = [stop for stop in problem.stops if _may(vehicle, stop)]
    rest = vehicle.breaks[0] if vehicle.breaks else None

    def extend(
        sequence: Sequence, here: Place | None, way_s: int, fresh_s: int | None, rested_s: int | None
    ) -> Iterator[tuple[Sequence, int]]:
        """``fresh_s`` is when the driver is free with the break still to come, ``rested_s`` with it behind."""
        home_s = _way_s(problem, here, vehicle.end)
        if any(sequence):
            finishes = [_after(problem, vehicle, fresh_s, rested_s, home_s)[1]]
            if fresh_s is not None and (rest is None or fresh_s + home_s <= rest.closes_s - rest.duration_s):
                finishes.append(fresh_s + home_s)
            if any(finish is not None and finish <= vehicle.to_s for finish in finishes):
                yield sequence, way_s + home_s
        for stop in (each for each in fit if each not in sequence):
            last = sequence[-1] if sequence else None
            check_in_s = 0 if last and last.place == stop.place else stop.check_in_s
            lead_s = _way_s(problem, here, stop.place)
            times = _after(problem, vehicle, fresh_s, rested_s, lead_s + check_in_s)
            fresh, rested = (None if ready is None else _served(stop, ready) for ready in times)
            if fresh is not None or rested is not None:
                yield from extend((*sequence, stop), stop.place, way_s + lead_s, fresh, rested)
        if sequence and sequence[-1] and vehicle.depot and sequence.count(RELOAD) < vehicle.reloads:
            lead_s = _way_s(problem, here, vehicle.depot)
            fresh, rested = (
                None if ready is None else ready + vehicle.reload_s
                for ready in _after(problem, vehicle, fresh_s, rested_s, lead_s)
            )
            yield from extend((*sequence, RELOAD), vehicle.depot, way_s + lead_s, fresh, rested)

    rested_s = max(vehicle.from_s, rest.opens_s + rest.duration_s) if rest else None
    yield from extend((), vehicle.start, 0, vehicle.from_s, rested_s)


def _after(
    problem: Problem, vehicle: Vehicle, fresh_s: int | None, rested_s: int | None, lead_s: int
) -> tuple[int | None, int | None]:
    """When the next service may begin, without the break and with it."""
    choices = [] if rested_s is None else [rested_s + lead_s]
    if fresh_s is not None and vehicle.breaks:
        rest = vehicle.breaks[0]
        begins_s = max(fresh_s, rest.opens_s)
        if begins_s + rest.duration_s <= rest.closes_s:
            choices.append(max(begins_s + rest.duration_s, fresh_s + lead_s + rest.duration_s))
    return None if fresh_s is None else fresh_s + lead_s, min(choices, default=None)


def _served(stop: Stop, ready_s: int) -> int | None:
    if not stop.windows:
        return ready_s + stop.service_s
    ends = [max(ready_s, opens) + stop.service_s for opens, closes in stop.windows]
    return min((end for end, window in zip(ends, stop.windows, strict=True) if end <= window[1]), default=None)


def _may(vehicle: Vehicle, stop: Stop) -> bool:
    named = stop.vehicles is None or vehicle.key in stop.vehicles
    return named and stop.skills <= vehicle.skills and stop.features <= vehicle.features


def _whole(problem: Problem, sequence: Sequence) -> bool:
    """Every pair is whole, and in order."""
    keys = [stop.key for stop in sequence if stop]
    pairs = [(stop.source, stop.key) for stop in problem.stops if stop.source is not None]
    return all(
        {pickup, delivery} <= set(keys) and keys.index(pickup) < keys.index(delivery)
        for pickup, delivery in pairs
        if pickup in keys or delivery in keys
    )


def _carried(vehicle: Vehicle, sequence: Sequence) -> bool:
    """Whether the loads fit at every moment of every trip."""
    sources = {stop.source for stop in sequence if stop and stop.source}
    return all(
        limit is None or max(_heights(sequence, sources, kind)) <= limit for kind, limit in enumerate(vehicle.capacity)
    )


def _heights(sequence: Sequence, sources: set[str], kind: int) -> Iterator[int]:
    between = 0
    for depot, part in itertools.groupby(sequence, key=lambda stop: stop is RELOAD):
        stops = [] if depot else [stop for stop in part if stop]
        ahead = sum(stop.load[kind] for stop in stops if stop.kind == "delivery" and not stop.source)
        fetched = 0
        yield between + ahead
        for stop in stops:
            if stop.kind == "delivery" and not stop.source:
                ahead -= stop.load[kind]
            elif stop.kind == "delivery":
                between -= stop.load[kind]
            elif stop.key in sources:
                between += stop.load[kind]
            elif stop.kind == "pickup":
                fetched += stop.load[kind]
            yield ahead + between + fetched


def _way_s(problem: Problem, a: Place | None, b: Place | None) -> int:
    return 0 if a is None or b is None else leg(a, b, problem.options)[1]
