"""The checker finds each broken rule in a plan that was broken by hand, and nothing in the plan as it was."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from backend.planning.checker import violations
from backend.planning.problem import DEPOT, Break, Dropped, Existing, Plan, Problem, Route, Visit
from backend.planning.search import solve
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
    assert {"Vehicle V has 2 routes.", "The route of vehicle V has no stops."} <= set(violations(PROBLEM, doubled))


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
        (with_stop("A", place=at(50)), "The way to stop A is 50000 m and 5000 s, not what the plan says."),
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


GOODS = {"kind": "delivery", "load": (2, 0, 0, 0)}
NOON = Break(12 * HOUR, 13 * HOUR, 1800)
LONG_DAY = problem(
    stop("A", 1, service_s=2 * HOUR, **GOODS),
    stop("B", 2, service_s=2 * HOUR, **GOODS),
    stop("C", 3, service_s=2 * HOUR, check_in_s=120, **GOODS),
    vehicle(capacity=(4, None, None, None), reloads=1, reload_s=600, breaks=(NOON,)),
)


@pytest.fixture(scope="module")
def long_day() -> Plan:
    """A day with a break and with one visit to the depot."""
    plan = solve(replace(LONG_DAY, options=replace(LONG_DAY.options, seconds=0.2)), lambda: False, lambda percent: None)
    assert sorted(each.kind for each in plan.routes[0].visits) == ["break", "depot", "stop", "stop", "stop"]
    assert violations(LONG_DAY, plan) == []
    return plan


def at_work(**fields: object) -> Problem:
    return replace(LONG_DAY, vehicles=(replace(LONG_DAY.vehicles[0], **fields),))


def of_kind(plan: Plan, kind: str, change: Callable[[Visit], Visit]) -> Plan:
    return edit(
        plan, lambda route: replace(route, visits=tuple(change(v) if v.kind == kind else v for v in route.visits))
    )


def without(plan: Plan, kind: str) -> Plan:
    return edit(plan, lambda route: replace(route, visits=tuple(v for v in route.visits if v.kind != kind)))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (at_work(reloads=0), "Vehicle V comes back to its depot 1 times, 0 are allowed."),
        (at_work(reload_s=601), "Vehicle V leaves the depot before it has reloaded."),
        (at_work(start=None, end=None), "Vehicle V comes back to its depot 1 times, 0 are allowed."),
        (at_work(capacity=(3, None, None, None)), "Vehicle V carries 4 of load 1 at its start, its capacity is 3."),
        (
            at_work(breaks=(Break(12 * HOUR, 13 * HOUR, 1801),)),
            "Vehicle V does not keep its break from 43200 to 46800.",
        ),
        (at_work(breaks=(Break(9 * HOUR, 10 * HOUR, 60),)), "Vehicle V does not keep its break from 32400 to 36000."),
        (at_work(breaks=()), "Vehicle V has more breaks than are due."),
    ],
)
def test_each_broken_rule_of_trips_and_breaks_is_named(long_day: Plan, changed: Problem, said: str) -> None:
    assert said in violations(changed, long_day)


def test_a_trip_that_is_not_reloaded_and_a_break_that_is_not_taken_are_found(long_day: Plan) -> None:
    full = "Vehicle V carries 6 of load 1 at its start, its capacity is 4."
    assert full in violations(LONG_DAY, without(long_day, "depot"))
    missed = "Vehicle V does not keep its break from 43200 to 46800."
    assert missed in violations(LONG_DAY, without(long_day, "break"))
    short = of_kind(long_day, "break", lambda v: replace(v, departure_s=v.departure_s - 1))
    assert missed in violations(LONG_DAY, short)
    late = of_kind(long_day, "break", lambda v: replace(v, start_s=v.start_s + HOUR, departure_s=v.departure_s + HOUR))
    assert missed in violations(LONG_DAY, late)


def test_a_break_while_the_driver_is_at_work_is_found(long_day: Plan) -> None:
    early = of_kind(long_day, "break", lambda v: replace(v, arrival_s=v.arrival_s - 60))
    assert violations(LONG_DAY, early) == ["The break of vehicle V is reached sooner than one can travel."]
    into = of_kind(long_day, "break", lambda v: replace(v, departure_s=v.departure_s + 60))
    assert any("is reached sooner than one can travel" in text for text in violations(LONG_DAY, into))
    behind = of_kind(long_day, "break", lambda v: replace(v, arrival_s=v.start_s + 60))
    assert "The times of the break of vehicle V are not in order." in violations(LONG_DAY, behind)


def test_a_break_does_not_count_as_check_in(long_day: Plan) -> None:
    """The break is taken where the driver waits for C, which is open from the break's end on."""
    opens = 13 * HOUR
    asked = problem(
        stop("C", 3, check_in_s=900, windows=((opens, opens + 60),)),
        stop("A", 1, windows=((11 * HOUR, 11 * HOUR),)),
        vehicle(breaks=(Break(12 * HOUR, opens, HOUR),)),
    )
    way = {"distance_m": 2000, "travel_s": 200}
    first = Visit("A", 11 * HOUR, 11 * HOUR, 11 * HOUR, 1000, 100)
    came = opens - HOUR - 900
    rest = Visit("", came, opens - HOUR, opens, **way, kind="break", place=at(3))
    last = Visit("C", opens, opens, opens, 0, 0)
    route = Route("V", 11 * HOUR - 100, (first, rest, last), opens + 300, 6000, 600)
    assert violations(asked, Plan((route,), (), 600)) == []
    tight = replace(rest, arrival_s=came + 1)
    assert violations(asked, Plan((replace(route, visits=(first, tight, last)),), (), 600)) == [
        "Service at stop C begins before arrival and check-in."
    ]


def test_goods_of_a_pair_stay_on_board_at_the_depot_and_others_do_not() -> None:
    asked = problem(
        stop("P", 1, kind="pickup", load=(2, 0, 0, 0)),
        stop("Q", 2, kind="pickup", load=(2, 0, 0, 0)),
        stop("D", 3, source="P", **GOODS),
        stop("E", 4, **GOODS),
        vehicle(capacity=(4, None, None, None), reloads=1),
    )
    way = [("P", 1, 1), ("Q", 1, 2), (DEPOT, 2, 4), ("D", 3, 7), ("E", 1, 8)]
    visits = tuple(
        Visit(
            key,
            *[8 * HOUR + 100 * done] * 3,
            1000 * steps,
            100 * steps,
            *(() if key else ("depot", asked.vehicles[0].depot)),
        )
        for key, steps, done in way
    )
    plan = Plan((Route("V", 8 * HOUR, visits, 8 * HOUR + 1200, 12_000, 1200),), (), 1200)
    assert violations(asked, plan) == []
    smaller = replace(asked, vehicles=(replace(asked.vehicles[0], capacity=(3, None, None, None)),))
    assert violations(smaller, plan) == [
        "Vehicle V carries 4 of load 1 after stop Q, its capacity is 3.",
        "Vehicle V carries 4 of load 1 at its start, its capacity is 3.",
    ]


def test_a_broken_lock_is_found(plan: Plan) -> None:
    keys = tuple(each.stop for each in plan.routes[0].visits)

    def locked(lock: str, vehicle: str, *stops: str) -> list[str]:
        options = replace(PROBLEM.options, lock=lock, existing=(Existing(vehicle, stops),))
        return violations(replace(PROBLEM, options=options), plan)

    assert locked("ROUTES", "V", *keys) == locked("RESOURCES", "V", *keys) == locked("NONE", "W", *keys) == []
    assert locked("RESOURCES", "W", "A") == ["Stop A is locked to vehicle W."]
    assert locked("ROUTES", "V", *keys[::-1]) == ["The locked route of vehicle V has another order."]
    assert locked("ROUTES", "V", *keys[1:]) == [f"Stop {keys[0]} was added to the locked route of vehicle V."]
