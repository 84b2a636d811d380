"""The search by PyVRP's iterated local search: a problem as clients, shipments, depots and types of vehicles.

The only file that imports PyVRP. Cost is its distance, in seconds of travel; its duration is travel with check-in. A
stop that is not served loses its prize, the penalty. A stop with several windows is as many clients, of which one at
most is visited; a pair is a shipment. A vehicle that may not serve a stop finds every way to it longer than any prize.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pyvrp

from backend.planning.clusters import Strays
from backend.planning.insertion import Order, Orders
from backend.planning.matrix import Matrix, Table
from backend.planning.problem import LOADS, Load, Problem, Seconds, pairs
from backend.planning.timetable import delivered, penalties, picked_up, ranges, timetable

SEED = 1
"""Of the search's random numbers."""
CLIENT, PICKUP, DELIVERY = pyvrp.ActivityType.CLIENT, pyvrp.ActivityType.PICKUP, pyvrp.ActivityType.DELIVERY
DEPOT = pyvrp.ActivityType.DEPOT
Square = Any
"""An array of 64 bit integers between all locations; what PyVRP asks for is typed as something that numpy never had."""
UNLIMITED = 1 << 40
"""More than any load and later than any time, and so little that sums of it stay exact."""


def expresses(problem: Problem) -> bool:
    """Whether PyVRP can be told all that a problem asks for, so that nothing is left for another search.

    It knows no breaks and no balance, no pairs with several windows, and none that is on board while the
    vehicle reloads.
    """
    related = pairs(problem)
    return (
        problem.options.balancing == "OFF"
        and not any(vehicle.breaks for vehicle in problem.vehicles)
        and all(len(ranges(problem.stops[i])) == 1 for i in related)
        and not (related and any(vehicle.returns for vehicle in problem.vehicles))
    )


def improve(
    problem: Problem,
    matrix: Matrix,
    choices: list[list[int]],
    first: Orders,
    done: Callable[[], bool],
    areas: Strays = (),
) -> Orders:
    """The orders of the best solution found from the first ones, once ``done`` answers true.

    ``choices``: for each stop the vehicles it may go to; one that has none stays where it is. Where :func:`expresses`
    denies it, the orders may break the rules that PyVRP was not told. ``areas``: what each stop costs in each vehicle
    beside the way.
    """
    return Model(problem, matrix, choices, areas).improve(first, done)


class Kind(NamedTuple):
    """What makes vehicles one type: the stops they may serve, what each stop and each way costs in them, the nodes
    where they start and end, their shift and capacities, and the depot where they reload, how often and in what time.
    """

    stops: tuple[int, ...]
    area: tuple[Seconds, ...]
    rate: int
    start: int
    end: int
    from_s: Seconds
    to_s: Seconds
    capacity: tuple[int, ...]
    depot: int
    returns: int
    reload_s: Seconds


class Model:
    """A problem in PyVRP's words: locations are the stops that have a choice, then the places of vehicles."""

    def __init__(self, problem: Problem, matrix: Matrix, choices: list[list[int]], areas: Strays) -> None:
        self._problem, self._matrix, self._areas = problem, matrix, areas
        self._penalties = penalties(problem, matrix)
        served: dict[int, list[int]] = {}
        for i, vehicles in enumerate(choices):
            for v in vehicles:
                served.setdefault(v, []).append(i)
        limits = [problem.vehicles[v].capacity for v in served]
        self._loads = [kind for kind in range(LOADS) if any(limit[kind] is not None for limit in limits)]
        self._kinds: dict[Kind, list[int]] = {}
        for v in sorted(served):
            self._kinds.setdefault(self._kind(v, served[v]), []).append(v)
        self._stops = [i for i, vehicles in enumerate(choices) if vehicles]
        self._depots = sorted({depot for kind in self._kinds for depot in _depots(kind)})
        places = sorted({node for node, _ in self._depots})
        self._location = {node: k for k, node in enumerate((*self._stops, *places))}
        self._visits: dict[int, list[pyvrp.Activity]] = {}
        self._data = self._build()

    def improve(self, first: Orders, done: Callable[[], bool]) -> Orders:
        routes = [
            self._route(kind, v, first[v]) for kind, alike in enumerate(self._kinds.values()) for v in alike if first[v]
        ]
        start = pyvrp.Solution(self._data, routes)
        found = pyvrp.solve(self._data, lambda cost: done(), SEED, collect_stats=False, initial_solution=start)
        return self._orders(found.best, first)

    def _kind(self, vehicle: int, stops: list[int]) -> Kind:
        shift, matrix = self._problem.vehicles[vehicle], self._matrix
        room = (UNLIMITED if (limit := shift.capacity[kind]) is None else limit for kind in self._loads)
        return Kind(
            tuple(stops),
            tuple(self._areas[vehicle]) if self._areas else (),
            matrix.rates[vehicle],
            matrix.starts[vehicle],
            matrix.ends[vehicle],
            shift.from_s,
            shift.to_s,
            tuple(room),
            matrix.depots[vehicle],
            shift.returns,
            shift.reload_s,
        )

    def _build(self) -> pyvrp.ProblemData:
        clients: list[pyvrp.Client] = []
        groups: list[pyvrp.ClientGroup] = []
        shipments: list[pyvrp.Shipment] = []
        paired = pairs(self._problem)
        for i in self._stops:
            if i not in paired:
                numbers = range(len(clients), len(clients) + len(ranges(self._problem.stops[i])))
                self._visits[i] = [pyvrp.Activity(CLIENT, number) for number in numbers]
                clients += self._clients(i, len(groups) if len(numbers) > 1 else None)
                if len(numbers) > 1:
                    groups.append(pyvrp.ClientGroup(list(numbers), required=False))
            elif paired[i][0] == i:
                for stop, step in zip(paired[i], (PICKUP, DELIVERY), strict=True):
                    self._visits[stop] = [pyvrp.Activity(step, len(shipments))]
                shipments.append(self._shipment(*paired[i]))
        costs = dict.fromkeys((kind.stops, kind.area, kind.rate) for kind in self._kinds)
        profiles = {cost: number for number, cost in enumerate(costs)}
        lead_s = self._square(self._matrix.lead_s)
        rates = {rate: self._square(self._matrix.costs[rate]) for rate in {kind.rate for kind in self._kinds}}
        return pyvrp.ProblemData(
            locations=[pyvrp.Location(0, 0) for _ in self._location],
            clients=clients,
            depots=[pyvrp.Depot(self._location[node], service_duration=reload_s) for node, reload_s in self._depots],
            vehicle_types=[
                self._type(kind, profiles[kind.stops, kind.area, kind.rate], len(same))
                for kind, same in self._kinds.items()
            ],
            distance_matrices=[self._ways(stops, area, rates[rate]) for stops, area, rate in profiles],
            duration_matrices=[lead_s for _ in profiles],
            groups=groups,
            shipments=shipments,
        )

    def _clients(self, i: int, group: int | None) -> list[pyvrp.Client]:
        """A client for each range in which the service of a stop may begin."""
        stop = self._problem.stops[i]
        return [
            pyvrp.Client(
                self._location[i],
                delivery=self._counted(delivered(stop)),
                pickup=self._counted(picked_up(stop)),
                service_duration=stop.service_s,
                tw_early=max(0, earliest),
                tw_late=min(UNLIMITED, latest),
                prize=self._penalties[i],
                required=False,
                group=group,
            )
            for earliest, latest in ranges(stop)
        ]

    def _shipment(self, pickup: int, delivery: int) -> pyvrp.Shipment:
        """A pair. Of several windows it has the span, in which insertion then finds a place that is in one of them."""
        first, second = self._problem.stops[pickup], self._problem.stops[delivery]
        return pyvrp.Shipment(
            self._location[pickup],
            self._location[delivery],
            pickup_tw_early=max(0, ranges(first)[0][0]),
            pickup_tw_late=min(UNLIMITED, ranges(first)[-1][1]),
            pickup_service_duration=first.service_s,
            delivery_tw_early=max(0, ranges(second)[0][0]),
            delivery_tw_late=min(UNLIMITED, ranges(second)[-1][1]),
            delivery_service_duration=second.service_s,
            amount=self._counted(second.load),
            prize=self._penalties[pickup] + self._penalties[delivery],
            required=False,
        )

    def _type(self, kind: Kind, profile: int, count: int) -> pyvrp.VehicleType:
        start, end, *reload = (self._depots.index(depot) for depot in _depots(kind))
        return pyvrp.VehicleType(
            count,
            list(kind.capacity),
            start_depot=start,
            end_depot=end,
            tw_early=kind.from_s,
            tw_late=kind.to_s,
            profile=profile,
            reload_depots=reload,
            max_reloads=kind.returns,
        )

    def _ways(self, stops: tuple[int, ...], area: tuple[Seconds, ...], costs: Square) -> Square:
        """Costs between all locations for vehicles that may serve these stops, each at what it costs in their area."""
        ways = costs.copy()
        if area:
            ways[:, : len(self._stops)] += np.array([area[i] for i in self._stops], dtype=np.int64)
        others = [self._location[i] for i in set(self._stops).difference(stops)]
        ways[:, others] += 2 * max(self._penalties)
        np.fill_diagonal(ways, 0)
        return ways

    def _square(self, table: Table) -> Square:
        """A table between all locations, 0 from each to itself."""
        nodes = list(self._location)
        square = np.array(table, dtype=np.int64)[np.ix_(nodes, nodes)]
        np.fill_diagonal(square, 0)
        return square

    def _counted(self, load: Load) -> list[int]:
        return [load[kind] for kind in self._loads]

    def _route(self, kind: int, vehicle: int, order: Order) -> pyvrp.Route:
        times = timetable(self._problem, self._matrix, vehicle, order)
        assert times is not None, "the search begins with routes that can be driven"
        begins = [visit.start_s for visit in times.visits if visit.kind != "break"]
        reload = [pyvrp.Activity(DEPOT, each) for each in self._data.vehicle_type(kind).reload_depots]
        visits = []
        for i, start_s in zip(order, begins, strict=True):
            if i < len(self._problem.stops):
                windows = self._visits[i]
                over = sum(last < start_s for _, last in ranges(self._problem.stops[i]))
                visits.append(windows[min(over, len(windows) - 1)])
            else:
                visits += reload
        return pyvrp.Route(self._data, visits, kind)

    def _orders(self, solution: pyvrp.Solution, first: Orders) -> Orders:
        stops = {(visit.type, visit.idx): i for i, visits in self._visits.items() for visit in visits}
        orders = [list(order) for order in first]
        for v in (v for alike in self._kinds.values() for v in alike):
            orders[v] = []
        vehicles = [iter(alike) for alike in self._kinds.values()]
        for route in solution.routes():
            v = next(vehicles[route.vehicle_type()])
            visits = list(route)[1:-1]
            orders[v] = [
                self._matrix.depots[v] if visit.is_depot() else stops[visit.type, visit.idx] for visit in visits
            ]
        return orders


def _depots(kind: Kind) -> list[tuple[int, Seconds]]:
    """Where a type starts, ends and reloads, as node and time spent there."""
    reload = [(kind.depot, kind.reload_s)] if kind.returns else []
    return [(kind.start, 0), (kind.end, 0), *reload]
