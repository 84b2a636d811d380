"""Between the problem and its plan: which vehicles may serve a stop, what is already planned, and orders of stops made
into a plan with times, costs and reasons."""

from __future__ import annotations

import msgspec

from backend.planning import explain, fitness, insertion
from backend.planning.insertion import Orders
from backend.planning.matrix import Matrix
from backend.planning.problem import DEPOT, Plan, Problem, pairs
from backend.planning.timetable import FAR, penalties, timetable, travelled


def choices(problem: Problem, matrix: Matrix) -> list[list[int]]:
    """For each stop the vehicles that may serve it: able to, and not forbidden by a lock on what is planned."""
    able = fitness.candidates(problem, matrix)
    empty = insertion.trips(problem, matrix)
    for pickup, delivery in set(pairs(problem).values()):
        shared = [vehicle for vehicle in able[pickup] if vehicle in able[delivery]]
        able[pickup] = able[delivery] = [v for v in shared if empty[v].best_pair(pickup, delivery, FAR)]
    if problem.options.lock == "NONE":
        return able
    home = {stop: vehicle for vehicle, order in enumerate(planned(problem, matrix)) for stop in order}
    kept = set(home.values()) if problem.options.lock == "ROUTES" else set()
    for pair in pairs(problem).values():
        for i, other in (pair, pair[::-1]):
            if other in home:
                home.setdefault(i, home[other])
    return [
        [v for v in vehicles if v == home[stop]] if stop in home else [v for v in vehicles if v not in kept]
        for stop, vehicles in enumerate(able)
    ]


def regular(problem: Problem) -> Problem:
    """The problem without overtime; as it is where routes are locked, since one may be planned into overtime."""
    if problem.options.lock == "ROUTES" or not any(vehicle.overtime_s for vehicle in problem.vehicles):
        return problem
    vehicles = tuple(
        msgspec.structs.replace(each, to_s=max(each.from_s, each.to_s - each.overtime_s)) for each in problem.vehicles
    )
    return msgspec.structs.replace(problem, vehicles=vehicles)


def movable(problem: Problem, choices: list[list[int]]) -> list[list[int]]:
    """The choices of those stops that a search may move: none for a stop whose route is kept as it is."""
    kept = insertion.locked(problem)
    return [[] if i in kept else vehicles for i, vehicles in enumerate(choices)]


def planned(problem: Problem, matrix: Matrix) -> Orders:
    """The existing routes, without what the problem does not know."""
    stops = {stop.key: i for i, stop in enumerate(problem.stops)}
    vehicles = {vehicle.key: i for i, vehicle in enumerate(problem.vehicles)}
    orders: Orders = [[] for _ in problem.vehicles]
    for route in problem.options.existing:
        if route.vehicle in vehicles:
            vehicle = vehicles[route.vehicle]
            depot = {DEPOT: matrix.depots[vehicle]} if problem.vehicles[vehicle].returns else {}
            known = stops | depot
            orders[vehicle] = [known[key] for key in route.stops if key in known]
    return orders


def greedy(problem: Problem, matrix: Matrix, choices: list[list[int]]) -> Orders:
    """Orders by insertion alone, beginning with what is planned."""
    return insertion.insert(problem, matrix, choices, planned(problem, matrix))


def cost(problem: Problem, matrix: Matrix, orders: Orders) -> int:
    """What the ways cost plus the penalties of what is not served."""
    served = {i for order in orders for i in order}
    travel_s = sum(travelled(matrix, vehicle, order) for vehicle, order in enumerate(orders))
    return travel_s + sum(penalty for i, penalty in enumerate(penalties(problem, matrix)) if i not in served)


def plan(problem: Problem, matrix: Matrix, choices: list[list[int]], orders: Orders) -> Plan:
    """The plan with these orders. Raises ValueError where one cannot be driven in time."""
    routes = []
    for vehicle, order in enumerate(orders):
        if order:
            route = timetable(problem, matrix, vehicle, order)
            if route is None:
                raise ValueError(f"The route of vehicle {problem.vehicles[vehicle].key} cannot be driven in time.")
            routes.append(route)
    dropped = explain.dropped(problem, matrix, choices, orders)
    return Plan(routes=tuple(routes), dropped=tuple(dropped), cost=cost(problem, matrix, orders))
