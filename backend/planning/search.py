"""A plan within a budget of seconds: insertion, then a search over what it left.

PyVRP's iterated local search (:mod:`backend.planning.iterated`) does it alone where it can be told the whole problem.
Where it cannot, it searches the problem without what it was not told for a part of the budget; insertion mends what it
found, and OR-Tools (:mod:`backend.planning.solver`), which knows every rule, goes on from there.

What they find are orders of stops; their times come from :mod:`backend.planning.timetable`, exact for a fixed order.
"""

from __future__ import annotations

from collections.abc import Callable

from backend.planning import draft, insertion, iterated, priority, solver
from backend.planning.clusters import Strays, astray, strays
from backend.planning.insertion import Orders
from backend.planning.matrix import Matrix, travel
from backend.planning.problem import Plan, Problem, budget
from backend.planning.watch import Watch

ITERATED_SHARE = 0.8
"""The part of the budget for PyVRP where OR-Tools has to follow. With less, plans with breaks came out longer, and
those with balance longer and less balanced."""
AREAS_SHARE = 0.3
"""The part of PyVRP's time after which it is told the areas of the routes, where routes shall keep apart."""


def solve(problem: Problem, stop: Callable[[], bool], progress: Callable[[int], None]) -> Plan:
    """The best plan found within the budget, or until ``stop`` answers true. ``progress`` is told rising percents."""
    watch = Watch(stop, progress, budget(problem))
    matrix = travel(problem)
    regular = draft.regular(problem)
    choices = draft.choices(regular, matrix)
    movable = draft.movable(regular, choices)
    orders = draft.greedy(regular, matrix, choices)
    if any(movable):
        orders = _searched(regular, matrix, choices, movable, orders, watch)
        orders = priority.earlier(regular, matrix, movable, orders)
    if regular is not problem:
        choices = draft.choices(problem, matrix)
        orders = insertion.insert(problem, matrix, choices, orders)
    progress(100)
    return draft.plan(problem, matrix, choices, orders)


def _searched(
    problem: Problem,
    matrix: Matrix,
    choices: list[list[int]],
    movable: list[list[int]],
    orders: Orders,
    watch: Watch,
) -> Orders:
    areas: Strays = ()

    def cost(orders: Orders) -> int:
        return draft.cost(problem, matrix, orders) + astray(areas, orders)

    def iterate(orders: Orders, share: float) -> Orders:
        found = iterated.improve(problem, matrix, movable, orders, lambda: watch.elapsed() >= share, areas)
        return min(orders, insertion.insert(problem, matrix, choices, found), key=cost)

    whole = iterated.expresses(problem)
    share = 1 if whole else ITERATED_SHARE
    if problem.options.clustering:
        orders = iterate(orders, AREAS_SHARE * share)
        areas = strays(problem, orders)
    orders = iterate(orders, share)
    if not whole and watch.elapsed() < 1:
        found = solver.improve(problem, matrix, movable, orders, watch, areas)
        orders = insertion.insert(problem, matrix, choices, found)
    return orders
