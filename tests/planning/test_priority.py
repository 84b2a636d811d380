"""Stops of high priority come sooner, where that costs little."""

import random

import pytest
from msgspec.structs import replace

from backend.planning import draft
from backend.planning.checker import violations
from backend.planning.matrix import travel
from backend.planning.priority import UNIT, WEIGHTS, earlier
from backend.planning.problem import Existing, Problem
from tests.planning.builders import HOUR, LINE, at, problem, stop, town, vehicle


def sooner(asked: Problem, *orders: list[int]) -> list[list[int]]:
    matrix = travel(asked)
    choices = draft.choices(asked, matrix)
    found = earlier(asked, matrix, draft.movable(asked, choices), list(orders))
    assert violations(asked, draft.plan(asked, matrix, choices, found)) == []
    return found


def test_a_route_is_turned_round_for_a_stop_of_high_priority_at_its_end() -> None:
    stops = stop("A", 1, service_s=600), stop("B", 2, service_s=600), stop("C", 3, service_s=600, priority=2)
    assert sooner(problem(*stops, vehicle()), [0, 1, 2]) == [[2, 1, 0]]
    assert sooner(problem(*(replace(each, priority=1) for each in stops), vehicle()), [0, 1, 2]) == [[0, 1, 2]]


@pytest.mark.parametrize(("priority", "order"), [(1, [0, 1]), (2, [0, 1]), (3, [1, 0])])
def test_a_stop_is_served_first_where_the_hours_are_worth_the_way(priority: int, order: list[int]) -> None:
    """Two hours sooner, for 480 s more on the way."""
    first, second = stop("A", 0, service_s=2 * HOUR), stop("B", 2.4, priority=priority)
    away = vehicle(start=at(0), end=at(2.4))
    assert sooner(problem(first, second, away), [0, 1]) == [order]


def test_windows_loads_pairs_and_locked_routes_stay_kept() -> None:
    early = ((8 * HOUR, 9 * HOUR),)
    held = problem(stop("A", 1, service_s=1800, windows=early), stop("B", 2, priority=3, service_s=3600), vehicle())
    assert sooner(held, [0, 1]) == [[0, 1]]
    goods = {"load": (2, 0, 0, 0)}
    pair = problem(
        stop("P", 1, kind="pickup", **goods), stop("D", 2, kind="delivery", source="P", priority=3, **goods), vehicle()
    )
    assert sooner(pair, [0, 1]) == [[0, 1]]
    full = problem(
        stop("P", 1, kind="pickup", service_s=600, priority=3, **goods),
        stop("D", 2, kind="delivery", service_s=600, **goods),
        vehicle(capacity=(2, None, None, None)),
    )
    assert sooner(full, [1, 0]) == [[1, 0]]
    options = replace(LINE, lock="ROUTES", existing=(Existing("V", ("A", "B")),))
    kept = problem(stop("A", 1, service_s=600), stop("B", 2, service_s=600, priority=3), vehicle(), options=options)
    assert sooner(kept, [0, 1]) == [[0, 1]]


def test_a_stop_of_high_priority_goes_to_an_earlier_day_and_no_other_does() -> None:
    monday, tuesday = vehicle("mon"), vehicle("tue", from_s=32 * HOUR, to_s=41 * HOUR)
    stops = stop("A", 1), stop("B", 2, priority=2), stop("C", 3)
    assert [sorted(order) for order in sooner(problem(*stops, monday, tuesday), [0], [1, 2])] == [[0, 1], [2]]
    even = problem(*stops, monday, tuesday, options=replace(LINE, balancing="ON_FORCE"))
    assert sooner(even, [0], [1, 2]) == [[0], [1, 2]]


def test_towns_are_served_sooner_by_priority_for_little_more_way(rng: random.Random) -> None:
    gained_s = []
    for asked in (town(rng, 100, 10) for _ in range(4)):  # in one alone, windows may leave nothing to gain
        matrix = travel(asked)
        choices = draft.choices(asked, matrix)
        before = draft.greedy(asked, matrix, choices)
        after = sooner(asked, *before)
        costs = [draft.cost(asked, matrix, orders) for orders in (before, after)]
        urgent = {each.key for each in asked.stops if each.priority > 1}
        plans = [draft.plan(asked, matrix, choices, orders) for orders in (before, after)]
        starts = [{v.stop: v.start_s for r in plan.routes for v in r.visits if v.stop in urgent} for plan in plans]
        sooner_s = {key: starts[0][key] - start_s for key, start_s in starts[1].items()}
        gained_s.append(sum(sooner_s.values()))
        print(f"{gained_s[-1] / len(urgent):.0f} s sooner each, for {costs[1] - costs[0]} s of {costs[0]}")
        assert costs[1] < 1.1 * costs[0]
        # where the way gets shorter, some may come a little later: together it is worth it
        worth = sum(WEIGHTS[each.priority] * sooner_s.get(each.key, 0) for each in asked.stops if each.priority > 1)
        assert worth >= UNIT * (costs[1] - costs[0])
    assert sum(gained_s) > 0
