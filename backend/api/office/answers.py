"""The answers of the office's API. A field that is unknown, or that this caller may not see, is absent."""

from typing import Any

import msgspec

from backend.api.completion import CompletionOut
from backend.api.office.wire import BreakIn, WorkTime
from backend.domain.accounts import Role
from backend.domain.drivers import Driver, Place, Vehicle
from backend.domain.orders import Location
from backend.domain.times import iso
from backend.service.listing import Listed, Plan
from backend.service.plans import Sent


class Out(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Fields without a default are always present; the others are left out where they have their default."""


class DriverOut(Out, frozen=True):
    """``vehicle`` is the vehicle's external id."""

    id: str
    name: str
    skills: tuple[str, ...]
    work_time: WorkTime
    enabled: bool
    breaks: list[BreakIn]
    overtime_minutes: int
    external_id: str | None = None
    serial: str | None = None
    vehicle: str | None = None
    subcontractor: str | None = None
    start_location: Place | None = None
    end_location: Place | None = None
    cost_per_hour: float | None = None
    phone: str | None = None
    email: str | None = None


class FleetVehicleOut(Out, frozen=True):
    id: str
    registration: str
    label: str
    features: tuple[str, ...]
    capacity1: float
    capacity2: float
    capacity3: float
    capacity4: float
    external_id: str | None = None
    cost_per_km: float | None = None


class LocationOut(Out, frozen=True):
    """``check_in_time`` minutes; ``valid`` is whether it can be planned."""

    id: str
    location_no: str
    location_name: str
    address: str
    latitude: float
    longitude: float
    notes: str
    check_in_time: int
    valid: bool


class OrderWindowOut(msgspec.Struct, frozen=True, rename="camel"):
    """Local times of day; null is open."""

    tw_from: str | None
    tw_to: str | None


class OrderOut(Out, frozen=True, kw_only=True):
    """``duration`` minutes; ``scheduled_at`` UTC."""

    id: str
    date: str
    type: str
    status: str
    priority: str
    duration: float
    location_name: str
    address: str
    latitude: float
    longitude: float
    time_windows: list[OrderWindowOut]
    order_no: str | None = None
    customer: str | None = None
    driver_id: str | None = None
    driver_name: str | None = None
    stop_number: int | None = None
    scheduled_at: str | None = None
    tracking_url: str | None = None


class OrderDetailOut(OrderOut, frozen=True, kw_only=True):
    """``completion`` is its outcome, in the shape of the OptimoRoute document."""

    completion: CompletionOut
    notes: str | None = None
    email: str | None = None
    phone: str | None = None
    barcodes: tuple[str, ...] | None = None


class Planned(Out, frozen=True):
    routes: int
    orders: int


class UnscheduledOut(Out, frozen=True):
    order_id: str
    order_no: str | None
    code: str
    message: str


class PlanOut(Out, frozen=True):
    date: str
    planned: Planned
    sent: bool
    unscheduled: list[UnscheduledOut]
    sent_at: str | None = None


class SentOut(Out, frozen=True):
    date: str
    routes: int
    orders: int
    sent_at: str


class KeyMade(Out, frozen=True):
    """``key`` is in this answer only, and cannot be read again."""

    id: str
    role: Role
    name: str
    key: str


class PairingOut(Out, frozen=True):
    code: str
    expires_at: str
    url: str


def driver_out(driver: Driver, vehicles: dict[str, str], *, contact: bool) -> DriverOut:
    """A driver; ``vehicles`` names the external id of each vehicle id. Watchers see no contact data."""
    return DriverOut(
        id=driver.id,
        name=driver.name,
        skills=driver.skills,
        work_time=WorkTime(driver.work_from, driver.work_to),
        enabled=driver.enabled,
        breaks=[BreakIn(each.opens, each.closes, each.minutes) for each in driver.breaks],
        external_id=driver.external_id,
        serial=driver.serial or None,
        vehicle=vehicles.get(driver.vehicle_id or "") or None,
        subcontractor=driver.subcontractor,
        start_location=driver.start,
        end_location=driver.end,
        overtime_minutes=driver.overtime_min,
        cost_per_hour=driver.cost_per_hour,
        phone=(driver.phone or None) if contact else None,
        email=(driver.email or None) if contact else None,
    )


def vehicle_out(vehicle: Vehicle) -> FleetVehicleOut:
    one, two, three, four = vehicle.capacities
    return FleetVehicleOut(
        id=vehicle.id,
        registration=vehicle.registration,
        label=vehicle.label,
        features=vehicle.features,
        capacity1=one,
        capacity2=two,
        capacity3=three,
        capacity4=four,
        external_id=vehicle.external_id or None,
        cost_per_km=vehicle.cost_per_km,
    )


def location_out(location: Location) -> LocationOut:
    return LocationOut(
        id=location.id,
        location_no=location.location_no,
        location_name=location.name,
        address=location.address,
        latitude=location.latitude,
        longitude=location.longitude,
        notes=location.notes,
        check_in_time=location.check_in_min,
        valid=location.valid,
    )


def order_out(listed: Listed, public_url: str) -> OrderOut:
    """An order in a list; without contact data."""
    return OrderOut(**_order(listed, public_url))


def order_detail_out(listed: Listed, public_url: str, completion: dict[str, Any], *, contact: bool) -> OrderDetailOut:
    """One order. Whoever only watches does not see how to reach its recipient."""
    order = listed.order
    seen: dict[str, Any] = {}
    if contact:
        seen = {"notes": order.notes, "email": order.email, "phone": order.phone, "barcodes": order.barcodes}
    became = msgspec.convert(completion, CompletionOut)
    return OrderDetailOut(**_order(listed, public_url), **seen, completion=became)


def plan_out(plan: Plan) -> PlanOut:
    return PlanOut(
        date=plan.date,
        planned=Planned(routes=plan.routes, orders=plan.orders),
        sent=plan.sent_ms is not None,
        unscheduled=[
            UnscheduledOut(order_id=each.id, order_no=each.order_no, code=each.code, message=each.text)
            for each in plan.unscheduled
        ],
        sent_at=None if plan.sent_ms is None else iso(plan.sent_ms),
    )


def sent_out(date: str, sent: Sent) -> SentOut:
    return SentOut(date=date, routes=sent.routes, orders=sent.orders, sent_at=iso(sent.sent_ms))


def _order(listed: Listed, public_url: str) -> dict[str, Any]:
    order, place, stop = listed.order, listed.location, listed.stop
    return {
        "id": order.id,
        "order_no": order.order_no,
        "date": order.date,
        "type": order.type,
        "status": listed.status,
        "priority": order.priority,
        "duration": order.duration_min,
        "location_name": place.name,
        "address": place.address,
        "latitude": place.latitude,
        "longitude": place.longitude,
        "time_windows": [OrderWindowOut(each.opens, each.closes) for each in order.time_windows],
        "customer": order.customer,
        "driver_id": listed.driver_id,
        "driver_name": listed.driver_name,
        "stop_number": stop.number if stop else None,
        "scheduled_at": iso(stop.start_s * 1000) if stop else None,
        "tracking_url": f"{public_url}/t/{listed.tracking}" if listed.tracking else None,
    }
