"""What each driver was to drive and drove, for a picture."""

from __future__ import annotations

from msgspec import Struct

from simulator.geography import Point
from simulator.roads import Roads
from simulator.truth import Truth

MOST_POINTS = 600
"""Of one driver's track."""


class Journey(Struct, frozen=True):
    """One driver's day: the line that was planned, the fixes that were sent, each stop with how it ended."""

    named: str
    planned: list[Point]
    driven: list[Point]
    stops: list[tuple[float, float, str]]


def journeys(truth: Truth, most: int) -> list[Journey]:
    """The first drivers' days."""
    found = []
    for diary in list(truth.diaries.values())[:most]:
        driven = [(fix.latitude, fix.longitude) for _, ((fix, _), *_rest) in sorted(diary.fixes().items())]
        planned, stops = [], []
        if route := diary.phone.route:
            roads = Roads(route)
            planned = [roads.start, *(point for line in roads.lines for point in line), *(roads.home or [])]
            statuses = diary.statuses()
            stops = [
                (stop.latitude, stop.longitude, statuses.get(str(stop.orderId), stop.type))
                for stop in route.stops
                if stop.latitude is not None and stop.longitude is not None
            ]
        found.append(Journey(diary.phone.named, planned, driven[:: len(driven) // MOST_POINTS + 1], stops))
    return found
