"""What is asked of the planner and what it answers: values that travel to a worker process and back as bytes.

Times are whole seconds from midnight of the planned day and may pass 86400 (a night shift, a second day). Durations are
seconds, distances metres, loads units times 1000. Only degrees are floats.
"""

from __future__ import annotations

from typing import Literal

import msgspec

LOADS = 4
"""How many kinds of load are counted, each with its own capacity."""

DEPOT = ""
"""Stands among the keys of an existing route for a visit to the depot."""

Seconds = int
Load = tuple[int, int, int, int]
Window = tuple[Seconds, Seconds]


class Place(msgspec.Struct, frozen=True):
    """A point in degrees. Two stops are at the same location when their places are equal."""

    latitude: float
    longitude: float


class Stop(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One order to be served, at most once.

    ``windows``: one of them must hold the whole service, which begins at or after the first number and ends at or
    before the second; none means at any time. ``check_in_s`` passes between arrival and the beginning of the service,
    once for consecutive stops at the same location; waiting for a window counts towards it. A delivery's load is on
    board from the start of the route, a pickup's is loaded here and stays on board to the end, a task's is ignored.
    ``source``, of a delivery, is the key of the pickup in the same problem whose goods it brings, with the same load:
    both are on one route in this order, or both are dropped, and the load is on board between them only. A pickup is
    the source of one delivery at most.
    ``vehicles`` are the keys of those that may serve it; None means all. ``priority``: 0 low, 1 medium, 2 high,
    3 critical; a lower one is dropped first.
    """

    key: str
    place: Place
    service_s: Seconds = 0
    check_in_s: Seconds = 0
    windows: tuple[Window, ...] = ()
    kind: Literal["delivery", "pickup", "task"] = "task"
    load: Load = (0, 0, 0, 0)
    source: str | None = None
    skills: frozenset[str] = frozenset()
    features: frozenset[str] = frozenset()
    vehicles: frozenset[str] | None = None
    priority: Literal[0, 1, 2, 3] = 1


class Break(msgspec.Struct, frozen=True):
    """``duration_s`` in one piece, between ``opens_s`` and ``closes_s``, in which the driver neither drives nor serves.

    Before a route leaves and after it has finished a driver is free: a break that fits there is no part of the route.
    """

    opens_s: Seconds
    closes_s: Seconds
    duration_s: Seconds


class Vehicle(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A driver in a vehicle during one shift.

    The route leaves ``start`` at or after ``from_s`` and reaches ``end`` at or before ``to_s``. Without a start it
    begins at its first stop, without an end it ends at its last. A capacity of None is unlimited; of 0, nothing fits.
    ``breaks`` are in order and do not overlap. The last ``overtime_s`` before ``to_s`` are for what would otherwise be
    dropped. ``per_hour`` (on the way and at stops) and ``per_km`` are what the vehicle costs, in thousandths of a
    currency; where any vehicle costs something, plans are compared by cost in place of travel time.

    The vehicle may come back to its depot (``base``; else its start, else its end) at most ``reloads`` times, for
    ``reload_s`` each: what was picked up leaves it there, and what the stops until the next visit get is loaded. Goods
    between a related pickup and its delivery stay on board. Capacities hold for each such trip.
    """

    key: str
    from_s: Seconds
    to_s: Seconds
    start: Place | None = None
    end: Place | None = None
    capacity: tuple[int | None, int | None, int | None, int | None] = (None, None, None, None)
    skills: frozenset[str] = frozenset()
    features: frozenset[str] = frozenset()
    breaks: tuple[Break, ...] = ()
    overtime_s: Seconds = 0
    per_hour: int = 0
    per_km: int = 0
    reloads: int = 0
    reload_s: Seconds = 0
    base: Place | None = None

    @property
    def depot(self) -> Place | None:
        return self.base or self.start or self.end

    @property
    def returns(self) -> int:
        """How often it may come back to its depot: never where it has none."""
        return self.reloads if self.depot else 0


class Existing(msgspec.Struct, frozen=True):
    """A route that is already planned: the vehicle's key and its stops' keys in order, :data:`DEPOT` among them."""

    vehicle: str
    stops: tuple[str, ...]


class Options(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How to plan.

    ``seconds``: the time budget of the search; 0 lets it grow with the problem, see :func:`budget`.
    ``balancing``: ON balances the routes that are used, ON_FORCE uses every vehicle; by working time (WT: driving and
    service) or by number of stops (NUM). ``balancing_factor`` (0 to 1) counts with ON_FORCE only.
    ``clustering`` keeps routes apart: it pays for longer ways with less overlap.
    ``existing``: routes to begin with. ``lock``: NONE lets them change; ROUTES keeps them as they are and plans other
    stops on other vehicles; RESOURCES keeps each of their stops with its vehicle.
    Travel: great-circle distance times ``circuity`` at ``speed_kmh``.
    """

    seconds: float = 0
    balancing: Literal["OFF", "ON", "ON_FORCE"] = "OFF"
    balance_by: Literal["WT", "NUM"] = "WT"
    balancing_factor: float = 0.3
    clustering: bool = False
    existing: tuple[Existing, ...] = ()
    lock: Literal["NONE", "ROUTES", "RESOURCES"] = "NONE"
    speed_kmh: float = 40.0
    circuity: float = 1.3


class Problem(msgspec.Struct, frozen=True):
    """Stops and vehicles, each with keys of its own kind that are unique within the problem."""

    stops: tuple[Stop, ...]
    vehicles: tuple[Vehicle, ...]
    options: Options = Options()


class Visit(msgspec.Struct, frozen=True):
    """One stop on a route. ``distance_m`` and ``travel_s`` lead here from the visit before, or from the start.

    A visit to the depot and a break have no stop but a ``place``; a break may be on the way between two others.
    """

    stop: str
    arrival_s: Seconds
    start_s: Seconds
    departure_s: Seconds
    distance_m: int
    travel_s: Seconds
    kind: Literal["stop", "depot", "break"] = "stop"
    place: Place | None = None


class Route(msgspec.Struct, frozen=True):
    """A vehicle's visits in order; the totals include the way from the start and to the end."""

    vehicle: str
    departure_s: Seconds
    visits: tuple[Visit, ...]
    finish_s: Seconds
    distance_m: int
    travel_s: Seconds


class Dropped(msgspec.Struct, frozen=True):
    """A stop that is not served, with the cause as a code and as a sentence for people."""

    stop: str
    code: str
    text: str


class Plan(msgspec.Struct, frozen=True):
    """Routes of the vehicles that are used, in the problem's order; every stop is in one route or dropped.

    ``cost`` is travel seconds, or what takes their place, plus the penalties of what was dropped; comparable between
    plans of one problem only.
    """

    routes: tuple[Route, ...]
    dropped: tuple[Dropped, ...]
    cost: int


def pairs(problem: Problem) -> dict[int, tuple[int, int]]:
    """Each stop of a pair, by index, with the pickup and the delivery of the pair."""
    index = {stop.key: i for i, stop in enumerate(problem.stops)}
    found = [(index[stop.source], i) for i, stop in enumerate(problem.stops) if stop.source in index]
    return {i: pair for pair in found for i in pair}


def budget(problem: Problem) -> float:
    """The seconds a search may take: as asked, else 2 to 30 by the number of stops (12 s for 300)."""
    return problem.options.seconds or min(30.0, 2.0 + len(problem.stops) / 30)
