"""A plan within a budget of seconds: insertion first, then OR-Tools' guided local search over a routing model.

The only file that imports OR-Tools. For 300 stops and 25 vehicles it ended, within 12 s, a quarter to a third below the
cost of insertion alone; a library does it, for a search of our own would be ours to keep right with every new rule.

The model begins from the better of two plans: the insertion's, and one that OR-Tools builds itself. What it finds are
orders of stops; their times come from :mod:`backend.planning.timetable`, exact for a fixed order.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from ortools.constraint_solver import pywrapcp, routing_enums_pb2

from backend.planning import draft, insertion
from backend.planning.insertion import Order, Orders
from backend.planning.matrix import Matrix, travel
from backend.planning.problem import LOADS, Plan, Problem, budget, pairs
from backend.planning.timetable import aboard, delivered, detour, penalties, picked_up, ranges, travelled

TICK_S = 0.05
"""How often the search looks up: a stop is noticed and progress told at this pace."""
BUILT_STOPS = 200
"""With more stops than this no other start is built: that takes seconds, in which no stop is noticed."""
BUILT_S = 0.8
"""What building may take, if it is less than a quarter of the budget."""
BALANCE_WEIGHT = 4
"""What a second of work above the mean costs with ON_FORCE and the factor 1, in seconds of travel."""

_UNLIMITED = 1 << 40
_STARTS = routing_enums_pb2.FirstSolutionStrategy
_SEARCHES = routing_enums_pb2.LocalSearchMetaheuristic


def solve(problem: Problem, stop: Callable[[], bool], progress: Callable[[int], None]) -> Plan:
    """The best plan found within the budget, or until ``stop`` answers true. ``progress`` is told rising percents."""
    watch = Watch(stop, progress, budget(problem))
    matrix = travel(problem)
    choices = draft.choices(problem, matrix)
    movable = draft.movable(problem, choices)
    orders = draft.greedy(problem, matrix, choices)
    if any(movable) and watch.elapsed() < 1:
        found = Model(problem, matrix, movable, orders).search(watch)
        orders = insertion.insert(problem, matrix, choices, found)
    progress(100)
    return draft.plan(problem, matrix, choices, orders)


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
        self._relate()
        self._balance()
        parameters = _parameters(bool(pairs(self._problem)), watch.left_s())
        self._routing.CloseModelWithParameters(parameters)
        self._routing.AddSearchMonitor(self._routing.solver().CustomLimit(lambda: watch.elapsed() >= 1))
        first = self._start(watch, parameters)
        start = self._routing.ReadAssignmentFromRoutes(self._routes(first), True)
        if start is None or watch.elapsed() >= 1:
            return first
        parameters.time_limit.FromMilliseconds(max(1, int(1000 * watch.left_s())))
        solution = self._routing.SolveFromAssignmentWithParameters(start, parameters)
        return first if solution is None else self._orders(solution)

    def _start(self, watch: Watch, parameters: Any) -> Orders:
        """The first orders, or those of a solution that is built anew where they cost less."""
        if len(self._stops) > BUILT_STOPS:
            return self._first
        anew = pywrapcp.DefaultRoutingSearchParameters()
        anew.CopyFrom(parameters)
        anew.solution_limit = 1
        anew.time_limit.FromMilliseconds(max(1, int(1000 * min(BUILT_S, watch.left_s() / 4))))
        built = self._routing.SolveWithParameters(anew)
        if built is None:
            return self._first
        cost, orders = built.ObjectiveValue(), self._orders(built)
        given = self._routing.ReadAssignmentFromRoutes(self._routes(self._first), True)
        return orders if given is None or cost < given.ObjectiveValue() else self._first

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
        lead_s = self._matrix.lead_s
        rows = zip(self._nodes, self._service_s(), strict=True)
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
        what is on board at the start is what will be delivered from there, counted by a dimension of its own."""
        routing = self._routing
        for kind in range(LOADS):
            room = [self._problem.vehicles[v].capacity[kind] for v in self._vehicles]
            sent = [aboard(self._problem.stops[i])[kind] for i in self._stops]
            out = [delivered(self._problem.stops[i])[kind] for i in self._stops]
            back = [picked_up(self._problem.stops[i])[kind] for i in self._stops]
            if all(capacity is None for capacity in room):
                continue
            if any(out) and any(back):
                cargo = self._count(f"delivered {kind}", sent, room, True)
                change = [more - less for more, less in zip(back, out, strict=True)]
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

    def _relate(self) -> None:
        """Pairs: on one route in order, or dropped together."""
        routing, solver = self._routing, self._routing.solver()
        clock = routing.GetDimensionOrDie("time")
        index = self._indices()
        for pickup, delivery in set(pairs(self._problem).values()):
            if pickup in index and delivery in index:
                first, second = index[pickup], index[delivery]
                routing.AddPickupAndDelivery(first, second)
                solver.Add(routing.VehicleVar(first) == routing.VehicleVar(second))
                solver.Add(routing.ActiveVar(first) == routing.ActiveVar(second))
                solver.Add(clock.CumulVar(first) <= clock.CumulVar(second))

    def _balance(self) -> None:
        """Work off the mean costs: working time (WT: driving and service), or stops, each counted as the mean work of
        one. With ON the mean is that of the routes of the first orders, and a second above or below it costs one; with
        ON_FORCE it is over all vehicles, a second above costs by the factor, and an idle vehicle as a long way."""
        options, routing, vehicles = self._problem.options, self._routing, self._vehicles
        if options.balancing == "OFF":
            return
        forced = options.balancing == "ON_FORCE"
        used = max(1, len(vehicles) if forced else sum(1 for v in vehicles if self._first[v]))
        served = sum(len(self._first[v]) for v in vehicles)
        work_s = sum(self._work_s(v, self._first[v]) for v in vehicles)
        cost = max(1, round(BALANCE_WEIGHT * options.balancing_factor)) if forced else 1
        stops = work = self._count("stops", [1] * len(self._stops), [None] * len(vehicles), True)
        least, most = served // used, -(-served // used)
        if options.balance_by == "NUM":
            cost = cost * work_s // max(1, served)
        else:
            work, least, most = self._working_time(), work_s // used, work_s // used
        for k in range(len(vehicles)):
            end = routing.End(k)
            work.SetCumulVarSoftUpperBound(end, most, cost)
            if forced:
                routing.SetVehicleUsedWhenEmpty(True, k)
                stops.SetCumulVarSoftLowerBound(end, 1, detour(self._matrix) // 2)
            else:
                work.SetCumulVarSoftLowerBound(end, least, cost)

    def _working_time(self) -> Any:
        travel_s, service_s = self._matrix.travel_s, self._service_s()
        rows = zip(self._nodes, service_s, strict=True)
        transit = self._routing.RegisterTransitMatrix(
            [[done_s + travel_s[a][b] for b in self._nodes] for a, done_s in rows]
        )
        self._routing.AddDimension(transit, 0, _UNLIMITED, True, "work")
        return self._routing.GetDimensionOrDie("work")

    def _work_s(self, vehicle: int, order: Order) -> int:
        return travelled(self._matrix, vehicle, order) + sum(self._problem.stops[i].service_s for i in order)

    def _service_s(self) -> list[int]:
        stops = self._problem.stops
        return [stops[i].service_s if i < len(stops) else 0 for i in self._nodes]

    def _indices(self) -> dict[int, int]:
        """The solver's index of each stop that takes part."""
        return {i: self._index.NodeToIndex(k) for k, i in enumerate(self._stops)}

    def _routes(self, orders: Orders) -> list[list[int]]:
        index = self._indices()
        return [[index[i] for i in orders[v]] for v in self._vehicles]

    def _orders(self, solution: Any) -> Orders:
        orders = [list(order) for order in self._first]
        for k, v in enumerate(self._vehicles):
            orders[v] = []
            index = solution.Value(self._routing.NextVar(self._routing.Start(k)))
            while not self._routing.IsEnd(index):
                orders[v].append(self._stops[self._index.IndexToNode(index)])
                index = solution.Value(self._routing.NextVar(index))
        return orders


def _parameters(related: bool, seconds: float) -> Any:
    """Savings knows no pairs; for what it knows its starts came out shortest."""
    parameters = pywrapcp.DefaultRoutingSearchParameters()
    parameters.first_solution_strategy = _STARTS.PARALLEL_CHEAPEST_INSERTION if related else _STARTS.SAVINGS
    parameters.local_search_metaheuristic = _SEARCHES.GUIDED_LOCAL_SEARCH
    parameters.time_limit.FromMilliseconds(max(1, int(1000 * seconds)))
    parameters.lns_time_limit.FromMilliseconds(100)
    return parameters
