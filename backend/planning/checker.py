"""Every hard rule once more, from the problem alone.

Nothing here comes from the solver or from the tables it searched with: a plan is walked visit by visit with a clock and
the loads on board, so that a mistake in the model shows instead of reaching a driver.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from backend.planning.matrix import leg
from backend.planning.problem import LOADS, Place, Plan, Problem, Route, Stop, Vehicle


def violations(problem: Problem, plan: Plan) -> list[str]:
    """A sentence for each broken rule; an empty list for a valid plan."""
    return [*_books(problem, plan), *(text for route in plan.routes for text in _route(problem, route))]


def _books(problem: Problem, plan: Plan) -> Iterator[str]:
    """Each stop is in the plan once, each vehicle has one route at most, and nothing is in it that was not asked."""
    stops = Counter(visit.stop for route in plan.routes for visit in route.visits)
    stops.update(lost.stop for lost in plan.dropped)
    vehicles = Counter(route.vehicle for route in plan.routes)
    for stop in problem.stops:
        if stops[stop.key] != 1:
            yield f"Stop {stop.key} is in the plan {stops[stop.key]} times."
    yield from (f"Stop {key} is not in the problem." for key in stops.keys() - {stop.key for stop in problem.stops})
    yield from (f"Vehicle {key} is not in the problem." for key in vehicles.keys() - {v.key for v in problem.vehicles})
    yield from (f"Vehicle {key} has {count} routes." for key, count in vehicles.items() if count > 1)
    yield from (f"The route of vehicle {route.vehicle} has no visits." for route in plan.routes if not route.visits)


def _route(problem: Problem, route: Route) -> Iterator[str]:
    vehicle = next((vehicle for vehicle in problem.vehicles if vehicle.key == route.vehicle), None)
    known = {stop.key: stop for stop in problem.stops}
    if vehicle is None or not route.visits or any(visit.stop not in known for visit in route.visits):
        return
    stops = [known[visit.stop] for visit in route.visits]
    for stop in stops:
        yield from _fitness(stop, vehicle)
        yield from _pair(problem, stop, [each.key for each in stops])
    yield from _times(problem, route, vehicle, stops)
    yield from _loads(vehicle, stops)


def _fitness(stop: Stop, vehicle: Vehicle) -> Iterator[str]:
    if stop.vehicles is not None and vehicle.key not in stop.vehicles:
        yield f"Stop {stop.key} is not for vehicle {vehicle.key}."
    for skill in sorted(stop.skills - vehicle.skills):
        yield f"Vehicle {vehicle.key} lacks the skill {skill} of stop {stop.key}."
    for feature in sorted(stop.features - vehicle.features):
        yield f"Vehicle {vehicle.key} lacks the feature {feature} of stop {stop.key}."


def _pair(problem: Problem, stop: Stop, keys: list[str]) -> Iterator[str]:
    """What a delivery brings from a pickup is taken up before it on the same route, and does not stay on board."""
    if stop.source is not None and stop.source not in keys[: keys.index(stop.key)]:
        yield f"Stop {stop.key} comes without its pickup {stop.source} before it."
    for other in problem.stops:
        if other.source == stop.key and other.key not in keys:
            yield f"Stop {stop.key} comes without its delivery {other.key}."


def _times(problem: Problem, route: Route, vehicle: Vehicle, stops: list[Stop]) -> Iterator[str]:
    if route.departure_s < vehicle.from_s:
        yield f"Vehicle {vehicle.key} leaves before its shift."
    if route.finish_s > vehicle.to_s:
        yield f"Vehicle {vehicle.key} finishes after its shift."
    place, clock, before = vehicle.start, route.departure_s, None
    distance_m = travel_s = 0
    for stop, visit in zip(stops, route.visits, strict=True):
        way = _way(problem, place, stop.place)
        if (visit.distance_m, visit.travel_s) != way:
            yield f"The way to stop {stop.key} is {way[0]} m and {way[1]} s, not what the plan says."
        if visit.arrival_s < clock + way[1]:
            yield f"Stop {stop.key} is reached sooner than one can travel."
        check_in_s = 0 if before is not None and before.place == stop.place else stop.check_in_s
        if visit.start_s < visit.arrival_s + check_in_s:
            yield f"Service at stop {stop.key} begins before arrival and check-in."
        if visit.departure_s < visit.start_s + stop.service_s:
            yield f"Service at stop {stop.key} is cut short."
        ends_s = visit.start_s + stop.service_s
        if stop.windows and not any(opens <= visit.start_s and ends_s <= closes for opens, closes in stop.windows):
            yield f"Service at stop {stop.key} is outside its time windows."
        place, clock, before = stop.place, visit.departure_s, stop
        distance_m, travel_s = distance_m + visit.distance_m, travel_s + visit.travel_s
    way = _way(problem, place, vehicle.end)
    if route.finish_s < clock + way[1]:
        yield f"Vehicle {vehicle.key} reaches its end sooner than one can travel."
    if (route.distance_m, route.travel_s) != (distance_m + way[0], travel_s + way[1]):
        yield f"The totals of the route of vehicle {vehicle.key} are wrong."


def _way(problem: Problem, a: Place | None, b: Place | None) -> tuple[int, int]:
    return (0, 0) if a is None or b is None else leg(a, b, problem.options)


def _loads(vehicle: Vehicle, stops: list[Stop]) -> Iterator[str]:
    board = [
        sum(stop.load[kind] for stop in stops if stop.kind == "delivery" and not stop.source) for kind in range(LOADS)
    ]
    yield from _overload(vehicle, board, "at its start")
    for stop in stops:
        sign = {"delivery": -1, "pickup": 1, "task": 0}[stop.kind]
        board = [load + sign * change for load, change in zip(board, stop.load, strict=True)]
        if sign > 0:
            yield from _overload(vehicle, board, f"after stop {stop.key}")


def _overload(vehicle: Vehicle, board: list[int], where: str) -> Iterator[str]:
    for kind, (load, capacity) in enumerate(zip(board, vehicle.capacity, strict=True), start=1):
        if capacity is not None and load > capacity:
            yield f"Vehicle {vehicle.key} carries {load} of load {kind} {where}, its capacity is {capacity}."
