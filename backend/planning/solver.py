"""A plan within a budget of seconds: insertion, then ruin and recreate, then a polish by the constraint solver.

The only file that imports OR-Tools. Most of the time goes to :mod:`backend.planning.ruin`, which came ten percent lower
or more in the same time for 300 stops; guided local search over a routing model then finds what is left. Both keep
every hard rule, and the times of the plan come from :mod:`backend.planning.timetable`, exact for a fixed order.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from ortools.constraint_solver import pywrapcp, routing_enums_pb2

from backend.planning import draft, insertion, ruin
from backend.planning.insertion import Orders
from backend.planning.matrix import Matrix, travel
from backend.planning.problem import LOADS, Plan, Problem, budget, pairs
from backend.planning.timetable import delivered, penalties, picked_up, ranges

POLISH = 0.15
"""The share of the budget that the constraint solver gets."""
POLISHED_STOPS = 600
"""More stops than this are not polished: building the model alone would take seconds, out of reach of a stop."""
TICK_S = 0.05
"""How often the search looks up: a stop is noticed and progress told at this pace."""
SEED = 1
"""The chance that ruins draw on is the same for every plan; what differs is how far the time lets them come."""

_UNLIMITED = 1 << 40


def solve(problem: Problem, stop: Callable[[], bool], progress: Callable[[int], None]) -> Plan:
    """The best plan found within the budget, or until ``stop`` answers true. ``progress`` is told rising percents."""
    watch = Watch(stop, progress, budget(problem))
    matrix = travel(problem)
    choices = draft.choices(problem, matrix)
    movable = draft.movable(problem, choices)
    best = draft.greedy(problem, matrix, choices)
    if any(movable):
        polish = POLISH if _suits_the_model(problem) else 0
        best = ruin.improve(problem, matrix, movable, best, lambda: watch.elapsed() / (1 - polish), random.Random(SEED))
    if watch.elapsed() < 1 and any(movable):
        polished = insertion.insert(problem, matrix, choices, Model(problem, matrix, movable, best).search(watch))
        best = min(best, polished, key=lambda orders: draft.cost(problem, matrix, orders))
    progress(100)
    return draft.plan(problem, matrix, choices, best)


def _suits_the_model(problem: Problem) -> bool:
    """Whether the constraint solver's model says all there is to the problem, without balance and pairs, and is small
    enough to be built in a moment."""
    return problem.options.balancing == "OFF" and not pairs(problem) and len(problem.stops) <= POLISHED_STOPS


class Watch:
    """Decides when a search has gone on long enough, and tells how far it is."""

    def __init__(self, stop: Callable[[], bool], progress: Callable[[int], None], seconds: float) -> None:
        self._stop, self._progress, self._seconds = stop, progress, seconds
        self._began = time.monotonic()
        self._looked = self._began - TICK_S
        self._share = 0.0
        self._percent = 0

    def left_s(self) -> float:
        return self._seconds * (1 - self.elapsed())

    def elapsed(self) -> float:
        """The share of the budget that has passed, 1 from when the search was stopped."""
        now = time.monotonic()
        if self._share < 1 and now - self._looked >= TICK_S:
            self._looked = now
            self._share = 1.0 if self._stop() else min(1.0, (now - self._began) / self._seconds)
            percent = min(99, int(100 * self._share))
            if percent > self._percent:
                self._percent = percent
                self._progress(percent)
        return self._share


class Model:
    """A problem as variables and constraints of the solver.

    Only stops with a choice and the vehicles they may go to take part, numbered anew by their positions in ``_stops``
    and ``_vehicles``. What a lock keeps as it is has no choice and stays outside.
    """

    def __init__(self, problem: Problem, matrix: Matrix, choices: list[list[int]], first: Orders) -> None:
        self._problem, self._matrix, self._choices, self._first = problem, matrix, choices, first
        self._stops = [i for i, vehicles in enumerate(choices) if vehicles]
        self._vehicles = sorted({v for i in self._stops for v in choices[i]})

    def search(self, watch: Watch) -> Orders:
        """The orders of the best solution found from the first ones; those where there is none."""
        self._create()
        self._limit_time()
        self._limit_loads()
        self._limit_choices()
        parameters = _parameters(watch.left_s())
        self._routing.CloseModelWithParameters(parameters)
        self._routing.AddSearchMonitor(self._routing.solver().CustomLimit(lambda: watch.elapsed() >= 1))
        first = self._routing.ReadAssignmentFromRoutes(self._first_routes(), True)
        if first is None:
            return self._first
        solution = self._routing.SolveFromAssignmentWithParameters(first, parameters)
        return self._first if solution is None else self._orders(solution)

    def _create(self) -> None:
        """The model and its costs. Its nodes are the stops, then the places where vehicles start and end."""
        starts = [self._matrix.starts[v] for v in self._vehicles]
        ends = [self._matrix.ends[v] for v in self._vehicles]
        self._nodes = [*self._stops, *sorted({*starts, *ends})]
        node = {place: k for k, place in enumerate(self._nodes)}
        self._index = pywrapcp.RoutingIndexManager(
            len(self._nodes), len(self._vehicles), [node[place] for place in starts], [node[place] for place in ends]
        )
        self._routing = pywrapcp.RoutingModel(self._index)
        travel_s = self._matrix.travel_s
        arcs = [[travel_s[a][b] for b in self._nodes] for a in self._nodes]
        self._routing.SetArcCostEvaluatorOfAllVehicles(self._routing.RegisterTransitMatrix(arcs))
        penalty = penalties(self._problem, self._matrix)
        for k, i in enumerate(self._stops):
            self._routing.AddDisjunction([self._index.NodeToIndex(k)], penalty[i])

    def _limit_time(self) -> None:
        """Shifts and windows, on the time at which service begins; waiting is free."""
        stops, vehicles = self._problem.stops, self._problem.vehicles
        service_s = [stops[i].service_s if i < len(stops) else 0 for i in self._nodes]
        lead_s = self._matrix.lead_s
        rows = zip(self._nodes, service_s, strict=True)
        arcs = [[done_s + lead_s[a][b] for b in self._nodes] for a, done_s in rows]
        horizon_s = max(vehicles[v].to_s for v in self._vehicles)
        transit = self._routing.RegisterTransitMatrix(arcs)
        self._routing.AddDimension(transit, horizon_s, horizon_s, False, "time")
        clock = self._routing.GetDimensionOrDie("time")
        for k, v in enumerate(self._vehicles):
            for variable in (clock.CumulVar(self._routing.Start(k)), clock.CumulVar(self._routing.End(k))):
                variable.SetRange(vehicles[v].from_s, vehicles[v].to_s)
        for k, i in enumerate(self._stops):
            starts = ranges(stops[i])
            if stops[i].windows:
                variable = clock.CumulVar(self._index.NodeToIndex(k))
                variable.SetRange(starts[0][0], starts[-1][1])
                for (_, last), (first, _) in pairwise(starts):
                    variable.RemoveInterval(last + 1, first - 1)

    def _limit_loads(self) -> None:
        """Capacities. A kind of load that is only delivered, or only picked up, is counted from 0; where it is both,
        what is on board at the start is what will be delivered, counted by a dimension of its own."""
        routing = self._routing
        for kind in range(LOADS):
            room = [self._problem.vehicles[v].capacity[kind] for v in self._vehicles]
            out = [delivered(self._problem.stops[i])[kind] for i in self._stops]
            back = [picked_up(self._problem.stops[i])[kind] for i in self._stops]
            if all(capacity is None for capacity in room):
                continue
            if any(out) and any(back):
                cargo = self._count(f"delivered {kind}", out, room, True)
                change = [load - sent for load, sent in zip(back, out, strict=True)]
                board = self._count(f"load {kind}", change, room, False)
                for k in range(len(self._vehicles)):
                    routing.solver().Add(board.CumulVar(routing.Start(k)) == cargo.CumulVar(routing.End(k)))
            elif any(out) or any(back):
                self._count(f"load {kind}", out if any(out) else back, room, True)

    def _count(self, name: str, loads: list[int], room: list[int | None], from_zero: bool) -> Any:
        places = [0] * (len(self._nodes) - len(self._stops))
        transit = self._routing.RegisterUnaryTransitVector([*loads, *places])
        capacity = [_UNLIMITED if most is None else most for most in room]
        self._routing.AddDimensionWithVehicleCapacity(transit, 0, capacity, from_zero, name)
        return self._routing.GetDimensionOrDie(name)

    def _limit_choices(self) -> None:
        """Skills, features and assignments: the vehicles a stop may have, -1 standing for none."""
        position = {v: k for k, v in enumerate(self._vehicles)}
        for k, i in enumerate(self._stops):
            if len(self._choices[i]) < len(self._vehicles):
                allowed = [position[v] for v in self._choices[i]]
                self._routing.VehicleVar(self._index.NodeToIndex(k)).SetValues([-1, *allowed])

    def _first_routes(self) -> list[list[int]]:
        index = {i: self._index.NodeToIndex(k) for k, i in enumerate(self._stops)}
        return [[index[i] for i in self._first[v]] for v in self._vehicles]

    def _orders(self, solution: Any) -> Orders:
        orders = [list(order) for order in self._first]
        for k, v in enumerate(self._vehicles):
            orders[v] = []
            index = solution.Value(self._routing.NextVar(self._routing.Start(k)))
            while not self._routing.IsEnd(index):
                orders[v].append(self._stops[self._index.IndexToNode(index)])
                index = solution.Value(self._routing.NextVar(index))
        return orders


def _parameters(seconds: float) -> Any:
    parameters = pywrapcp.DefaultRoutingSearchParameters()
    parameters.local_search_metaheuristic = routing_enums_pb2.LocalSearchMetaheuristic.GUIDED_LOCAL_SEARCH
    parameters.time_limit.FromMilliseconds(max(1, int(1000 * seconds)))
    parameters.lns_time_limit.FromMilliseconds(100)
    return parameters
