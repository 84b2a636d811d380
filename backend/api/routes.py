"""A driver's route as the office's map and the driver's phone are told it."""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType

from backend.domain.accounts import Account, ProofPolicy
from backend.domain.drivers import Place
from backend.domain.orders import Status
from backend.domain.proof import missing
from backend.domain.times import iso
from backend.service.days import DayRoute, DayStop


class WindowOut(msgspec.Struct, frozen=True, rename={"from_": "from"}, omit_defaults=True):
    """The service should begin in it; what is absent is open."""

    from_: str | None = None
    to: str | None = None


class ContactOut(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whom to call at the stop."""

    name: str | None = None
    phone: str | None = None
    email: str | None = None


class StopOut(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """``type`` is ``order``, ``break`` or ``depot``; only an order has what names it. Seconds and metres are from the
    stop before, ``duration`` is the service's. ``missingProof`` names required proof that did not come."""

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
    status: str
    order_id: str | UnsetType = UNSET
    order_no: str | UnsetType = UNSET
    location_name: str | UnsetType = UNSET
    address: str | UnsetType = UNSET
    time_windows: list[WindowOut] | UnsetType = UNSET
    eta: str | UnsetType = UNSET
    started_at: str | UnsetType = UNSET
    finished_at: str | UnsetType = UNSET
    out_of_order: bool = False
    missing_proof: tuple[str, ...] = ()


class DriverStopOut(StopOut, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A stop with what the driver needs there."""

    contact: ContactOut | UnsetType = UNSET
    notes: str | UnsetType = UNSET
    location_notes: str | UnsetType = UNSET
    barcodes: tuple[str, ...] | UnsetType = UNSET
    priority: str | UnsetType = UNSET
    order_type: str | UnsetType = UNSET
    required_proof: ProofPolicy | UnsetType = UNSET


class EndOut(msgspec.Struct, frozen=True):
    """Where the route starts or ends."""

    latitude: float
    longitude: float
    address: str
    time: str


class VehicleOut(msgspec.Struct, frozen=True):
    registration: str
    label: str


class RouteOut(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """``distance`` metres, ``duration`` seconds, ``polyline`` encoded with precision 5."""

    id: str
    date: str
    driver_id: str
    external_id: str | None = None
    serial: str | None = None
    driver_name: str
    vehicle: VehicleOut | None = None
    sent: bool
    version: int
    on_duty: bool
    started: bool
    ended: bool
    planned_start_time: str | UnsetType = UNSET
    distance: int
    duration: int
    polyline: str
    start: EndOut | None = None
    end: EndOut | None = None
    stops: Sequence[StopOut]


class DriverDayOut(msgspec.Struct, frozen=True):
    """``version`` grows with each change of the route, and is 0 where there is none."""

    date: str
    version: int
    route: RouteOut | None


def route_out(route: DayRoute, account: Account) -> RouteOut:
    """As the office sees it: without contacts and notes."""
    return _route(route, [StopOut(**_stop(stop, account)) for stop in route.stops])


def driver_day_out(date: str, route: DayRoute | None, account: Account) -> DriverDayOut:
    """As the driver sees it."""
    if route is None:
        return DriverDayOut(date, 0, None)
    stops = [DriverStopOut(**_stop(stop, account), **_at_the_stop(stop, account)) for stop in route.stops]
    return DriverDayOut(date, route.version, _route(route, stops))


def _route(route: DayRoute, stops: Sequence[StopOut]) -> RouteOut:
    plan, driver, vehicle, progress = route.route, route.driver, route.vehicle, route.progress
    planned_ms = progress.planned_start_ms
    return RouteOut(
        id=route.id,
        date=plan.date,
        driver_id=driver.id,
        external_id=driver.external_id or None,
        serial=driver.serial or None,
        driver_name=driver.name,
        vehicle=VehicleOut(vehicle.registration, vehicle.label) if vehicle else None,
        sent=route.sent,
        version=route.version,
        on_duty=route.on_duty,
        started=progress.started_ms is not None,
        ended=progress.ended_ms is not None,
        planned_start_time=UNSET if planned_ms is None else iso(planned_ms),
        distance=plan.distance_m,
        duration=plan.duration_s,
        polyline=plan.polyline,
        start=_end(route.start, plan.start_s),
        end=_end(route.end, plan.end_s),
        stops=stops,
    )


def _end(place: Place | None, at_s: int) -> EndOut | None:
    return EndOut(place.latitude, place.longitude, place.address, iso(at_s * 1000)) if place else None


def _stop(stop: DayStop, account: Account) -> dict[str, object]:
    plan, order, place = stop.stop, stop.order, stop.location
    told: dict[str, object] = {
        "stop_number": plan.number,
        "type": plan.type,
        "latitude": plan.latitude,
        "longitude": plan.longitude,
        "arrival_time": iso(plan.arrival_s * 1000),
        "scheduled_at": iso(plan.start_s * 1000),
        "departure_time": iso(plan.departure_s * 1000),
        "travel_time": plan.travel_s,
        "distance": plan.distance_m,
        "duration": stop.duration_s,
        "status": stop.status,
        "eta": UNSET if stop.eta_s is None else iso(stop.eta_s * 1000),
    }
    if order is None:
        return told
    policy = account.settings.proof_of_delivery
    return told | {
        "order_id": order.id,
        "order_no": UNSET if order.order_no is None else order.order_no,
        "location_name": place.name if place else "",
        "address": place.address if place else "",
        "time_windows": [WindowOut(_moment(opens), _moment(closes)) for opens, closes in stop.windows],
        "started_at": UNSET if stop.started_ms is None else iso(stop.started_ms),
        "finished_at": UNSET if stop.finished_ms is None else iso(stop.finished_ms),
        "out_of_order": stop.state.out_of_order,
        "missing_proof": missing(policy, Status(stop.status), stop.state.form),
    }


def _at_the_stop(stop: DayStop, account: Account) -> dict[str, object]:
    order, place = stop.order, stop.location
    if order is None:
        return {}
    return {
        "contact": ContactOut(phone=order.phone or None, email=order.email or None),
        "notes": order.notes,
        "location_notes": place.notes if place else "",
        "barcodes": order.barcodes,
        "priority": order.priority,
        "order_type": order.type,
        "required_proof": account.settings.proof_of_delivery,
    }


def _moment(at_s: int | None) -> str | None:
    return None if at_s is None else iso(at_s * 1000)
