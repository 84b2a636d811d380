"""What each method answers, for the OpenAPI document: the objects of the OptimoRoute document, as they go out.

A field that may be absent is ``UNSET`` here; it is never null. ``ANSWERS`` are by method.
"""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from backend.api.completion import ToldCompletion
from backend.api.events import EventOut


class Object(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    pass


class Told(Object, frozen=True):
    """What every answer has: ``code`` and ``message`` where there was an error, or a warning."""

    success: bool
    code: str | UnsetType = UNSET
    message: str | UnsetType = UNSET


class ToldWindow(Object, frozen=True):
    tw_from: str
    tw_to: str


class ToldRange(msgspec.Struct, frozen=True, rename={"first": "from", "last": "to"}):
    first: str | UnsetType = UNSET
    last: str | UnsetType = UNSET


class ToldDriver(Object, frozen=True):
    external_id: str | UnsetType = UNSET
    serial: str | UnsetType = UNSET


class ToldBarcode(Object, frozen=True):
    barcode: str


class ToldLocation(Object, frozen=True):
    """``check_in_time`` minutes; the coordinates of a location that is not ``valid`` say nothing."""

    location_no: str
    location_name: str
    address: str
    latitude: float
    longitude: float
    valid: bool
    check_in_time: int
    notes: str


class ToldOrder(Object, frozen=True):
    """``duration`` minutes; ``order_no`` is "-" where the order has no number."""

    id: str
    order_no: str
    related_order_no: str | None
    related_id: str | None
    date: str
    duration: float
    priority: Literal["L", "M", "H", "C"]
    type: Literal["D", "P", "T"]
    load1: float
    load2: float
    load3: float
    load4: float
    assigned_to: ToldDriver | None
    location: ToldLocation
    time_windows: list[ToldWindow]
    allowed_weekdays: list[str]
    allowed_dates: ToldRange
    allowed_date_times: list[ToldRange]
    skills: list[str]
    vehicle_features: list[str]
    notes: str
    email: str
    phone: str
    custom_field1: str
    custom_field2: str
    custom_field3: str
    custom_field4: str
    custom_field5: str
    custom_fields: dict[str, str | float | bool | None]
    notification_preference: str
    barcode: list[ToldBarcode] | UnsetType = UNSET
    customer: str | UnsetType = UNSET


class OrderCreated(Told, frozen=True):
    """``geocoding_results``: address, latitude, longitude and, where it is one, that it is a partial match."""

    id: str | UnsetType = UNSET
    location: ToldLocation | UnsetType = UNSET
    geocoding_results: list[list[str | float | bool]] | UnsetType = UNSET


class OrderSaved(Told, frozen=True):
    id: str | UnsetType = UNSET
    order_no: str | UnsetType = UNSET
    location_no: str | UnsetType = UNSET


class OrdersSaved(Told, frozen=True):
    orders: list[OrderSaved] | UnsetType = UNSET


class OrderGot(Told, frozen=True):
    id: str | UnsetType = UNSET
    order_no: str | UnsetType = UNSET
    data: ToldOrder | UnsetType = UNSET


class OrdersGot(Told, frozen=True):
    orders: list[OrderGot] | UnsetType = UNSET


class Deleted(Told, frozen=True):
    """``planning_id`` is the planning that is in the way."""

    planning_id: int | UnsetType = UNSET


class OrderDeleted(Deleted, frozen=True):
    id: str | UnsetType = UNSET
    order_no: str | UnsetType = UNSET


class OrdersDeleted(Told, frozen=True):
    orders: list[OrderDeleted] | UnsetType = UNSET


class Who(Object, frozen=True):
    driver_external_id: str
    driver_serial: str
    driver_name: str
    vehicle_registration: str
    vehicle_label: str


class Begins(Object, frozen=True):
    """When the service begins: as "HH:MM" and as "YYYY-MM-DD HH:MM:SS"."""

    scheduled_at: str
    scheduled_at_dt: str


class ToldSchedule(Who, frozen=True):
    """``travel_time`` seconds, ``distance`` metres from the stop before; ``live_estimate`` of a route that was sent."""

    stop_number: int
    scheduled_at: str
    scheduled_at_dt: str
    arrival_time_dt: str
    travel_time: int
    distance: int
    live_estimate: Begins | UnsetType = UNSET


class Scheduling(Told, frozen=True):
    order_scheduled: bool | UnsetType = UNSET
    schedule_information: ToldSchedule | UnsetType = UNSET


class OrderFound(Object, frozen=True):
    """``schedule_information`` is null where the order is not scheduled, absent where it was not asked for."""

    id: str
    data: ToldOrder | UnsetType = UNSET
    schedule_information: ToldSchedule | UnsetType | None = UNSET


class OrdersFound(Told, frozen=True):
    orders: list[OrderFound] | UnsetType = UNSET
    after_tag: str | UnsetType = msgspec.field(default=UNSET, name="after_tag")


class ToldStop(Begins, frozen=True):
    """``type`` is given of breaks and depot visits alone, whose ``order_no`` is "-"."""

    stop_number: int
    order_no: str
    id: str
    location_no: str
    location_name: str
    address: str
    latitude: float
    longitude: float
    arrival_time_dt: str
    travel_time: int
    distance: int
    type: Literal["break", "depot"] | UnsetType = UNSET


class ToldPlace(Object, frozen=True):
    address: str
    latitude: float
    longitude: float


class ToldRoute(Who, frozen=True):
    """``duration`` minutes, ``distance`` kilometres."""

    duration: int
    distance: float
    load1: int
    load2: int
    load3: int
    load4: int
    stops: list[ToldStop]
    route_polyline: str | UnsetType = UNSET
    start_location: ToldPlace | UnsetType = UNSET
    end_location: ToldPlace | UnsetType = UNSET


class Routes(Told, frozen=True, kw_only=True):
    routes: list[ToldRoute]


class MissingDriver(Object, frozen=True):
    driver_external_id: str | UnsetType = UNSET
    driver_serial: str | UnsetType = UNSET


class PlanningStarted(Told, frozen=True):
    """``planning_id`` is the new planning, or the one that is in the way."""

    planning_id: int | UnsetType = UNSET
    missing_orders: list[str] | UnsetType = UNSET
    missing_drivers: list[MissingDriver] | UnsetType = UNSET
    orders_with_invalid_location: list[str] | UnsetType = UNSET


class PlanningStatus(Told, frozen=True):
    status: Literal["N", "R", "C", "F", "E"] | UnsetType = UNSET
    percentage_complete: int | UnsetType = UNSET


class DriverTold(Told, frozen=True):
    driver: ToldDriver | UnsetType = UNSET


class DriverChanged(DriverTold, frozen=True):
    date: str | UnsetType = UNSET


class DriversChanged(Told, frozen=True):
    updates: list[DriverChanged] | UnsetType = UNSET


class PositionsTaken(Told, frozen=True):
    updates: list[DriverTold] | UnsetType = UNSET


class Events(Told, frozen=True):
    events: list[EventOut] | UnsetType = UNSET
    tag: str | UnsetType = UNSET
    remaining_events: int | UnsetType = UNSET


class OrderCompleted(Told, frozen=True):
    id: str | UnsetType = UNSET
    order_no: str | UnsetType = UNSET
    data: ToldCompletion | UnsetType = UNSET


class Completions(Told, frozen=True):
    orders: list[OrderCompleted] | UnsetType = UNSET


class CompletionsUpdated(Completions, frozen=True):
    """The same list by both of its names."""

    updates: list[OrderCompleted] | UnsetType = UNSET


class RoutesDispatch(Object, frozen=True):
    state: Literal["not_sent", "sent"]
    sent_at_utc: str | UnsetType = UNSET


class NotificationsDispatch(Object, frozen=True):
    state: Literal["not_sent"]


class RouteChanges(Object, frozen=True):
    added: int
    modified: int
    removed: int


class DispatchStatus(Told, frozen=True):
    date: str | UnsetType = UNSET
    live: bool | UnsetType = UNSET
    routes: RoutesDispatch | UnsetType = UNSET
    notifications: NotificationsDispatch | UnsetType = UNSET
    route_changes: RouteChanges | UnsetType = UNSET


ANSWERS: dict[str, type[Told]] = {
    "create_order": OrderCreated,
    "create_or_update_orders": OrdersSaved,
    "get_orders": OrdersGot,
    "delete_order": Deleted,
    "delete_all_orders": Deleted,
    "delete_orders": OrdersDeleted,
    "search_orders": OrdersFound,
    "get_scheduling_info": Scheduling,
    "get_routes": Routes,
    "start_planning": PlanningStarted,
    "stop_planning": Told,
    "get_planning_status": PlanningStatus,
    "send_routes": Told,
    "get_dispatch_status": DispatchStatus,
    "update_driver_parameters": Told,
    "update_drivers_parameters": DriversChanged,
    "update_drivers_positions": PositionsTaken,
    "get_events": Events,
    "get_completion_details": Completions,
    "update_completion_details": CompletionsUpdated,
}
