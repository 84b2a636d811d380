"""A driver's breaks between the visits of a route.

A leg is what is between the end of one service and the beginning of the next: driving, checking in, waiting. A break is
taken within a leg, in one piece, and driving goes on behind it. A driver is free before the route leaves and after it
has finished, so a break that fits there costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from backend.planning.problem import Break, Place, Seconds, Visit

Legs = tuple[int, ...]
"""For each break that is taken, in order, the leg: 0 leads to the first visit, -1 stands for before the departure."""


class Way(msgspec.Struct, frozen=True):
    """How long a leg is, and between which places, None where nobody knows."""

    travel_s: Seconds
    distance_m: int
    begins: Place | None
    ends: Place | None


def before_departure(rests: Sequence[Break], from_s: Seconds) -> dict[int, tuple[Seconds, Legs]]:
    """By the number of breaks that are behind the driver at the departure: when it may be, and their legs."""
    free = {0: (from_s, Legs())}
    for count, rest in enumerate(rests, 1):
        free[count] = max(from_s, rest.opens_s + rest.duration_s), (-1,) * count
    return free


def ready(rests: Sequence[Break], free_s: Seconds, lead_s: Seconds) -> Seconds | None:
    """When the next service may begin after a leg with these breaks; None where one of them would come too late."""
    clock, resting_s = free_s, 0
    for rest in rests:
        begins_s = max(clock, rest.opens_s)
        clock, resting_s = begins_s + rest.duration_s, resting_s + rest.duration_s
        if clock > rest.closes_s:
            return None
    return max(clock, free_s + lead_s + resting_s)


def leave(rests: Sequence[Break], start_s: Seconds, lead_s: Seconds) -> Seconds:
    """The latest end of the service before a leg with these breaks after which the next begins at ``start_s``."""
    clock, resting_s = start_s, 0
    for rest in reversed(rests):
        clock, resting_s = min(clock, rest.closes_s) - rest.duration_s, resting_s + rest.duration_s
    return min(clock, start_s - lead_s - resting_s)


def taken(rests: Sequence[Break], free_s: Seconds, way: Way) -> list[Visit]:
    """The breaks of a leg that begins at ``free_s``: at once where that may be, else where the leg ends, and on the
    way only where that would be too late."""
    visits: list[Visit] = []
    clock, driven_s, driven_m = free_s, 0, 0
    for rest in rests:
        left_s = way.travel_s - driven_s
        if rest.opens_s <= clock:
            begins_s, drive_s = clock, 0
        elif clock + left_s + rest.duration_s <= rest.closes_s:
            begins_s, drive_s = max(rest.opens_s, clock + left_s), left_s
        else:
            begins_s = rest.closes_s - rest.duration_s
            drive_s = begins_s - clock
        arrival_s, driven_s = clock + drive_s, driven_s + drive_s
        metres = way.distance_m * driven_s // way.travel_s if way.travel_s else way.distance_m
        clock = begins_s + rest.duration_s
        place = _between(way, driven_s)
        visits.append(Visit("", arrival_s, begins_s, clock, metres - driven_m, drive_s, "break", place))
        driven_m = metres
    return visits


def _between(way: Way, driven_s: Seconds) -> Place | None:
    if way.begins is None or way.ends is None:
        return way.begins or way.ends
    share = driven_s / way.travel_s if way.travel_s else 0.0
    if share in (0.0, 1.0):
        return way.ends if share else way.begins
    return Place(
        way.begins.latitude + share * (way.ends.latitude - way.begins.latitude),
        way.begins.longitude + share * (way.ends.longitude - way.begins.longitude),
    )
