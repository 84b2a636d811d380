"""Recomputes a planned route after some of its orders were deleted or moved to another route."""

from collections.abc import Sequence
from itertools import pairwise

import msgspec

from backend.domain.accounts import Settings
from backend.domain.routes import Route, Stop
from backend.planning import matrix, problem


def rejoined(route: Route, left: Sequence[Stop], settings: Settings) -> Route:
    """The route with the ways between these stops of it, numbered anew, and its line; their times are as planned."""
    options = problem.Options(speed_kmh=settings.average_speed_kmh, circuity=settings.circuity)
    points = [problem.Place(each.latitude, each.longitude) for each in (route.start, *left, route.end) if each]
    legs = [matrix.leg(here, there, options) for here, there in pairwise(points)]
    if route.start is None:
        legs.insert(0, (0, 0))  # the first stop is where the way begins
    home_m, home_s = legs[-1] if route.end is not None else (0, 0)
    stops = tuple(
        msgspec.structs.replace(stop, number=number, distance_m=leg[0], travel_s=leg[1])
        for number, (stop, leg) in enumerate(zip(left, legs, strict=False), 1)
    )
    end_s = stops[-1].departure_s + home_s if stops else route.start_s
    return msgspec.structs.replace(
        route,
        stops=stops,
        distance_m=sum(stop.distance_m for stop in stops) + home_m,
        duration_s=max(0, end_s - route.start_s),
        end_s=max(route.start_s, end_s),
        polyline=matrix.polyline((each.latitude, each.longitude) for each in points),
    )
