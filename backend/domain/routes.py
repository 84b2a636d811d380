"""A driver's stops on one date."""

from collections.abc import Sequence

import msgspec

from backend.domain.drivers import Place


class Stop(msgspec.Struct, frozen=True):
    """One stop as planned. ``*_s`` are UTC Unix seconds; ``travel_s`` and ``distance_m`` are from the stop before.

    ``type`` is ``order``, ``break`` or ``depot``; the last two have no order.
    """

    number: int
    order_id: str | None
    latitude: float
    longitude: float
    arrival_s: int
    start_s: int
    departure_s: int
    travel_s: int
    distance_m: int
    type: str = "order"


class Route(msgspec.Struct, frozen=True):
    """The stops of one driver on one date, as planned. Metres, seconds; ``polyline`` is encoded with precision 5."""

    driver_id: str
    date: str
    vehicle_id: str | None
    stops: tuple[Stop, ...]
    distance_m: int
    duration_s: int
    start_s: int
    end_s: int
    loads: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    start: Place | None = None
    end: Place | None = None
    polyline: str = ""


class Underway(msgspec.Struct, frozen=True):
    """A stop with what became of it so far; ``opens_s`` is when its window opens, None where it has none."""

    stop: Stop
    opens_s: int | None = None
    started_s: int | None = None
    finished_s: int | None = None


def estimate(stops: Sequence[Underway], planned_start_s: int, started_s: int | None, now_s: int) -> list[int | None]:
    """When the service begins at each stop, Unix seconds; None where it has begun or ended.

    The remaining stops keep their planned travel and service times and are moved by the delay that was observed last:
    where the driver left the last stop, or set out, or by now should have. Never before a window opens or in the past.
    """
    free_s = planned_start_s if started_s is None else started_s
    ended = [(each.finished_s, each.stop.number) for each in stops if each.finished_s is not None]
    last_number = 0
    if ended:
        free_s, last_number = max(ended)
    estimates: list[int | None] = []
    for each in stops:
        if each.finished_s is not None:
            estimates.append(None)
            continue
        service_s = each.stop.departure_s - each.stop.start_s
        if each.started_s is not None:
            free_s = max(free_s, each.started_s + service_s, now_s)
            estimates.append(None)
            continue
        travel_s = each.stop.travel_s if each.stop.number > last_number else 0
        arrival_s = max(free_s + travel_s, now_s)
        begin_s = arrival_s if each.opens_s is None else max(arrival_s, each.opens_s)
        estimates.append(begin_s)
        free_s = begin_s + service_s
    return estimates
