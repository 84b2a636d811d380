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
    """The stops of one driver on one date, as planned. Metres, seconds; ``polyline`` is encoded with precision 5.

    ``cut`` is whether stops were taken out since, so that ways, distance, loads and line are of more than is left.
    """

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
    cut: bool = False


class Underway(msgspec.Struct, frozen=True):
    """A stop with what became of it so far; ``opens_s`` is when its window opens, None where it has none."""

    stop: Stop
    opens_s: int | None = None
    started_s: int | None = None
    finished_s: int | None = None


def estimate(stops: Sequence[Underway], planned_start_s: int, started_s: int | None, now_s: int) -> list[int | None]:
    """When the service begins at each stop, Unix seconds; None where it has begun or ended.

    The remaining stops keep the ways and the times between them that were planned, and are moved by the delay that was
    observed last: where the driver left the last stop, or set out, or by now should have. A wait for a window takes up
    a delay. Never before a window opens or in the past. Nobody tells when a break or a visit to the depot is over: they
    last as long as is planned, and those before a stop that has begun are behind the driver.
    """
    free_s = planned_start_s if started_s is None else started_s
    ended = [(each.finished_s, each.stop.number) for each in stops if each.finished_s is not None]
    last_number = 0
    if ended:
        free_s, last_number = max(ended)
    begun = [each.stop.number for each in stops if each.started_s is not None or each.finished_s is not None]
    behind = max(begun, default=0)
    estimates: list[int | None] = []
    left_s: int | None = None  # when the stop before was planned to be left
    for each in stops:
        stop = each.stop
        leg_s = stop.travel_s if left_s is None else max(stop.travel_s, stop.arrival_s - left_s)
        left_s = stop.departure_s
        if each.finished_s is not None or (stop.order_id is None and stop.number < behind):
            estimates.append(None)
        elif each.started_s is not None:
            free_s = max(free_s, each.started_s + stop.departure_s - stop.start_s, now_s)
            estimates.append(None)
        else:
            arrival_s = free_s + (leg_s if stop.number > last_number else 0)
            begin_s = max(arrival_s + _check_in_s(each), each.opens_s or 0, now_s if stop.order_id else 0)
            free_s = begin_s + stop.departure_s - stop.start_s
            estimates.append(max(begin_s, now_s))
    return estimates


def _check_in_s(each: Underway) -> int:
    """What passes between arrival and service, unless it is a wait for the window."""
    waits = each.opens_s is not None and each.stop.start_s == each.opens_s
    return 0 if waits else each.stop.start_s - each.stop.arrival_s
