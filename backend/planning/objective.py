"""What a search makes small: travel time, penalties of dropped stops, and imbalance where balance is asked for.

With balancing, work above the mean of the vehicles costs: working time (WT: driving and service), or the number of
stops, each counted as the mean work per stop. With ON the mean is over the vehicles in use and a second too much costs
0.6; with ON_FORCE it is over all, a second too much costs four factors, and an idle vehicle as much as a detour.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from backend.planning.insertion import Order, Orders
from backend.planning.matrix import Matrix
from backend.planning.problem import Problem
from backend.planning.timetable import detour, penalties, travelled


class Objective:
    """The cost of a plan that changes by a few routes at a time."""

    def __init__(self, problem: Problem, matrix: Matrix, orders: Orders, absent: Iterable[int]) -> None:
        options = problem.options
        self._matrix = matrix
        self._penalties = penalties(problem, matrix)
        self._service_s = [stop.service_s for stop in problem.stops]
        self._balanced, self._forced = options.balancing != "OFF", options.balancing == "ON_FORCE"
        self._weight = 4 * options.balancing_factor if self._forced else 0.6
        self._idle = detour(matrix) // 2
        self._travel_s = [travelled(matrix, vehicle, order) for vehicle, order in enumerate(orders)]
        work_s = sum(self._travel_s) + sum(self._service_s)
        self._per_stop = work_s / max(1, len(problem.stops)) if options.balance_by == "NUM" else 0
        self._work = [self._measure(vehicle, order) for vehicle, order in enumerate(orders)]
        self.cost = self.cost_with({}, absent)

    def cost_with(self, changed: Mapping[int, Order], absent: Iterable[int]) -> float:
        """The cost with these routes in place of those they had, and with these stops dropped."""
        cost: float = sum(self._travel_s) + sum(self._penalties[i] for i in absent)
        cost += sum(travelled(self._matrix, v, order) - self._travel_s[v] for v, order in changed.items())
        if self._balanced:
            work = list(self._work)
            for vehicle, order in changed.items():
                work[vehicle] = self._measure(vehicle, order)
            cost += self._imbalance(work)
        return cost

    def accept(self, changed: Mapping[int, Order], cost: float) -> None:
        """Take these routes as those from which further changes are measured."""
        self.cost = cost
        for vehicle, order in changed.items():
            self._travel_s[vehicle] = travelled(self._matrix, vehicle, order)
            if self._balanced:
                self._work[vehicle] = self._measure(vehicle, order)

    def extra(self, vehicle: int, order: Order, i: int) -> float:
        """What one more stop costs on a route beside its way."""
        if not self._balanced:
            return 0
        if not order:
            return -self._idle if self._forced else 0
        shared = [work for work in self._work if work or self._forced]
        mean = sum(shared) / max(1, len(shared))
        more = self._per_stop or self._service_s[i]
        return self._weight * more if self._measure(vehicle, order) + more > mean else 0

    def _measure(self, vehicle: int, order: Order) -> float:
        if self._per_stop:
            return len(order) * self._per_stop
        return travelled(self._matrix, vehicle, order) + sum(self._service_s[i] for i in order)

    def _imbalance(self, work: list[float]) -> float:
        shared = work if self._forced else [each for each in work if each]
        mean = sum(shared) / max(1, len(shared))
        idle = self._idle * sum(1 for each in work if not each) if self._forced else 0
        return self._weight * sum(each - mean for each in shared if each > mean) + idle
