"""Why a stop was dropped, as a code and a sentence for the dispatcher."""

from __future__ import annotations

import msgspec

from backend.planning.fitness import obstacle
from backend.planning.insertion import Trip, cheapest, locked, trips
from backend.planning.matrix import Matrix
from backend.planning.problem import Dropped, Problem, pairs

SENTENCES = {
    "NO_VEHICLE": "There is no vehicle to plan with.",
    "ASSIGNED_UNAVAILABLE": "The driver it is assigned to is not available.",
    "SKILL_MISSING": "No driver who may serve it has all its skills: {skills}.",
    "FEATURE_MISSING": "No vehicle that may serve it has all its features: {features}.",
    "OVER_CAPACITY": "Its load is more than any vehicle that may serve it can carry.",
    "WINDOW_UNREACHABLE": "None of its time windows can be kept within the working times of those who may serve it.",
    "TOO_FAR": "Going there and back takes longer than the working times of those who may serve it.",
    "BREAK_IN_THE_WAY": "The breaks of those who may serve it leave no time for it.",
    "LOCKED": "The locked routes leave no place for it.",
    "VEHICLES_FULL": "The vehicles that could serve it are full with other orders.",
    "WINDOW_TAKEN": "Those who could serve it are busy elsewhere during its time windows.",
    "RELATED": "It does not fit into one route with the order it is related to.",
    "NO_TIME_LEFT": "Those who could serve it have no working time left.",
}
"""Every code and its sentence. A stop gets the cause that stands between it and the vehicle that comes closest."""

_ALONE = {
    "assigned": "ASSIGNED_UNAVAILABLE",
    "skill": "SKILL_MISSING",
    "feature": "FEATURE_MISSING",
    "capacity": "OVER_CAPACITY",
    "window": "WINDOW_UNREACHABLE",
    "time": "TOO_FAR",
    "break": "BREAK_IN_THE_WAY",
}
_NEARNESS = list(_ALONE)


def dropped(problem: Problem, matrix: Matrix, choices: list[list[int]], orders: list[list[int]]) -> list[Dropped]:
    """Every stop that is in no order, with its cause, in the problem's order."""
    served = {stop for order in orders for stop in order}
    lost = [i for i in range(len(problem.stops)) if i not in served]
    if not lost:
        return []
    routes = trips(problem, matrix, orders)
    return [_named(problem, i, _cause(problem, matrix, choices[i], routes, i)) for i in lost]


def _named(problem: Problem, i: int, code: str) -> Dropped:
    stop = problem.stops[i]
    text = SENTENCES[code].format(skills=", ".join(sorted(stop.skills)), features=", ".join(sorted(stop.features)))
    return Dropped(stop.key, code, text)


def _cause(problem: Problem, matrix: Matrix, choices: list[int], routes: list[Trip], i: int) -> str:
    if not problem.vehicles:
        return "NO_VEHICLE"
    if not choices:
        causes = [obstacle(problem, matrix, vehicle, i) for vehicle in range(len(problem.vehicles))]
        if None in causes:
            return "RELATED" if i in pairs(problem) else "LOCKED"
        return _ALONE[max((cause for cause in causes if cause), key=_NEARNESS.index)]
    stop = problem.stops[i]
    if i in locked(problem):
        return "LOCKED"
    if i in pairs(problem):
        return "RELATED"
    if cheapest(routes, choices, i, msgspec.structs.replace(stop, kind="task"), None) is not None:
        return "VEHICLES_FULL"
    if cheapest(routes, choices, i, msgspec.structs.replace(stop, windows=()), None) is not None:
        return "WINDOW_TAKEN"
    return "NO_TIME_LEFT"
