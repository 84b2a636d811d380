"""Why a stop can never be served by a vehicle, even as the only stop of its route."""

from __future__ import annotations

from backend.planning.matrix import Matrix
from backend.planning.problem import Problem, Stop, Vehicle
from backend.planning.timetable import earliest, timetable


def obstacle(problem: Problem, matrix: Matrix, vehicle: int, stop: int) -> str | None:
    """The first cause that keeps this vehicle from this stop, None where it can serve it.

    In this order: ``assigned`` to others, lacking ``skill``, lacking ``feature``, over ``capacity``, out of the reach
    of its ``window``, beyond the working ``time``.
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
    arrival_s = given.from_s + matrix.lead_s[matrix.starts[vehicle]][stop]
    return "window" if _window_is_the_cause(wanted, given, arrival_s) else "time"


def candidates(problem: Problem, matrix: Matrix) -> list[list[int]]:
    """For each stop the vehicles that could serve it alone."""
    vehicles = range(len(problem.vehicles))
    return [[v for v in vehicles if obstacle(problem, matrix, v, i) is None] for i in range(len(problem.stops))]


def _fits(stop: Stop, vehicle: Vehicle) -> bool:
    if stop.kind == "task":
        return True
    return all(room is None or load <= room for load, room in zip(stop.load, vehicle.capacity, strict=True))


def _window_is_the_cause(stop: Stop, vehicle: Vehicle, arrival_s: int) -> bool:
    """Whether the service could be done within the shift, were it not for the windows."""
    if not stop.windows:
        return False
    start_s = earliest(stop, arrival_s)
    return start_s is None or start_s > arrival_s or start_s + stop.service_s > vehicle.to_s
