"""Problems for the planner's tests. The places lie on a line: one step east is 100 seconds and 1000 metres of road."""

import math
import random

from msgspec.structs import replace

from backend.planning.checker import violations
from backend.planning.matrix import EARTH_RADIUS_M
from backend.planning.problem import Options, Place, Plan, Problem, Stop, Vehicle
from backend.planning.search import solve

HOUR = 3600
STEP = math.degrees(1000 / EARTH_RADIUS_M)
LINE = Options(seconds=1, speed_kmh=36, circuity=1)
"""Ten metres a second without detours, and a short budget."""
DEPOT = Place(0, 0)


def at(steps: float) -> Place:
    return Place(0, steps * STEP)


def stop(key: str, steps: float, **fields) -> Stop:
    return Stop(key=key, place=at(steps), **fields)


def vehicle(key: str = "V", **fields) -> Vehicle:
    return Vehicle(**{"key": key, "from_s": 8 * HOUR, "to_s": 17 * HOUR, "start": DEPOT, "end": DEPOT} | fields)


def problem(*parts: Stop | Vehicle, options: Options = LINE) -> Problem:
    stops = tuple(part for part in parts if isinstance(part, Stop))
    return Problem(stops, tuple(part for part in parts if isinstance(part, Vehicle)), options)


def town(rng: random.Random, stops: int, vehicles: int, **options) -> Problem:
    """A day in a town: windows of hours, some two-fold, loads of all kinds, skills, features, priorities."""
    return Problem(
        tuple(_order(rng, f"O{i}") for i in range(stops)),
        tuple(
            vehicle(
                f"V{i}",
                start=Place(45.8, 16.0),
                end=Place(45.8, 16.0),
                capacity=(60_000, 100_000, None, None),
                skills=frozenset({"cold"} if i % 2 else ()),
                features=frozenset({"lift"} if i % 3 == 0 else ()),
            )
            for i in range(vehicles)
        ),
        Options(**options),
    )


def _order(rng: random.Random, key: str) -> Stop:
    opens = rng.randrange(8, 15) * HOUR
    windows = rng.choice([(), ((opens, opens + 3 * HOUR),), ((8 * HOUR, 10 * HOUR), (14 * HOUR, 16 * HOUR))])
    return Stop(
        key=key,
        place=Place(45.8 + rng.gauss(0, 0.08), 16.0 + rng.gauss(0, 0.1)),
        service_s=rng.choice([300, 600, 900]),
        check_in_s=rng.choice([0, 0, 120]),
        windows=windows,
        kind=rng.choice(["delivery", "delivery", "delivery", "pickup", "task"]),
        load=(rng.randrange(8) * 1000, rng.randrange(8) * 1000, 0, 0),
        skills=frozenset({"cold"} if rng.random() < 0.1 else ()),
        features=frozenset({"lift"} if rng.random() < 0.1 else ()),
        priority=rng.choice([0, 1, 1, 1, 2, 3]),
    )


def plan_of(asked: Problem, seconds: float | None = None) -> Plan:
    """The plan, which stands the check."""
    if seconds is not None:
        asked = replace(asked, options=replace(asked.options, seconds=seconds))
    plan = solve(asked, lambda: False, lambda percent: None)
    assert violations(asked, plan) == []
    return plan


def orders(plan: Plan) -> dict[str, list[str]]:
    return {route.vehicle: [visit.stop for visit in route.visits] for route in plan.routes}
