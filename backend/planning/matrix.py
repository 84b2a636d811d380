"""Travel times and distances: the great circle, lengthened by a circuity factor, at an average speed.

Circuity is the ratio of road distance to the straight line, 1.2 to 1.4 in most cities (Ballou, Rahardja & Sakai 2002,
"Selected country circuity factors for road travel distance estimation").
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Sequence

import msgspec

from backend.planning.problem import Options, Place, Problem

EARTH_RADIUS_M = 6_371_008.8
"""The mean radius of the Earth (IUGG)."""

_Vector = tuple[float, float, float]
Table = list["array[int]"]
"""Rows of 64 bit integers: 8 bytes an entry, where a list of Python's own takes 36, and as quick to look into."""


class Matrix(msgspec.Struct, frozen=True):
    """Tables over nodes: the stops in the problem's order, then the vehicles' places, then a node called nowhere.

    ``travel_s[i][j]`` and ``distance_m[i][j]`` lead from node i to node j; ``lead_s`` adds the check-in at j, if it is
    due. From and to nowhere everything is 0: it stands in for a start or an end that a vehicle does not have.
    ``starts``, ``ends`` and ``depots`` hold each vehicle's nodes. ``costs`` are tables of what plans are compared by,
    and ``rates`` the position of each vehicle's own among them: travel seconds, or where vehicles cost something, that
    cost with the service at j, in units of what the mean vehicle costs in a second on the way. ``inward`` are the same
    tables turned round.
    """

    travel_s: Table
    distance_m: Table
    lead_s: Table
    starts: list[int]
    ends: list[int]
    depots: list[int]
    costs: list[Table]
    inward: list[Table]
    rates: list[int]

    def cost(self, vehicle: int) -> Table:
        """What the way from node i to node j costs a vehicle."""
        return self.costs[self.rates[vehicle]]

    def into(self, vehicle: int) -> Table:
        """The same, by the node that it leads to first: ``into(vehicle)[j][i]``."""
        return self.inward[self.rates[vehicle]]


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
    costs = _costs(problem, list(known_rates), rates, travel_s, distance_m)
    turned = [
        table if table is travel_s else [array("q", column) for column in zip(*table, strict=True)] for table in costs
    ]
    return Matrix(
        travel_s=travel_s,
        distance_m=distance_m,
        lead_s=_with_check_in(problem, travel_s),
        starts=[known[vehicle.start] for vehicle in problem.vehicles],
        ends=[known[vehicle.end] for vehicle in problem.vehicles],
        depots=[known[vehicle.depot if vehicle.reloads else None] for vehicle in problem.vehicles],
        costs=costs,
        inward=turned,
        rates=[known_rates[rate] for rate in rates],
    )


def _costs(
    problem: Problem,
    known: list[tuple[int, int]],
    rates: list[tuple[int, int]],
    travel_s: Table,
    distance_m: Table,
) -> list[Table]:
    metres_s = problem.options.speed_kmh / 3.6
    mean = sum(hour / 3600 + km / 1000 * metres_s for hour, km in rates) / max(1, len(rates))
    if not mean:
        return [travel_s]
    service_s = [stop.service_s for stop in problem.stops] + [0] * (len(travel_s) - len(problem.stops))
    return [
        [
            array(
                "q",
                (
                    round((hour / 3600 * (way_s + at_s) + km / 1000 * way_m) / mean)
                    for way_s, at_s, way_m in zip(ways_s, service_s, ways_m, strict=True)
                ),
            )
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


def _tables(places: Sequence[Place], options: Options) -> tuple[Table, Table]:
    """Distances and times between all places, with a last row and column of zeros for nowhere.

    Rows at a time: the same steps in the same order as in :func:`leg`, and so the same numbers to the last bit; the
    arc sine alone, which libraries round differently, is taken one by one.
    """
    import numpy as np  # here, for the server itself makes no tables

    vectors = np.array([_vector(place) for place in places], dtype=float).reshape(-1, 3)
    scale = EARTH_RADIUS_M * options.circuity
    distance_m: Table = []
    travel_s: Table = []
    for vector in vectors:
        dx, dy, dz = (vectors - vector).T
        chords = np.sqrt(dx * dx + dy * dy + dz * dz)
        angles = np.array([2 * math.asin(half) for half in np.minimum(1.0, chords / 2).tolist()])
        metres = np.rint(scale * angles)
        distance_m.append(array("q", [*metres.astype(np.int64).tolist(), 0]))
        travel_s.append(array("q", [*np.ceil(metres * 3.6 / options.speed_kmh).astype(np.int64).tolist(), 0]))
    nowhere = array("q", bytes(8 * (len(places) + 1)))
    return [*distance_m, nowhere], [*travel_s, nowhere[:]]


def _with_check_in(problem: Problem, travel_s: Table) -> Table:
    waits = [stop.check_in_s for stop in problem.stops]
    if not any(waits):
        return travel_s
    waits += [0] * (len(travel_s) - len(waits))
    lead_s = [array("q", [way_s + wait_s for way_s, wait_s in zip(row, waits, strict=True)]) for row in travel_s]
    together: dict[Place, list[int]] = {}
    for i, stop in enumerate(problem.stops):
        together.setdefault(stop.place, []).append(i)
    for i, stop in enumerate(problem.stops):
        for j in together[stop.place]:
            lead_s[i][j] = travel_s[i][j]
    return lead_s


def _vector(place: Place) -> _Vector:
    latitude, longitude = math.radians(place.latitude), math.radians(place.longitude)
    across = math.cos(latitude)
    return across * math.cos(longitude), across * math.sin(longitude), math.sin(latitude)


def _angle(a: _Vector, b: _Vector) -> float:
    """The angle between two unit vectors from their chord, exact for neighbours too."""
    dx, dy, dz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    return 2 * math.asin(min(1.0, math.sqrt(dx * dx + dy * dy + dz * dz) / 2))


def _e5(degrees: float) -> int:
    return round(degrees * 1e5)
