"""Plans that spread the work over the drivers, and plans that keep their routes apart."""

import math
import random
from statistics import fmean

import pytest
from msgspec.structs import replace

from backend.planning.problem import Place, Plan
from tests.planning.builders import LINE, at, orders, plan_of, problem, stop, town, vehicle

pytestmark = pytest.mark.usefixtures("processor_time")
BALANCED = (
    *(stop(f"S{i}", 1 + i / 10, service_s=600) for i in range(12)),
    *(vehicle(f"V{i}") for i in range(4)),
)


def test_without_balancing_the_shortest_way_wins() -> None:
    assert len(plan_of(problem(*BALANCED), 0.3).routes) == 1


@pytest.mark.parametrize("by", ["WT", "NUM"])
def test_forced_balancing_uses_every_driver_for_about_the_same(by: str) -> None:
    options = replace(LINE, balancing="ON_FORCE", balance_by=by, balancing_factor=1.0, seconds=0.5)
    plan = plan_of(problem(*BALANCED, options=options))
    assert sorted(len(route.visits) for route in plan.routes) == [3, 3, 3, 3]


def test_balancing_narrows_the_work_of_the_drivers_that_are_used() -> None:
    asked = town(random.Random(5), 60, 8, seconds=1.5)

    def spread(plan: Plan) -> int:
        counts = [len(route.visits) for route in plan.routes]
        return max(counts) - min(counts)

    even = replace(asked, options=replace(asked.options, balancing="ON", balance_by="NUM", seconds=4))
    assert spread(plan_of(even)) < spread(plan_of(asked))


@pytest.mark.parametrize(("factor", "moved"), [(0.0, 0), (0.1, 0), (0.3, 1), (1.0, 1)])
def test_the_balancing_factor_decides_how_long_a_way_is_worth_it(factor: float, moved: int) -> None:
    """A stop that the idler driver takes over saves the busier 2700 s above the mean, and costs 1800 s on the way."""
    busy = [stop(f"S{i}", 1, service_s=3000) for i in range(4)]
    shifts = vehicle("V"), vehicle("W", start=at(10), end=at(10))
    options = replace(LINE, balancing="ON_FORCE", balancing_factor=factor, seconds=2 if moved else 0.4)
    asked = problem(*busy, stop("T", 10, service_s=3000, vehicles=frozenset({"W"})), *shifts, options=options)
    assert len(orders(plan_of(asked))["W"]) == 1 + moved


@pytest.mark.parametrize("more", [{}, {"balancing": "ON"}])
def test_clustering_keeps_routes_apart(more: dict[str, str]) -> None:
    town_of_60 = town(random.Random(5), 60, 8, **more)
    where = {each.key: each.place for each in town_of_60.stops}

    def strangers(plan: Plan) -> int:
        """Stops that are nearer to the middle of another route than to that of their own."""
        routes = [[where[each.stop] for each in route.visits] for route in plan.routes]
        middles = [
            (fmean(each.latitude for each in route), fmean(each.longitude for each in route)) for route in routes
        ]

        def nearest(place: Place) -> int:
            away = [math.dist((place.latitude, 0.7 * place.longitude), (lat, 0.7 * lon)) for lat, lon in middles]
            return away.index(min(away))

        return sum(nearest(place) != number for number, route in enumerate(routes) for place in route)

    for seconds in (1.5, 5, 15):  # a busy machine needs the longer ones
        asked = replace(town_of_60, options=replace(town_of_60.options, seconds=seconds))
        apart = replace(asked, options=replace(asked.options, clustering=True))
        mixed, parted = plan_of(asked), plan_of(apart)
        print(f"{seconds} s: {strangers(mixed)} stops nearer to another route, {strangers(parted)} with clustering")
        if strangers(parted) < strangers(mixed):
            break
    assert strangers(parted) < strangers(mixed) and len(parted.dropped) <= len(mixed.dropped)
    assert parted.cost < 1.35 * mixed.cost
