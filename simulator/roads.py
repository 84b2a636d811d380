"""The lines a van drives between the stops of its route: the route's polyline cut at the stops, or straight where
there is none.
"""

from __future__ import annotations

from itertools import pairwise

from simulator.driving import Motion
from simulator.geography import Point, decode_polyline, metres_between
from simulator.wire import Route

NEAR_M = 250.0
"""A polyline that passes a stop farther away than this is not of this route; the stop is driven to straight."""


class Roads:
    """One line per stop (ending at it; for a stop without a place the line is empty), and one home where the route
    has an end.
    """

    def __init__(self, route: Route) -> None:
        self._shape = decode_polyline(route.polyline) if route.polyline else []
        self._at = 0
        places = [(stop.latitude, stop.longitude) for stop in route.stops]
        known = [
            (latitude, longitude) for latitude, longitude in places if latitude is not None and longitude is not None
        ]
        self.start: Point = (
            (route.start.latitude, route.start.longitude) if route.start else next(iter(known), (0.0, 0.0))
        )
        self.lines = [
            self._to((latitude, longitude)) if latitude is not None and longitude is not None else []
            for latitude, longitude in places
        ]
        self.home = self._to((route.end.latitude, route.end.longitude)) if route.end else None

    @staticmethod
    def join(here: Motion, line: list[Point]) -> list[Point]:
        """A line begun where the van is."""
        return [(here.latitude, here.longitude), *line]

    def _to(self, goal: Point) -> list[Point]:
        """The part of the shape from where the last line ended to the next point nearest to the goal, and the goal
        itself.
        """
        ahead = range(self._at, len(self._shape))
        found = _first_passing(self._shape, ahead, goal)
        if found is None:
            return [goal]
        line = self._shape[self._at : found]
        self._at = found
        return [*line, goal]


def length(line: list[Point]) -> float:
    """Metres along a line."""
    return sum(metres_between(a, b) for a, b in pairwise(line))


def _first_passing(shape: list[Point], ahead: range, goal: Point) -> int | None:
    """The index of the first local closest approach to the goal within ``NEAR_M``; a later one may belong to a later
    stop.
    """
    best, nearest = None, NEAR_M
    for index in ahead:
        metres = metres_between(shape[index], goal)
        if metres < nearest:
            best, nearest = index, metres
        elif best is not None and nearest < 20.0 and metres > NEAR_M:
            break
    return best
