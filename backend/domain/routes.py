"""A driver's stops on one date."""

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
