"""Routes that no server planned: the round that a driver makes through the generated town, nearest stop first."""

from __future__ import annotations

from random import Random

from simulator.geography import metres_between
from simulator.town import DEPOTS, order
from simulator.wire import Place, Route, Stop, iso, unix

DETOUR = 1.35
"""How much longer streets are than the straight way, in a town."""
PACE_MPS = 8.5


def around(seed: int, date: str, number: int, stops: int, ordered: bool) -> Route:
    """The round of the driver with this number, from 07:00 UTC; without orders the van stands at each place as long,
    and nobody is told.
    """
    rng = Random(f"round/{seed}/{number}")
    depot = DEPOTS[number % len(DEPOTS)][-2:]
    left = [order(rng, date, seed, index) for index in range(stops)]
    here, start = depot, Place(*depot, "Depot", iso(unix(f"{date}T07:00:00+00:00")))
    made: list[Stop] = []
    while left:
        nearest = min(left, key=lambda each: metres_between(here, _place(each)))
        left.remove(nearest)
        travel = metres_between(here, _place(nearest)) * DETOUR / PACE_MPS
        here = _place(nearest)
        name = nearest["orderNo"] if ordered else None
        made.append(Stop(len(made) + 1, *here, orderId=name, travelTime=travel, duration=nearest["duration"] * 60))
    return Route(f"round-{number}", "", date, start=start, end=Place(*depot, "Depot"), stops=tuple(made))


def _place(wanted: dict) -> tuple[float, float]:
    return wanted["location"]["latitude"], wanted["location"]["longitude"]
