"""The search: ruin a part of the plan, recreate it, and keep the change if it is good enough.

Slack induction by string removals (Christiaens & Vanden Berghe 2020, "Slack induction by string removals for vehicle
routing problems"): strings of neighbouring stops are taken out of a few neighbouring routes and put back one by one,
each where it costs least, now and then overlooking a position. Worse plans are accepted with a probability that falls
as the time runs out. Every plan on the way keeps every hard rule, and dropped stops are tried again in each step.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable

from backend.planning.insertion import Order, Orders, trips
from backend.planning.matrix import Matrix
from backend.planning.objective import Objective
from backend.planning.problem import Problem, pairs
from backend.planning.timetable import FAR, Ranges, ranges, travelled

REMOVED = 10
"""How many stops a ruin takes out on average."""
LONGEST = 10
"""How many stops it takes out of one route at most."""
HOT = 4.0
"""The temperature at the beginning, in mean legs of the first plan."""
COOLING = 1000.0
"""How much lower it is at the end."""


def improve(
    problem: Problem,
    matrix: Matrix,
    choices: list[list[int]],
    orders: Orders,
    elapsed: Callable[[], float],
    chance: random.Random,
) -> Orders:
    """The best orders found, beginning with feasible ones, until ``elapsed``, a share of the time, is 1."""
    search = _Search(problem, matrix, choices, orders, chance)
    share = elapsed()
    while share < 1:
        search.step(search.heat / COOLING**share)
        share = elapsed()
    return search.best


class _Search:
    """The plan at hand, and the best one so far."""

    def __init__(
        self, problem: Problem, matrix: Matrix, choices: list[list[int]], orders: Orders, chance: random.Random
    ) -> None:
        self._problem, self._choices, self._chance = problem, choices, chance
        self._pairs = pairs(problem)
        self._stops = [i for i, vehicles in enumerate(choices) if vehicles]
        self._starts = [ranges(stop) for stop in problem.stops]
        self._near = {i: sorted(self._stops, key=matrix.travel_s[i].__getitem__) for i in self._stops}
        self._kinds = [_kind(problem, matrix, vehicle) for vehicle in range(len(problem.vehicles))]
        self._sortings = _sortings(problem, matrix, self._starts)
        self._trips = trips(problem, matrix, orders)
        self._home = {i: trip for trip in self._trips for i in trip.order}
        self._absent = [i for i in self._stops if i not in self._home]
        self._objective = Objective(problem, matrix, orders, self._absent)
        self._best_cost = self._objective.cost
        self.best: Orders = [trip.order for trip in self._trips]
        self.heat = HOT * sum(travelled(matrix, v, order) for v, order in enumerate(orders)) / max(1, len(self._home))

    def step(self, temperature: float) -> None:
        """One ruin, one recreation, one decision."""
        before: dict[int, Order] = {}
        absent = self._recreate(self._ruin(before) + self._absent, before)
        after = {vehicle: self._trips[vehicle].order for vehicle in before}
        cost = self._objective.cost_with(after, absent)
        # The way around a removed stop may be a second longer than over it, by rounding, or need a check-in more.
        in_time = all(self._trips[vehicle].in_time for vehicle in before)
        if in_time and cost < self._objective.cost - temperature * math.log(1 - self._chance.random()):
            self._accept(after, absent, cost)
        else:
            for vehicle, order in before.items():
                self._trips[vehicle].replace(order)

    def _accept(self, after: dict[int, Order], absent: list[int], cost: float) -> None:
        self._objective.accept(after, cost)
        for i in absent:
            self._home.pop(i, None)
        for vehicle, order in after.items():
            self._home.update((i, self._trips[vehicle]) for i in order)
        self._absent = absent
        if cost < self._best_cost:
            self._best_cost, self.best = cost, [trip.order for trip in self._trips]

    def _ruin(self, before: dict[int, Order]) -> list[int]:
        """Take strings out of the routes around a stop drawn by chance; ``before`` keeps the orders they had."""
        chance = self._chance
        used = sum(1 for trip in self._trips if trip.order)
        longest = min(LONGEST, len(self._home) / max(1, used))
        routes = int(chance.uniform(1, 4 * REMOVED / (1 + longest)))
        removed: list[int] = []
        for i in self._near[chance.choice(self._stops)]:
            if len(before) >= routes:
                break
            trip = self._home.get(i)
            if trip is not None and trip.vehicle not in before:
                before[trip.vehicle] = order = trip.order
                length = int(chance.uniform(1, min(len(order), longest) + 1))
                at = order.index(i)
                first = chance.randint(max(0, at - length + 1), min(at, len(order) - length))
                string = self._with_partners(order[first : first + length])
                removed += string
                trip.replace([each for each in order if each not in string])
        return removed

    def _with_partners(self, string: list[int]) -> list[int]:
        """A string with the other halves of its pairs, which are on the same route."""
        if not self._pairs:
            return string
        return list({each for i in string for each in self._pairs.get(i, (i,))})

    def _recreate(self, todo: list[int], before: dict[int, Order]) -> list[int]:
        """Put stops into routes; those that fit nowhere are returned."""
        sorting = self._chance.choice(self._sortings)
        self._chance.shuffle(todo)
        if sorting is not None:
            todo.sort(key=sorting.__getitem__)
        todo.sort(key=lambda i: -self._problem.stops[i].priority)
        absent = []
        for i in todo:
            pair = self._pairs.get(i)
            if pair and i == pair[1]:
                continue
            found = self._cheapest(i, pair)
            if found is None:
                absent += pair or [i]
            else:
                trip = self._trips[found[0]]
                before.setdefault(trip.vehicle, trip.order)
                trip.replace(found[1])
        return absent

    def _cheapest(self, i: int, pair: tuple[int, int] | None) -> tuple[int, Order] | None:
        """The vehicle for which a stop, or its pair, costs least, and its order then."""
        stop, starts, luck = self._problem.stops[i], self._starts[i], self._chance.random
        bound: float = FAR
        found: tuple[int, Order] | None = None
        empty: set[tuple[object, ...]] = set()
        for vehicle in self._choices[i]:
            trip = self._trips[vehicle]
            if not trip.order:
                if self._kinds[vehicle] in empty:
                    continue
                empty.add(self._kinds[vehicle])
            extra = self._objective.extra(vehicle, trip.order, i)
            if pair is None:
                place = trip.best(i, stop, starts, bound - extra, luck=luck)
                if place:
                    bound, found = place[0] + extra, (vehicle, trip.with_stop(i, place[1]))
            else:
                both = trip.best_pair(*pair, bound - extra, luck)
                if both:
                    bound, found = both[0] + extra, (vehicle, both[1])
        return found


def _sortings(problem: Problem, matrix: Matrix, starts: list[Ranges]) -> list[list[float] | None]:
    """By what removed stops are sorted before they are put back, each as often as the paper has it; None: by chance."""
    stops = range(len(problem.stops))
    depots = set(matrix.starts)
    far = [max(matrix.travel_s[depot][i] for depot in depots) for i in stops]
    load = [-sum(problem.stops[i].load) for i in stops]
    width = [sum(last - first for first, last in starts[i]) for i in stops]
    opens = [starts[i][0][0] if starts[i] else 0 for i in stops]
    closes = [-starts[i][-1][1] if starts[i] else 0 for i in stops]
    farthest = [-each for each in far]
    return [*[None] * 4, *[load] * 4, *[farthest] * 2, far, *[width] * 2, *[opens] * 2, *[closes] * 2]


def _kind(problem: Problem, matrix: Matrix, vehicle: int) -> tuple[object, ...]:
    """What makes two empty vehicles the same to a stop that both may serve."""
    shift = problem.vehicles[vehicle]
    return matrix.starts[vehicle], matrix.ends[vehicle], shift.from_s, shift.to_s, shift.capacity
