"""Why a stop was dropped, named for the dispatcher."""

import pytest
from msgspec.structs import replace

from backend.planning.checker import violations
from backend.planning.explain import SENTENCES
from backend.planning.problem import Break, Existing, Problem
from backend.planning.search import solve
from tests.planning.builders import HOUR, LINE, problem, stop, vehicle

QUICK = replace(LINE, seconds=0.1)
EIGHT = 8 * HOUR
CASES = {
    "NO_VEHICLE": problem(stop("A", 1), options=QUICK),
    "ASSIGNED_UNAVAILABLE": problem(stop("A", 1, vehicles=frozenset({"ill"})), vehicle(), options=QUICK),
    "SKILL_MISSING": problem(stop("A", 1, skills=frozenset({"cold", "heavy"})), vehicle(), options=QUICK),
    "FEATURE_MISSING": problem(stop("A", 1, features=frozenset({"lift"})), vehicle(), options=QUICK),
    "OVER_CAPACITY": problem(
        stop("A", 1, kind="pickup", load=(0, 5, 0, 0)), vehicle(capacity=(None, 4, None, None)), options=QUICK
    ),
    "WINDOW_UNREACHABLE": problem(stop("A", 9, windows=((EIGHT, EIGHT + 899),)), vehicle(), options=QUICK),
    "TOO_FAR": problem(stop("A", 200), vehicle(), options=QUICK),
    "BREAK_IN_THE_WAY": problem(
        stop("A", 9, windows=((EIGHT + 2 * HOUR, EIGHT + 3 * HOUR),)),
        vehicle(breaks=(Break(EIGHT + HOUR, EIGHT + 4 * HOUR, 3 * HOUR),)),
        options=QUICK,
    ),
    "LOCKED": problem(
        stop("A", 1), stop("B", 2), vehicle(), options=replace(QUICK, existing=(Existing("V", ("B",)),), lock="ROUTES")
    ),
    "VEHICLES_FULL": problem(
        stop("A", 1, kind="delivery", load=(3, 0, 0, 0), priority=0),
        stop("B", 2, kind="delivery", load=(3, 0, 0, 0)),
        vehicle(capacity=(5, None, None, None)),
        options=QUICK,
    ),
    "RELATED": problem(
        stop("B", 1, kind="pickup", windows=((EIGHT + 1000, EIGHT + 2000),)),
        stop("A", 2, kind="delivery", source="B", windows=((EIGHT, EIGHT + 900),)),
        vehicle(),
        options=QUICK,
    ),
    "WINDOW_TAKEN": problem(
        stop("A", 9, windows=((EIGHT, EIGHT + 900),), priority=0),
        stop("B", -9, windows=((EIGHT, EIGHT + 900),)),
        vehicle(),
        options=QUICK,
    ),
    "NO_TIME_LEFT": problem(stop("A", 9, priority=0), stop("B", -9), vehicle(to_s=EIGHT + 2000), options=QUICK),
}
OTHERS = [
    (
        "LOCKED",  # out of its own route, which has no place for it any more
        problem(
            stop("A", 1, windows=((EIGHT, EIGHT + 900),)),
            stop("B", 2, service_s=HOUR),
            vehicle(),
            options=replace(QUICK, existing=(Existing("V", ("B", "A")),), lock="ROUTES"),
        ),
    ),
    (
        "RELATED",  # it would fit if it were not for an order of a higher priority
        problem(
            stop("A", 5, kind="delivery", source="B", priority=0),
            stop("B", 4, kind="pickup", priority=0),
            stop("C", -9, priority=3),
            vehicle(to_s=EIGHT + 2000),
            options=QUICK,
        ),
    ),
]


@pytest.mark.parametrize(("code", "asked"), [*((code, CASES[code]) for code in SENTENCES), *OTHERS])
def test_the_cause_of_a_dropped_stop_is_named(code: str, asked: Problem) -> None:
    plan = solve(asked, lambda: False, lambda percent: None)
    assert violations(asked, plan) == []
    lost = {each.stop: each for each in plan.dropped}
    assert lost["A"].code == code
    assert "{" not in lost["A"].text


def test_the_sentence_names_what_is_missing() -> None:
    plan = solve(CASES["SKILL_MISSING"], lambda: False, lambda percent: None)
    assert plan.dropped[0].text == "No driver who may serve it has all its skills: cold, heavy."


def test_the_cause_is_what_stands_between_the_stop_and_the_vehicle_that_comes_closest() -> None:
    skilled = vehicle("W", skills=frozenset({"cold"}), capacity=(1, None, None, None))
    asked = problem(
        stop("A", 1, skills=frozenset({"cold"}), kind="delivery", load=(2, 0, 0, 0)), vehicle(), skilled, options=QUICK
    )
    assert solve(asked, lambda: False, lambda percent: None).dropped[0].code == "OVER_CAPACITY"


def test_a_window_that_is_taken_is_named_where_drivers_have_breaks_too() -> None:
    taken = CASES["WINDOW_TAKEN"]
    rested = replace(
        taken, vehicles=(replace(taken.vehicles[0], breaks=(Break(EIGHT + HOUR, EIGHT + 2 * HOUR, 600),)),)
    )
    assert [each.code for each in solve(rested, lambda: False, lambda percent: None).dropped] == ["WINDOW_TAKEN"]
