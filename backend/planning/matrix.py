"""Travel times and distances: the great circle, lengthened by a circuity factor, at an average speed.

Circuity is the ratio of road distance to the straight line, 1.2 to 1.4 in most cities (Ballou, Rahardja & Sakai 2002,
"Selected country circuity factors for road travel distance estimation").
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import msgspec

from backend.planning.problem import Options, Place, Problem

EARTH_RADIUS_M = 6_371_008.8
"""The mean radius of the Earth (IUGG)."""

_Vector = tuple[float, float, float]


class Matrix(msgspec.Struct, frozen=True):
    """Tables over nodes: the stops in the problem's order, then the vehicles' places, then a node called nowhere.

    ``travel_s[i][j]`` and ``distance_m[i][j]`` lead from node i to node j; ``lead_s`` adds the check-in at j, if it is
    due. From and to nowhere everything is 0: it stands in for a start or an end that a vehicle does not have.
    ``starts``, ``ends`` and ``depots`` hold each vehicle's nodes. ``costs`` are tables of what plans are compared by,
    and ``rates`` the position of each vehicle's own among them: travel seconds, or where vehicles cost something, that
    cost with the service at j, in units of what the mean vehicle costs in a second on the way.
    """

    travel_s: list[list[int]]
    distance_m: list[list[int]]
    lead_s: list[list[int]]
    starts: list[int]
    ends: list[int]
    depots: list[int]
    costs: list[list[list[int]]]
    rates: list[int]

    def cost(self, vehicle: int) -> list[list[int]]:
        """What the way from node i to node j costs a vehicle."""
        return self.costs[self.rates[vehicle]]


def travel(problem: Problem) -> Matrix:
    """The tables of all nodes of a problem."""
    places = [stop.place for stop in problem.stops]
    known: dict[Place | None, int] = {}
    for vehicle in problem.vehicles:
        for place in (vehicle.start, vehicle.end, vehicle.depot if vehicle.reloads else None):
            if place is not None and place not in known:
                known[place] = len(places)
                places.append(place)
    known[None] = len(places)
    distance_m, travel_s = _tables(places, problem.options)
    rates = [(vehicle.per_hour, vehicle.per_km) for vehicle in problem.vehicles]
    known_rates = {rate: number for number, rate in enumerate(dict.fromkeys(rates))}
    return Matrix(
        travel_s=travel_s,
        distance_m=distance_m,
        lead_s=_with_check_in(problem, travel_s),
        starts=[known[vehicle.start] for vehicle in problem.vehicles],
        ends=[known[vehicle.end] for vehicle in problem.vehicles],
        depots=[known[vehicle.depot if vehicle.reloads else None] for vehicle in problem.vehicles],
        costs=_costs(problem, list(known_rates), rates, travel_s, distance_m),
        rates=[known_rates[rate] for rate in rates],
    )


def _costs(
    problem: Problem,
    known: list[tuple[int, int]],
    rates: list[tuple[int, int]],
    travel_s: list[list[int]],
    distance_m: list[list[int]],
) -> list[list[list[int]]]:
    metres_s = problem.options.speed_kmh / 3.6
    mean = sum(hour / 3600 + km / 1000 * metres_s for hour, km in rates) / max(1, len(rates))
    if not mean:
        return [travel_s]
    service_s = [stop.service_s for stop in problem.stops] + [0] * (len(travel_s) - len(problem.stops))
    return [
        [
            [
                round((hour / 3600 * (way_s + at_s) + km / 1000 * way_m) / mean)
                for way_s, at_s, way_m in zip(ways_s, service_s, ways_m, strict=True)
            ]
            for ways_s, ways_m in zip(travel_s, distance_m, strict=True)
        ]
        for hour, km in known
    ]


def leg(a: Place, b: Place, options: Options) -> tuple[int, int]:
    """Distance in metres and travel time in seconds (rounded up) between two places."""
    metres = round(EARTH_RADIUS_M * options.circuity * _angle(_vector(a), _vector(b)))
    return metres, math.ceil(metres * 3.6 / options.speed_kmh)


def polyline(points: Iterable[tuple[float, float]]) -> str:
    """Latitude-longitude pairs as an encoded polyline: Google's Encoded Polyline Algorithm with five decimals."""
    letters: list[str] = []
    before = (0, 0)
    for point in points:
        here = (_e5(point[0]), _e5(point[1]))
        for now, last in zip(here, before, strict=True):
            delta = now - last
            bits = ~(delta << 1) if delta < 0 else delta << 1
            while bits >= 0x20:
                letters.append(chr((bits & 0x1F | 0x20) + 63))
                bits >>= 5
            letters.append(chr(bits + 63))
        before = here
    return "".join(letters)


def _tables(places: Sequence[Place], options: Options) -> tuple[list[list[int]], list[list[int]]]:
    """Distances and times between all places, with a last row and column of zeros for nowhere."""
    vectors = [_vector(place) for place in places]
    scale = EARTH_RADIUS_M * options.circuity
    size = len(places) + 1
    distance_m = [[0] * size for _ in range(size)]
    travel_s = [[0] * size for _ in range(size)]
    for i, vector in enumerate(vectors):
        metres, seconds = distance_m[i], travel_s[i]
        for j in range(i):
            far = round(scale * _angle(vector, vectors[j]))
            metres[j] = distance_m[j][i] = far
            seconds[j] = travel_s[j][i] = math.ceil(far * 3.6 / options.speed_kmh)
    return distance_m, travel_s


def _with_check_in(problem: Problem, travel_s: list[list[int]]) -> list[list[int]]:
    waits = [stop.check_in_s for stop in problem.stops]
    if not any(waits):
        return travel_s
    lead_s = [row[:] for row in travel_s]
    for j, stop in enumerate(problem.stops):
        for i, row in enumerate(lead_s):
            if i >= len(waits) or problem.stops[i].place != stop.place:
                row[j] += waits[j]
    return lead_s


def _vector(place: Place) -> _Vector:
    latitude, longitude = math.radians(place.latitude), math.radians(place.longitude)
    across = math.cos(latitude)
    return across * math.cos(longitude), across * math.sin(longitude), math.sin(latitude)


def _angle(a: _Vector, b: _Vector) -> float:
    """The angle between two unit vectors from their chord, exact for neighbours too."""
    return 2 * math.asin(min(1.0, math.dist(a, b) / 2))


def _e5(degrees: float) -> int:
    return round(degrees * 1e5)
