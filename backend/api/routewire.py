"""A driver's day on the wire: the same shape for the office, the map and the phone."""

from typing import Any, Generic, TypeVar

import msgspec

from backend.domain.drivers import Place
from backend.domain.times import iso
from backend.service.days import DayRoute, DayStop

S = TypeVar("S")


class PlaceOut(msgspec.Struct, frozen=True, omit_defaults=True):
    latitude: float
    longitude: float
    address: str
    time: str


class WindowOut(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    from_: str
    to: str


class VehicleOut(msgspec.Struct, frozen=True):
    registration: str
    label: str


class StopOut(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """``travel_time`` and ``duration`` seconds, ``distance`` metres from the stop before; ``eta`` while unfinished.
    ``missing_proof`` names what is required of an order that ended so and did not come."""

    stop_number: int
    type: str
    latitude: float
    longitude: float
    arrival_time: str
    scheduled_at: str
    departure_time: str
    travel_time: int
    distance: int
    duration: int
    order_id: str | None = None
    order_no: str | None = None
    location_name: str | None = None
    address: str | None = None
    eta: str | None = None
    time_windows: list[WindowOut] | None = None
    status: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    out_of_order: bool = False
    missing_proof: tuple[str, ...] = ()


class RouteOut(msgspec.Struct, Generic[S], frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """``distance`` metres, ``duration`` seconds, ``polyline`` encoded with precision 5."""

    id: str
    date: str
    driver_id: str
    driver_name: str
    sent: bool
    version: int
    on_duty: bool
    started: bool
    ended: bool
    distance: int
    duration: int
    polyline: str
    stops: list[S]
    external_id: str | None = None
    serial: str | None = None
    vehicle: VehicleOut | None = None
    start: PlaceOut | None = None
    end: PlaceOut | None = None


class DayRouteOut(RouteOut[StopOut], frozen=True):
    """With the stops as everybody sees them."""


def route_out(day: DayRoute, stops: list[Any] | None = None) -> RouteOut[Any]:
    """The day as everyone sees it; ``stops`` where a dialect says more of each than that."""
    route = day.route
    return RouteOut(
        id=day.id,
        date=route.date,
        driver_id=day.driver.id,
        driver_name=day.driver.name,
        external_id=day.driver.external_id,
        serial=day.driver.serial or None,
        vehicle=VehicleOut(day.vehicle.registration, day.vehicle.label) if day.vehicle else None,
        sent=day.sent,
        version=day.version,
        on_duty=day.on_duty,
        started=day.progress.started_ms is not None,
        ended=day.progress.ended_ms is not None,
        distance=route.distance_m,
        duration=route.duration_s,
        polyline=route.polyline,
        start=_place(day.start, route.start_s),
        end=_place(day.end, route.end_s),
        stops=[stop_out(stop) for stop in day.stops] if stops is None else stops,
    )


def stop_out(day: DayStop) -> StopOut:
    """A stop without contact data."""
    stop = day.stop
    return StopOut(
        stop_number=stop.number,
        type=stop.type,
        latitude=stop.latitude,
        longitude=stop.longitude,
        arrival_time=iso(stop.arrival_s * 1000),
        scheduled_at=iso(stop.start_s * 1000),
        departure_time=iso(stop.departure_s * 1000),
        travel_time=stop.travel_s,
        distance=stop.distance_m,
        duration=day.duration_s,
        order_id=stop.order_id,
        order_no=day.order.order_no if day.order else None,
        location_name=day.location.name if day.location else None,
        address=day.location.address if day.location else None,
        eta=_moment(day.eta_s and day.eta_s * 1000),
        time_windows=[WindowOut(iso(opens * 1000), iso(closes * 1000)) for opens, closes in day.windows],
        status=day.status if stop.order_id else None,
        started_at=_moment(day.started_ms),
        finished_at=_moment(day.finished_ms),
        out_of_order=day.state.out_of_order,
        missing_proof=day.missing_proof,
    )


def _place(place: Place | None, at_s: int) -> PlaceOut | None:
    return PlaceOut(place.latitude, place.longitude, place.address, iso(at_s * 1000)) if place else None


def _moment(ms: int | None) -> str | None:
    return iso(ms) if ms is not None else None
