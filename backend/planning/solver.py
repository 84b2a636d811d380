"""The search by OR-Tools: a problem as a routing model with every rule, improved by guided local search.

The only file that imports OR-Tools. It goes on from orders that PyVRP prepared: by itself it ends 15 to 40 % above
PyVRP's cost for 500 stops in 30 s, with whichever start and parameters.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from ortools.constraint_solver import pywrapcp, routing_enums_pb2

from backend.planning.clusters import Strays
from backend.planning.insertion import Order, Orders
from backend.planning.matrix import Matrix
from backend.planning.problem import LOADS, Problem, pairs
from backend.planning.timetable import aboard, delivered, detour, penalties, picked_up, ranges
from backend.planning.watch import Watch

SCALE = 100
"""Parts of a second in which all is counted, for what costs a fraction of a second of travel."""
BALANCE_WEIGHT = 4
"""What a second of work above the mean costs with ON_FORCE and the factor 1, in seconds of travel."""

PARTS_S = (0.2, 1.0, 4.0)
"""What a part of the search may take. The start is tried out within this limit too: with too little, as for 500 stops
or where breaks are hard to place, there is no solution at all; with too much the search gets stuck in such places."""

_UNLIMITED = 1 << 40


def improve(
    problem: Problem, matrix: Matrix, choices: list[list[int]], first: Orders, watch: Watch, areas: Strays = ()
) -> Orders:
    """The orders of the best solution found from the first ones, within what is left of the budget.

    ``choices``: for each stop the vehicles it may go to; one that has none stays where it is. ``areas``: what each stop
    costs in each vehicle beside the way.
    """
    return Model(problem, matrix, choices, first, areas).search(watch)


class Model:
    """A problem as variables and constraints of the solver.

    Only stops with a choice and the vehicles they may go to take part, numbered anew by their positions in ``_stops``
    and ``_vehicles``. What a lock keeps as it is has no choice and stays outside. Behind the stops come visits to
    depots, each of which one vehicle may make, or none.
    """

    def __init__(
        self, problem: Problem, matrix: Matrix, choices: list[list[int]], first: Orders, areas: Strays
    ) -> None:
        self._problem, self._matrix, self._choices, self._first = problem, matrix, choices, first
        self._areas = areas
        self._stops = [i for i, vehicles in enumerate(choices) if vehicles]
        self._vehicles = sorted({v for i in self._stops for v in choices[i]})
        self._reloads = self._depot_visits()

    def search(self, watch: Watch) -> Orders:
        """The orders of the best solution found from the first ones; those where there is none."""
        self._create()
        self._limit_time()
        self._limit_breaks()
        self._limit_loads()
        self._limit_trips()
        self._limit_choices()
        self._relate()
        self._balance()
        self._part()
        parameters = _parameters(watch.left_s())
        self._routing.CloseModelWithParameters(parameters)
        self._routing.AddSearchMonitor(self._routing.solver().CustomLimit(lambda: watch.elapsed() >= 1))
        start = self._routing.ReadAssignmentFromRoutes(self._routes(self._first), True)
        if start is None or watch.elapsed() >= 1:
            return self._first
        for part_s in PARTS_S:
            _limit(parameters, watch.left_s(), part_s)
            solution = self._routing.SolveFromAssignmentWithParameters(start, parameters)
            if solution is not None or watch.elapsed() >= 1:
                return self._first if solution is None else self._orders(solution)
        return self._first

    def _create(self) -> None:
        """The model and its costs. Its nodes are the stops, the visits to depots, then where vehicles start and end."""
        starts = [self._matrix.starts[v] for v in self._vehicles]
        ends = [self._matrix.ends[v] for v in self._vehicles]
        self._nodes = [*self._stops, *self._reloads, *sorted({*starts, *ends})]
        node = {place: k for k, place in enumerate(self._nodes)}
        self._index = pywrapcp.RoutingIndexManager(
            len(self._nodes), len(self._vehicles), [node[place] for place in starts], [node[place] for place in ends]
        )
        self._routing = pywrapcp.RoutingModel(self._index)
        evaluators = {}
        for k, v in enumerate(self._vehicles):
            rate, cost = self._matrix.rates[v], self._matrix.cost(v)
            if rate not in evaluators:
                arcs = [[SCALE * cost[a][b] for b in self._nodes] for a in self._nodes]
                evaluators[rate] = self._routing.RegisterTransitMatrix(arcs)
            self._routing.SetArcCostEvaluatorOfVehicle(evaluators[rate], k)
        penalty = penalties(self._problem, self._matrix)
        for k, i in enumerate(self._stops):
            self._routing.AddDisjunction([self._index.NodeToIndex(k)], SCALE * penalty[i])
        for k in self._trip_indices():
            self._routing.AddDisjunction([k], 0)

    def _depot_visits(self) -> list[int]:
        """The depots' nodes, each as often as vehicles might come back to it: no more often than they may, and than
        it takes to move all that is to be moved with the smallest of them; but as the first orders do."""
        problem, visits = self._problem, list[int]()
        for depot in sorted({self._matrix.depots[v] for v in self._vehicles}):
            here = [v for v in self._vehicles if self._matrix.depots[v] == depot and problem.vehicles[v].returns]
            trips = 0
            for kind in range(LOADS):
                room = [limit for v in here if (limit := problem.vehicles[v].capacity[kind])]
                moved = [(delivered(problem.stops[i])[kind], picked_up(problem.stops[i])[kind]) for i in self._stops]
                most = max(sum(out for out, _ in moved), sum(back for _, back in moved))
                trips = max(trips, -(-most // min(room)) if room else 0)
            made = sum(order.count(depot) for order in self._first)
            visits += [depot] * max(made, min(trips, sum(problem.vehicles[v].returns for v in here)))
        return visits

    def _trip_indices(self) -> list[int]:
        return [self._index.NodeToIndex(len(self._stops) + k) for k in range(len(self._reloads))]

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

    def _limit_breaks(self) -> None:
        """Breaks are intervals in which the driver is not at work: within a leg, or before or after the route."""
        routing, service_s = self._routing, self._service_s()
        clock = routing.GetDimensionOrDie("time")
        at_work_s = [service_s[self._index.IndexToNode(index)] for index in range(routing.Size())]
        for k, v in enumerate(self._vehicles):
            intervals = [
                routing.solver().FixedDurationIntervalVar(
                    rest.opens_s, rest.closes_s - rest.duration_s, rest.duration_s, False, f"break {n} of {k}"
                )
                for n, rest in enumerate(self._problem.vehicles[v].breaks)
            ]
            if intervals:
                clock.SetBreakIntervalsOfVehicle(intervals, k, at_work_s)

    def _limit_loads(self) -> None:
        """Capacities. A kind of load that is only delivered, or only picked up, is counted from 0; where it is both,
        what is on board at the start is what will be delivered from there, counted by a dimension of its own."""
        routing = self._routing
        for kind in range(LOADS):
            room = [self._problem.vehicles[v].capacity[kind] for v in self._vehicles]
            sent = [aboard(self._problem.stops[i])[kind] for i in self._stops]
            out = [delivered(self._problem.stops[i])[kind] for i in self._stops]
            back = [picked_up(self._problem.stops[i])[kind] for i in self._stops]
            if all(capacity is None for capacity in room) or not (any(out) or any(back)):
                continue
            if self._reloads:
                self._limit_loads_of_trips(kind, room)
            elif any(out) and any(back):
                cargo = self._count(f"delivered {kind}", sent, room, True)
                change = [more - less for more, less in zip(back, out, strict=True)]
                board = self._count(f"load {kind}", change, room, False)
                for k in range(len(self._vehicles)):
                    routing.solver().Add(board.CumulVar(routing.Start(k)) == cargo.CumulVar(routing.End(k)))
            else:
                self._count(f"load {kind}", out if any(out) else back, room, True)

    def _limit_loads_of_trips(self, kind: int, room: list[int | None]) -> None:
        """Capacities where vehicles may reload. ``ahead`` is what was loaded at the depot and is still to be delivered;
        ``board`` is that with all that was picked up; ``between`` are the goods of pairs. Behind a visit to the depot
        what is on board is what is ahead, loaded anew, and what is between a pickup and its delivery."""
        routing, stops = self._routing, [self._problem.stops[i] for i in self._stops]
        sources = {stop.source for stop in self._problem.stops if stop.source is not None}
        change = [picked_up(stop)[kind] - delivered(stop)[kind] for stop in stops]
        kept = [
            each if stop.source is not None or stop.key in sources else 0
            for stop, each in zip(stops, change, strict=True)
        ]
        ahead = self._refill(f"ahead {kind}", kind, [-aboard(stop)[kind] for stop in stops], room, 0)
        board = self._refill(f"load {kind}", kind, change, room, self._most(kind))
        between = self._count(f"between {kind}", kept, room, True) if any(kept) else None
        for k in range(len(self._vehicles)):
            start = routing.Start(k)
            routing.solver().Add(board.CumulVar(start) == ahead.CumulVar(start))
        for index in self._trip_indices():
            left = ahead.CumulVar(index) + ahead.SlackVar(index)
            if between is not None:
                left += between.CumulVar(index)
            routing.solver().Add(board.CumulVar(index) + board.SlackVar(index) - self._most(kind) == left)

    def _limit_trips(self) -> None:
        """A visit to a depot is for vehicles that may make it, and for each no more often than it may."""
        limits = [self._problem.vehicles[v].returns for v in self._vehicles]
        if not self._reloads:
            return
        for index, depot in zip(self._trip_indices(), self._reloads, strict=True):
            allowed = [k for k, v in enumerate(self._vehicles) if limits[k] and self._matrix.depots[v] == depot]
            self._routing.VehicleVar(index).SetValues([-1, *allowed])
        places = [0] * (len(self._nodes) - len(self._stops) - len(self._reloads))
        visits = [*([0] * len(self._stops)), *([1] * len(self._reloads)), *places]
        transit = self._routing.RegisterUnaryTransitVector(visits)
        self._routing.AddDimensionWithVehicleCapacity(transit, 0, limits, True, "trips")

    def _most(self, kind: int) -> int:
        """More of a load than there ever is on board."""
        return sum(self._problem.stops[i].load[kind] for i in self._stops)

    def _count(self, name: str, loads: list[int], room: list[int | None], from_zero: bool) -> Any:
        places = [0] * (len(self._nodes) - len(self._stops))
        transit = self._routing.RegisterUnaryTransitVector([*loads, *places])
        capacity = [_UNLIMITED if most is None else most for most in room]
        self._routing.AddDimensionWithVehicleCapacity(transit, 0, capacity, from_zero, name)
        return self._routing.GetDimensionOrDie(name)

    def _refill(self, name: str, kind: int, loads: list[int], room: list[int | None], less: int) -> Any:
        """A load that is counted anew behind a visit to a depot: ``less`` is taken off it there, and as much as fits
        may be added, as the dimension's slack, of which there is none elsewhere."""
        most, routing = self._most(kind), self._routing
        places = [0] * (len(self._nodes) - len(self._stops) - len(self._reloads))
        transit = routing.RegisterUnaryTransitVector([*loads, *([-less] * len(self._reloads)), *places])
        capacity = [most if limit is None else min(limit, most) for limit in room]
        routing.AddDimensionWithVehicleCapacity(transit, 2 * most, capacity, False, name)
        counted, trips = routing.GetDimensionOrDie(name), set(self._trip_indices())
        for index in range(routing.Size()):
            if index not in trips:
                counted.SlackVar(index).SetValue(0)
        for loaded in (*(counted.CumulVar(routing.Start(k)) for k in range(len(room))), *map(counted.SlackVar, trips)):
            routing.AddVariableMinimizedByFinalizer(loaded)
        return counted

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
        served = sum(i < len(self._problem.stops) for v in vehicles for i in self._first[v])
        work_s = sum(self._work_s(v, self._first[v]) for v in vehicles)
        weight = BALANCE_WEIGHT * options.balancing_factor if forced else 1
        stops = work = self._count("stops", [1] * len(self._stops), [None] * len(vehicles), True)
        least, most = served // used, -(-served // used)
        if options.balance_by == "NUM":
            weight *= work_s / max(1, served)
        else:
            work, least, most = self._working_time(), work_s // used, work_s // used
        cost = round(SCALE * weight)
        for k in range(len(vehicles)):
            end = routing.End(k)
            work.SetCumulVarSoftUpperBound(end, most, cost)
            if forced:
                routing.SetVehicleUsedWhenEmpty(True, k)
                stops.SetCumulVarSoftLowerBound(end, 1, SCALE * (detour(self._matrix) // 2))
            else:
                work.SetCumulVarSoftLowerBound(end, least, cost)

    def _part(self) -> None:
        """Clustering: each stop costs as much as it is far from the middle of the area of its vehicle."""
        if not self._areas:
            return
        others = [0] * (len(self._nodes) - len(self._stops))
        transits = [
            self._routing.RegisterUnaryTransitVector([*(self._areas[v][i] for i in self._stops), *others])
            for v in self._vehicles
        ]
        self._routing.AddDimensionWithVehicleTransits(transits, 0, _UNLIMITED, True, "stray")
        self._routing.GetDimensionOrDie("stray").SetSpanCostCoefficientForAllVehicles(SCALE)

    def _working_time(self) -> Any:
        travel_s, service_s = self._matrix.travel_s, self._service_s()
        rows = zip(self._nodes, service_s, strict=True)
        transit = self._routing.RegisterTransitMatrix(
            [[done_s + travel_s[a][b] for b in self._nodes] for a, done_s in rows]
        )
        self._routing.AddDimension(transit, 0, _UNLIMITED, True, "work")
        return self._routing.GetDimensionOrDie("work")

    def _work_s(self, vehicle: int, order: Order) -> int:
        served = [i for i in order if i < len(self._problem.stops)]
        travel_s = self._matrix.travel_s
        way = [self._matrix.starts[vehicle], *order, self._matrix.ends[vehicle]] if order else []
        return sum(travel_s[a][b] for a, b in pairwise(way)) + sum(self._problem.stops[i].service_s for i in served)

    def _service_s(self) -> list[int]:
        """What is spent at each node; vehicles of one depot reload in the same time."""
        problem = self._problem
        reload_s = {self._matrix.depots[v]: problem.vehicles[v].reload_s for v in self._vehicles}
        places = len(self._nodes) - len(self._stops) - len(self._reloads)
        served = [problem.stops[i].service_s for i in self._stops]
        return [*served, *(reload_s[depot] for depot in self._reloads), *([0] * places)]

    def _indices(self) -> dict[int, int]:
        """The solver's index of each stop that takes part."""
        return {i: self._index.NodeToIndex(k) for k, i in enumerate(self._stops)}

    def _routes(self, orders: Orders) -> list[list[int]]:
        index, spare = self._indices(), list(zip(self._reloads, self._trip_indices(), strict=True))
        routes = []
        for v in self._vehicles:
            route = []
            for i in orders[v]:
                if i in index:
                    route.append(index[i])
                else:
                    visit = next(each for each in spare if each[0] == i)
                    spare.remove(visit)
                    route.append(visit[1])
            routes.append(route)
        return routes

    def _orders(self, solution: Any) -> Orders:
        orders = [list(order) for order in self._first]
        for k, v in enumerate(self._vehicles):
            orders[v] = []
            index = solution.Value(self._routing.NextVar(self._routing.Start(k)))
            while not self._routing.IsEnd(index):
                orders[v].append(self._nodes[self._index.IndexToNode(index)])
                index = solution.Value(self._routing.NextVar(index))
        return orders


def _parameters(seconds: float) -> Any:
    parameters = pywrapcp.DefaultRoutingSearchParameters()
    parameters.local_search_metaheuristic = routing_enums_pb2.LocalSearchMetaheuristic.GUIDED_LOCAL_SEARCH
    _limit(parameters, seconds, PARTS_S[0])
    return parameters


def _limit(parameters: Any, seconds: float, part_s: float) -> None:
    parameters.time_limit.FromMilliseconds(max(1, int(1000 * seconds)))
    parameters.lns_time_limit.FromMilliseconds(int(1000 * part_s))
