"""Every hard rule once more, from the problem alone.

Nothing here comes from the solver or from the tables it searched with: a plan is walked visit by visit with a clock and
the loads on board, so that a mistake in the model shows instead of reaching a driver.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

from backend.planning.matrix import leg
from backend.planning.problem import DEPOT, LOADS, Existing, Place, Plan, Problem, Route, Stop, Vehicle, Visit


def violations(problem: Problem, plan: Plan) -> list[str]:
    """A sentence for each broken rule; an empty list for a valid plan."""
    return [
        *_books(problem, plan),
        *_locks(problem, plan),
        *(text for route in plan.routes for text in _route(problem, route)),
    ]


def _books(problem: Problem, plan: Plan) -> Iterator[str]:
    """Each stop is in the plan once, each vehicle has one route at most, and nothing is in it that was not asked."""
    stops = Counter(visit.stop for route in plan.routes for visit in route.visits if visit.kind == "stop")
    stops.update(lost.stop for lost in plan.dropped)
    vehicles = Counter(route.vehicle for route in plan.routes)
    for stop in problem.stops:
        if stops[stop.key] != 1:
            yield f"Stop {stop.key} is in the plan {stops[stop.key]} times."
    yield from (f"Stop {key} is not in the problem." for key in stops.keys() - {stop.key for stop in problem.stops})
    yield from (f"Vehicle {key} is not in the problem." for key in vehicles.keys() - {v.key for v in problem.vehicles})
    yield from (f"Vehicle {key} has {count} routes." for key, count in vehicles.items() if count > 1)
    for route in plan.routes:
        if not any(visit.kind == "stop" for visit in route.visits):
            yield f"The route of vehicle {route.vehicle} has no stops."


def _locks(problem: Problem, plan: Plan) -> Iterator[str]:
    """What is planned stays with its vehicle, and with locked routes in its order and without company."""
    if problem.options.lock == "NONE":
        return
    known, vehicles = {stop.key for stop in problem.stops}, {vehicle.key for vehicle in problem.vehicles}
    routes = {route.vehicle: [visit.stop for visit in route.visits if visit.kind == "stop"] for route in plan.routes}
    home = {key: vehicle for vehicle, keys in routes.items() for key in keys}
    for existing in problem.options.existing:
        if existing.vehicle not in vehicles:
            continue
        for key in existing.stops:
            if key in known and home.get(key, existing.vehicle) != existing.vehicle:
                yield f"Stop {key} is locked to vehicle {existing.vehicle}."
        if problem.options.lock == "ROUTES" and any(key in known for key in existing.stops):
            yield from _unchanged(existing, routes.get(existing.vehicle, []))


def _unchanged(existing: Existing, keys: Sequence[str]) -> Iterator[str]:
    """A stop that can no longer be served may be missing; the others are as they were."""
    for key in keys:
        if key not in existing.stops:
            yield f"Stop {key} was added to the locked route of vehicle {existing.vehicle}."
    places = [existing.stops.index(key) for key in keys if key in existing.stops and key != DEPOT]
    if places != sorted(places):
        yield f"The locked route of vehicle {existing.vehicle} has another order."


def _route(problem: Problem, route: Route) -> Iterator[str]:
    vehicle = next((vehicle for vehicle in problem.vehicles if vehicle.key == route.vehicle), None)
    known = {stop.key: stop for stop in problem.stops}
    served = [visit.stop for visit in route.visits if visit.kind == "stop"]
    if vehicle is None or not served or any(key not in known for key in served):
        return
    for key in served:
        yield from _fitness(known[key], vehicle)
        yield from _pair(problem, known[key], served)
    yield from _times(problem, route, vehicle, known)
    yield from _breaks(route, vehicle)
    yield from _loads(problem, route, vehicle, known)


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


def _times(problem: Problem, route: Route, vehicle: Vehicle, known: dict[str, Stop]) -> Iterator[str]:
    """The clock from visit to visit. Breaks part a way, so ways are added up between the visits that have a place."""
    if route.departure_s < vehicle.from_s:
        yield f"Vehicle {vehicle.key} leaves before its shift."
    if route.finish_s > vehicle.to_s:
        yield f"Vehicle {vehicle.key} finishes after its shift."
    place, clock, before = vehicle.start, route.departure_s, None
    metres = travel_s = total_m = total_s = rested_s = 0
    reached_s: int | None = None  # when the place of the stop was reached, be it for a break there
    for visit in route.visits:
        name = f"stop {visit.stop}" if visit.kind == "stop" else f"the {visit.kind} of vehicle {vehicle.key}"
        metres, travel_s = metres + visit.distance_m, travel_s + visit.travel_s
        if visit.arrival_s < clock + visit.travel_s:
            yield f"{name[0].upper()}{name[1:]} is reached sooner than one can travel."
        if not visit.arrival_s <= visit.start_s <= visit.departure_s:
            yield f"The times of {name} are not in order."
        clock = visit.departure_s
        target = known[visit.stop].place if visit.kind == "stop" else vehicle.depot
        if visit.kind == "break":
            if travel_s == _way(problem, place, _next_place(route, visit, vehicle, known))[1]:
                reached_s = visit.arrival_s if reached_s is None else reached_s
                rested_s += visit.departure_s - visit.start_s
            continue
        if (metres, travel_s) != (way := _way(problem, place, target)):
            yield f"The way to {name} is {way[0]} m and {way[1]} s, not what the plan says."
        if visit.kind == "stop":
            here_s = visit.arrival_s if reached_s is None else reached_s
            yield from _service(known[visit.stop], visit, before, visit.start_s - here_s - rested_s)
        elif visit.departure_s - visit.start_s < vehicle.reload_s:
            yield f"Vehicle {vehicle.key} leaves the depot before it has reloaded."
        before = known[visit.stop] if visit.kind == "stop" else None
        total_m, total_s = total_m + metres, total_s + travel_s
        place, metres, travel_s, rested_s, reached_s = target, 0, 0, 0, None
    way = _way(problem, place, vehicle.end)
    if route.finish_s < clock + way[1] - travel_s:
        yield f"Vehicle {vehicle.key} reaches its end sooner than one can travel."
    if (route.distance_m, route.travel_s) != (total_m + way[0], total_s + way[1]):
        yield f"The totals of the route of vehicle {vehicle.key} are wrong."


def _service(stop: Stop, visit: Visit, before: Stop | None, free_s: int) -> Iterator[str]:
    """``free_s`` is what the driver spent at the place before the service, without breaks."""
    check_in_s = 0 if before is not None and before.place == stop.place else stop.check_in_s
    if free_s < check_in_s:
        yield f"Service at stop {stop.key} begins before arrival and check-in."
    if visit.departure_s < visit.start_s + stop.service_s:
        yield f"Service at stop {stop.key} is cut short."
    ends_s = visit.start_s + stop.service_s
    if stop.windows and not any(opens <= visit.start_s and ends_s <= closes for opens, closes in stop.windows):
        yield f"Service at stop {stop.key} is outside its time windows."


def _next_place(route: Route, visit: Visit, vehicle: Vehicle, known: dict[str, Stop]) -> Place | None:
    """Where the driver goes after a break."""
    behind = route.visits[route.visits.index(visit) + 1 :]
    following = next((each for each in behind if each.kind != "break"), None)
    if following is None:
        return vehicle.end
    return known[following.stop].place if following.kind == "stop" else vehicle.depot


def _breaks(route: Route, vehicle: Vehicle) -> Iterator[str]:
    """Each break is on the route, or fits before it or after it."""
    taken = [visit for visit in route.visits if visit.kind == "break"]
    for rest in vehicle.breaks:
        before = rest.opens_s + rest.duration_s <= route.departure_s
        after = rest.closes_s - rest.duration_s >= route.finish_s
        within = any(
            rest.opens_s <= visit.start_s
            and visit.departure_s <= rest.closes_s
            and visit.departure_s - visit.start_s >= rest.duration_s
            for visit in taken
        )
        if not (before or after or within):
            yield f"Vehicle {vehicle.key} does not keep its break from {rest.opens_s} to {rest.closes_s}."
    if len(taken) > len(vehicle.breaks):
        yield f"Vehicle {vehicle.key} has more breaks than are due."


def _way(problem: Problem, a: Place | None, b: Place | None) -> tuple[int, int]:
    return (0, 0) if a is None or b is None else leg(a, b, problem.options)


def _loads(problem: Problem, route: Route, vehicle: Vehicle, known: dict[str, Stop]) -> Iterator[str]:
    """What is on board, trip by trip: a trip ends at the depot, where all is unloaded but the goods of pairs."""
    fetched = {stop.source for stop in problem.stops if stop.source is not None}
    depots = sum(visit.kind == "depot" for visit in route.visits)
    if depots > vehicle.returns:
        yield f"Vehicle {vehicle.key} comes back to its depot {depots} times, {vehicle.returns} are allowed."
    kept = [0] * LOADS
    for ends, visits in groupby(route.visits, key=lambda visit: visit.kind == "depot"):
        if ends:
            continue
        stops = [known[visit.stop] for visit in visits if visit.kind == "stop"]
        sent = [stop for stop in stops if stop.kind == "delivery" and stop.source is None]
        board = [kept[kind] + sum(stop.load[kind] for stop in sent) for kind in range(LOADS)]
        yield from _overload(vehicle, board, "at its start")
        for stop in stops:
            sign = {"delivery": -1, "pickup": 1, "task": 0}[stop.kind]
            board = [load + sign * change for load, change in zip(board, stop.load, strict=True)]
            if stop.source is not None or stop.key in fetched:
                kept = [load + sign * change for load, change in zip(kept, stop.load, strict=True)]
            if sign > 0:
                yield from _overload(vehicle, board, f"after stop {stop.key}")


def _overload(vehicle: Vehicle, board: list[int], where: str) -> Iterator[str]:
    for kind, (load, capacity) in enumerate(zip(board, vehicle.capacity, strict=True), start=1):
        if capacity is not None and load > capacity:
            yield f"Vehicle {vehicle.key} carries {load} of load {kind} {where}, its capacity is {capacity}."
