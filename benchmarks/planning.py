"""How much more does a plan cost than what PyVRP reaches by itself in the same time?

For each shape of problem and each seed, one after the other in the same process: the plan as users get it, and PyVRP
told the same problem in the plainest way, with its own start and its own parameters, for the same seconds. Cost is
seconds of travel plus the penalty of what is not served, for both; times between places are the same table. Every plan
is checked against every rule.

    python benchmarks/planning.py [--shapes town,hours,...] [--seeds 1,2] [--orders 500] [--vehicles 40] [--seconds 30]
"""

import argparse
import math
import random
import resource
import statistics
import time
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import pyvrp
from msgspec.structs import replace
from pyvrp.stop import MaxRuntime

from backend.planning import draft, search
from backend.planning.checker import violations
from backend.planning.matrix import travel
from backend.planning.problem import Break, Options, Place, Problem, Stop, Vehicle, Window
from backend.planning.timetable import penalties

AIM = 1.08
T = TypeVar("T")
HOUR = 3600
COLD = frozenset({"cold"})
FORBIDDEN = 1_000_000_000
DEPOT = Place(45.8, 16.0)
SHAPES = {
    "town": "no windows, capacity for twice the load",
    "hours": "windows of two or three hours for two orders of three",
    "tight": "a window of one hour for every order",
    "full": "no windows, 96 % of the capacity is needed",
    "villages": "twelve clusters, windows of two hours",
    "overload": "windows of two hours, a quarter of the vehicles, priorities: not all can be served",
    "skills": "as hours, every fifth order needs a skill that every third vehicle has",
    "breaks": "as hours, with a break at noon, which PyVRP is not told",
    "balanced": "as hours, balanced working time, which PyVRP is not told",
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--shapes", default="town,hours,tight,full,villages,skills,overload", help=", ".join(SHAPES))
    options.add_argument("--seeds", default="1", help="of the problems, and of PyVRP's random numbers")
    options.add_argument("--orders", type=int, default=500)
    options.add_argument("--vehicles", type=int, default=40)
    options.add_argument("--seconds", type=float, default=30.0, help="for each of the two")
    asked = options.parse_args()
    print(f"{asked.orders} orders, {asked.vehicles} vehicles, {asked.seconds:g} s each; cost is seconds of travel")
    ratios = []
    for shape in asked.shapes.split(","):
        print(f"{shape}: {SHAPES[shape]}")
        for seed in (int(seed) for seed in asked.seeds.split(",")):
            ratios.append(compare(day(shape, seed, asked.orders, asked.vehicles, asked.seconds), seed))
    print(f"\nratio of all: geometric mean {statistics.geometric_mean(ratios):.3f}, worst {max(ratios):.3f}", end="")
    print(f"  (aim {AIM}: {'reached' if max(ratios) <= AIM else 'missed'})")
    print(f"most memory this process ever had: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def compare(problem: Problem, seed: int) -> float:
    """One line: both costs, how many orders were left out, the time and the processor time each took."""
    plan, ours = timed(lambda: search.solve(problem, lambda: False, lambda percent: None))
    broken = violations(problem, plan)
    if broken or not plan.routes:
        raise SystemExit(f"  seed {seed}: no valid plan: {broken[:3]}")
    (cost, dropped), theirs = timed(lambda: plain(problem, seed))
    matrix = travel(problem)
    inserted = draft.cost(problem, matrix, draft.greedy(problem, matrix, draft.choices(problem, matrix)))
    print(
        f"  seed {seed}: cost {plan.cost:>9,} ({len(plan.dropped)} left out)   PyVRP {cost:>9,} ({dropped} left out)"
        f"   ratio {plan.cost / cost:.3f}   insertion alone {inserted / cost:.3f}   took {ours}, PyVRP {theirs}",
        flush=True,
    )
    return plan.cost / cost


def timed(work: Callable[[], T]) -> tuple[T, str]:
    began, used = time.monotonic(), time.process_time()
    result = work()
    return result, f"{time.monotonic() - began:.1f} s ({time.process_time() - used:.1f} s of a processor)"


def plain(problem: Problem, seed: int) -> tuple[float, int]:
    """PyVRP's cost, and how many orders it left out. Only the time of its search counts, not that of its model."""
    matrix, prizes = travel(problem), penalties(problem, travel(problem))
    nodes = [*range(len(problem.stops)), matrix.starts[0]]
    clients = [
        pyvrp.Client(
            i,
            delivery=[stop.load[0]],
            service_duration=stop.service_s,
            tw_early=stop.windows[0][0] if stop.windows else 0,
            tw_late=stop.windows[0][1] - stop.service_s if stop.windows else 48 * HOUR,
            prize=prizes[i],
            required=False,
        )
        for i, stop in enumerate(problem.stops)
    ]
    time_s: Any = np.array(matrix.travel_s)[np.ix_(nodes, nodes)]
    vans, ways = list[pyvrp.VehicleType](), list[Any]()
    for skills in sorted({vehicle.skills for vehicle in problem.vehicles}, key=len):
        alike = [vehicle for vehicle in problem.vehicles if vehicle.skills == skills]
        van = alike[0]
        vans.append(
            pyvrp.VehicleType(
                len(alike), [van.capacity[0] or 0], tw_early=van.from_s, tw_late=van.to_s, profile=len(ways)
            )
        )
        ways.append(time_s.copy())
        for i, stop in enumerate(problem.stops):
            if not stop.skills <= skills:
                ways[-1][:i, i] = ways[-1][i + 1 :, i] = FORBIDDEN
    places = [pyvrp.Location(0, 0) for _ in nodes]
    data = pyvrp.ProblemData(places, clients, [pyvrp.Depot(len(clients))], vans, ways, [time_s] * len(ways))
    result = pyvrp.solve(data, MaxRuntime(problem.options.seconds), seed, collect_stats=False, display=False)
    if not result.is_feasible():
        return math.inf, len(clients)
    return round(result.cost()), len(result.best.unplanned())


def day(shape: str, seed: int, orders: int, vehicles: int, seconds: float) -> Problem:
    """A day of deliveries from one depot with vehicles that are alike."""
    rng = random.Random(f"{shape} {seed} {orders} {vehicles}")
    villages = [Place(45.8 + rng.gauss(0, 0.1), 16.0 + rng.gauss(0, 0.13)) for _ in range(12)]
    stops = tuple(order(rng, shape, f"O{i}", villages) for i in range(orders))
    used = vehicles // 4 if shape == "overload" else vehicles
    room = round(sum(stop.load[0] for stop in stops) / used / (0.96 if shape == "full" else 0.5))
    breaks = (Break(11 * HOUR, 14 * HOUR, 1800),) if shape == "breaks" else ()
    van = Vehicle(
        key="",
        from_s=8 * HOUR,
        to_s=17 * HOUR,
        start=DEPOT,
        end=DEPOT,
        capacity=(room, None, None, None),
        breaks=breaks,
    )
    options = Options(seconds=seconds, balancing="ON" if shape == "balanced" else "OFF")
    vans = (replace(van, key=f"V{i}", skills=COLD if i % 3 == 0 else frozenset()) for i in range(used))
    return Problem(stops, tuple(vans), options)


def order(rng: random.Random, shape: str, key: str, villages: list[Place]) -> Stop:
    centre, spread = (rng.choice(villages), 0.012) if shape == "villages" else (DEPOT, 0.08)
    return Stop(
        key=key,
        place=Place(rng.gauss(centre.latitude, spread), rng.gauss(centre.longitude, 1.3 * spread)),
        service_s=120 if shape == "full" else rng.choice([120, 300, 480]),
        windows=window(rng, shape),
        kind="delivery",
        load=(rng.randrange(1, 9) * 1000, 0, 0, 0),
        skills=COLD if shape == "skills" and rng.random() < 0.2 else frozenset(),
        priority=rng.choice([0, 1, 1, 1, 2]) if shape == "overload" else 1,
    )


def window(rng: random.Random, shape: str) -> tuple[Window, ...]:
    match shape:
        case "town" | "full":
            return ()
        case "tight":
            opens, hours = 8 * HOUR + rng.randrange(32) * 900, 1
        case "villages" | "overload":
            opens, hours = rng.choice([8, 10, 12, 14]) * HOUR, 2
        case _:
            opens, hours = rng.randrange(8, 15) * HOUR, rng.choice([0, 2, 3])
    return ((opens, opens + hours * HOUR),) if hours else ()


if __name__ == "__main__":
    main()
