"""Why a stop can never be served by a vehicle, even as the only stop of its route."""

from __future__ import annotations

import msgspec

from backend.planning.matrix import Matrix
from backend.planning.problem import Problem, Stop, Vehicle
from backend.planning.timetable import timetable


def obstacle(problem: Problem, matrix: Matrix, vehicle: int, stop: int) -> str | None:
    """The first cause that keeps this vehicle from this stop, None where it can serve it.

    In this order: ``assigned`` to others, lacking ``skill``, lacking ``feature``, over ``capacity``, out of the reach
    of its ``window``, beyond the working ``time``, across a ``break``.
    """
    wanted, given = problem.stops[stop], problem.vehicles[vehicle]
    if wanted.vehicles is not None and given.key not in wanted.vehicles:
        return "assigned"
    if not wanted.skills <= given.skills:
        return "skill"
    if not wanted.features <= given.features:
        return "feature"
    if not _fits(wanted, given):
        return "capacity"
    if timetable(problem, matrix, vehicle, (stop,)) is not None:
        return None
    if given.breaks and timetable(_tireless(problem, vehicle), matrix, vehicle, (stop,)) is not None:
        return "break"
    ready_s = given.from_s + matrix.lead_s[matrix.starts[vehicle]][stop]
    finish_s = ready_s + wanted.service_s + matrix.travel_s[stop][matrix.ends[vehicle]]
    return "window" if finish_s <= given.to_s else "time"


def candidates(problem: Problem, matrix: Matrix) -> list[list[int]]:
    """For each stop the vehicles that could serve it alone."""
    alike: dict[Vehicle, list[int]] = {}
    for v, vehicle in enumerate(problem.vehicles):
        alike.setdefault(msgspec.structs.replace(vehicle, key=""), []).append(v)
    return [
        sorted(v for group in alike.values() for v in _able(problem, matrix, group, i))
        for i in range(len(problem.stops))
    ]


def _able(problem: Problem, matrix: Matrix, group: list[int], i: int) -> list[int]:
    """Those of a group of vehicles, which differ in nothing but their keys, that could serve a stop alone."""
    named = problem.stops[i].vehicles
    able = [v for v in group if named is None or problem.vehicles[v].key in named]
    return able if able and obstacle(problem, matrix, able[0], i) is None else []


def _tireless(problem: Problem, vehicle: int) -> Problem:
    """The problem as if this vehicle had no breaks."""
    vehicles = list(problem.vehicles)
    vehicles[vehicle] = msgspec.structs.replace(vehicles[vehicle], breaks=())
    return msgspec.structs.replace(problem, vehicles=tuple(vehicles))


def _fits(stop: Stop, vehicle: Vehicle) -> bool:
    if stop.kind == "task":
        return True
    return all(room is None or load <= room for load, room in zip(stop.load, vehicle.capacity, strict=True))
