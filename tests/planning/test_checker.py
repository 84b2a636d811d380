"""The checker finds each broken rule in a plan that was broken by hand, and nothing in the plan as it was."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from backend.planning.checker import violations
from backend.planning.problem import Dropped, Plan, Problem, Route, Visit
from backend.planning.solver import solve
from tests.planning.builders import HOUR, at, problem, stop, vehicle

PROBLEM = problem(
    stop("A", 1, service_s=300, kind="delivery", load=(2, 0, 0, 0), skills=frozenset({"cold"})),
    stop("B", 2, service_s=300, kind="pickup", load=(3, 0, 0, 0), windows=((10 * HOUR, 11 * HOUR),)),
    stop("C", 2, service_s=300, check_in_s=120, features=frozenset({"lift"}), vehicles=frozenset({"V"})),
    stop("D", 4, check_in_s=120),
    vehicle(capacity=(3, None, None, None), skills=frozenset({"cold"}), features=frozenset({"lift"})),
    vehicle("W"),
)


@pytest.fixture(scope="module")
def plan() -> Plan:
    one_by_one = replace(PROBLEM, options=replace(PROBLEM.options, seconds=0.2))
    plan = solve(one_by_one, lambda: False, lambda percent: None)
    assert len(plan.routes) == 1 and not plan.dropped
    assert violations(PROBLEM, plan) == []
    return plan


def edit(plan: Plan, change: Callable[[Route], Route]) -> Plan:
    return replace(plan, routes=(change(plan.routes[0]),))


def visit(plan: Plan, key: str, change: Callable[[Visit], Visit]) -> Plan:
    return edit(
        plan, lambda route: replace(route, visits=tuple(change(v) if v.stop == key else v for v in route.visits))
    )


def with_stop(key: str, **fields: object) -> Problem:
    stops = tuple(replace(each, **fields) if each.key == key else each for each in PROBLEM.stops)
    return replace(PROBLEM, stops=stops)


def with_vehicle(**fields: object) -> Problem:
    return replace(PROBLEM, vehicles=(replace(PROBLEM.vehicles[0], **fields), PROBLEM.vehicles[1]))


def test_a_stop_that_is_lost_or_doubled_is_found(plan: Plan) -> None:
    lost = edit(plan, lambda route: replace(route, visits=route.visits[:-1]))
    assert any("is in the plan 0 times" in text for text in violations(PROBLEM, lost))
    doubled = replace(plan, dropped=(Dropped("A", "NO_TIME_LEFT", ""),))
    assert "Stop A is in the plan 2 times." in violations(PROBLEM, doubled)


def test_what_the_problem_does_not_know_is_found(plan: Plan) -> None:
    assert "Vehicle X is not in the problem." in violations(
        PROBLEM, edit(plan, lambda route: replace(route, vehicle="X"))
    )
    assert "Stop X is not in the problem." in violations(PROBLEM, visit(plan, "A", lambda v: replace(v, stop="X")))


def test_two_routes_of_a_vehicle_and_an_empty_route_are_found(plan: Plan) -> None:
    doubled = replace(plan, routes=(plan.routes[0], replace(plan.routes[0], visits=())))
    assert {"Vehicle V has 2 routes.", "The route of vehicle V has no visits."} <= set(violations(PROBLEM, doubled))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (with_vehicle(skills=frozenset()), "Vehicle V lacks the skill cold of stop A."),
        (with_vehicle(features=frozenset()), "Vehicle V lacks the feature lift of stop C."),
        (with_stop("A", vehicles=frozenset({"W"})), "Stop A is not for vehicle V."),
        (with_stop("A", load=(4, 0, 0, 0)), "Vehicle V carries 4 of load 1 at its start, its capacity is 3."),
        (with_stop("B", load=(4, 0, 0, 0)), "Vehicle V carries 4 of load 1 after stop B, its capacity is 3."),
        (with_stop("B", windows=((8 * HOUR, 9 * HOUR),)), "Service at stop B is outside its time windows."),
        (with_stop("B", service_s=301), "Service at stop B is cut short."),
        (with_stop("D", check_in_s=121), "Service at stop D begins before arrival and check-in."),
        (with_vehicle(from_s=16 * HOUR), "Vehicle V leaves before its shift."),
        (with_vehicle(to_s=9 * HOUR), "Vehicle V finishes after its shift."),
        (with_vehicle(end=at(-9)), "Vehicle V reaches its end sooner than one can travel."),
        (with_stop("A", place=at(50)), "Stop A is reached sooner than one can travel."),
    ],
)
def test_each_broken_rule_is_named(plan: Plan, changed: Problem, said: str) -> None:
    assert any(said in text for text in violations(changed, plan)), violations(changed, plan)


def test_a_pair_that_is_split_or_turned_round_is_found(plan: Plan) -> None:
    first, last = plan.routes[0].visits[0].stop, plan.routes[0].visits[-1].stop
    turned = with_stop(first, source=last)
    assert f"Stop {first} comes without its pickup {last} before it." in violations(turned, plan)
    halved = edit(plan, lambda route: replace(route, visits=route.visits[:-1]))
    assert f"Stop {first} comes without its delivery {last}." in violations(with_stop(last, source=first), halved)


def test_times_that_do_not_follow_from_each_other_are_found(plan: Plan) -> None:
    early = visit(plan, "D", lambda v: replace(v, arrival_s=v.arrival_s - 1))
    assert violations(PROBLEM, early) == ["Stop D is reached sooner than one can travel."]
    rushed = visit(plan, "D", lambda v: replace(v, start_s=v.arrival_s + 119))
    assert violations(PROBLEM, rushed) == ["Service at stop D begins before arrival and check-in."]
    home = edit(plan, lambda route: replace(route, finish_s=route.finish_s - 1))
    assert violations(PROBLEM, home) == ["Vehicle V reaches its end sooner than one can travel."]


def test_wrong_distances_and_totals_are_found(plan: Plan) -> None:
    shorter = visit(plan, "D", lambda v: replace(v, distance_m=v.distance_m - 1))
    assert any(text.startswith("The way to stop D is ") for text in violations(PROBLEM, shorter))
    total = edit(plan, lambda route: replace(route, distance_m=route.distance_m + 1))
    assert violations(PROBLEM, total) == ["The totals of the route of vehicle V are wrong."]
