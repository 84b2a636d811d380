"""The type of each method's answer, for the OpenAPI document. Nothing is encoded by these types: see ``answers``.

A field that may be absent is ``UNSET`` here; it is never null. ``ANSWERS`` are by method.
"""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from backend.api.completion import CompletionOut
from backend.api.events import EventOut


class Object(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    pass


class V1Answer(Object, frozen=True):
    """What every answer has: ``code`` and ``message`` where there was an error, or a warning."""

    success: bool
    code: str | UnsetType = UNSET
    message: str | UnsetType = UNSET


class V1Window(Object, frozen=True):
    tw_from: str
    tw_to: str


class V1Range(msgspec.Struct, frozen=True, rename={"first": "from", "last": "to"}):
    first: str | UnsetType = UNSET
    last: str | UnsetType = UNSET


class V1Driver(Object, frozen=True):
    external_id: str | UnsetType = UNSET
    serial: str | UnsetType = UNSET


class V1Barcode(Object, frozen=True):
    barcode: str


class V1Location(Object, frozen=True):
    """``check_in_time`` minutes; the coordinates of a location that is not ``valid`` say nothing."""

    location_no: str
    location_name: str
    address: str
    latitude: float
    longitude: float
    valid: bool
    check_in_time: int
    notes: str


class V1Order(Object, frozen=True):
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
    assigned_to: V1Driver | None
    location: V1Location
    time_windows: list[V1Window]
    allowed_weekdays: list[str]
    allowed_dates: V1Range
    allowed_date_times: list[V1Range]
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
    barcode: list[V1Barcode] | UnsetType = UNSET
    customer: str | UnsetType = UNSET


class OrderCreated(V1Answer, frozen=True):
    """``geocoding_results``: address, latitude, longitude and, where it is one, that it is a partial match."""

    id: str | UnsetType = UNSET
    location: V1Location | UnsetType = UNSET
    geocoding_results: list[list[str | float | bool]] | UnsetType = UNSET


class V1OrderAnswer(V1Answer, frozen=True):
    """Which order the answer is about."""

    id: str | UnsetType = UNSET
    order_no: str | UnsetType = UNSET


class OrderSaved(V1OrderAnswer, frozen=True):
    location_no: str | UnsetType = UNSET


class OrdersSaved(V1Answer, frozen=True):
    orders: list[OrderSaved] | UnsetType = UNSET


class OrderGot(V1OrderAnswer, frozen=True):
    data: V1Order | UnsetType = UNSET


class OrdersGot(V1Answer, frozen=True):
    orders: list[OrderGot] | UnsetType = UNSET


class Deleted(V1Answer, frozen=True):
    """``planning_id`` is the planning that is in the way."""

    planning_id: int | UnsetType = UNSET


class OrderDeleted(Deleted, frozen=True):
    id: str | UnsetType = UNSET
    order_no: str | UnsetType = UNSET


class OrdersDeleted(V1Answer, frozen=True):
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


class V1Schedule(Who, frozen=True):
    """``travel_time`` seconds, ``distance`` metres from the stop before; ``live_estimate`` of a route that was sent."""

    stop_number: int
    scheduled_at: str
    scheduled_at_dt: str
    arrival_time_dt: str
    travel_time: int
    distance: int
    live_estimate: Begins | UnsetType = UNSET


class Scheduling(V1Answer, frozen=True):
    order_scheduled: bool | UnsetType = UNSET
    schedule_information: V1Schedule | UnsetType = UNSET


class OrderFound(Object, frozen=True):
    """``schedule_information`` is null where the order is not scheduled, absent where it was not asked for."""

    id: str
    data: V1Order | UnsetType = UNSET
    schedule_information: V1Schedule | UnsetType | None = UNSET


class OrdersFound(V1Answer, frozen=True):
    orders: list[OrderFound] | UnsetType = UNSET
    after_tag: str | UnsetType = msgspec.field(default=UNSET, name="after_tag")


class V1Stop(Begins, frozen=True):
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


class V1Place(Object, frozen=True):
    address: str
    latitude: float
    longitude: float


class V1Route(Who, frozen=True):
    """``duration`` minutes, ``distance`` kilometres."""

    duration: int
    distance: float
    load1: int
    load2: int
    load3: int
    load4: int
    stops: list[V1Stop]
    route_polyline: str | UnsetType = UNSET
    start_location: V1Place | UnsetType = UNSET
    end_location: V1Place | UnsetType = UNSET


class Routes(V1Answer, frozen=True, kw_only=True):
    routes: list[V1Route]


class MissingDriver(Object, frozen=True):
    driver_external_id: str | UnsetType = UNSET
    driver_serial: str | UnsetType = UNSET


class PlanningStarted(V1Answer, frozen=True):
    """``planning_id`` is the new planning, or the one that is in the way."""

    planning_id: int | UnsetType = UNSET
    missing_orders: list[str] | UnsetType = UNSET
    missing_drivers: list[MissingDriver] | UnsetType = UNSET
    orders_with_invalid_location: list[str] | UnsetType = UNSET


class PlanningStatus(V1Answer, frozen=True):
    status: Literal["N", "R", "C", "F", "E"] | UnsetType = UNSET
    percentage_complete: int | UnsetType = UNSET


class V1DriverAnswer(V1Answer, frozen=True):
    driver: V1Driver | UnsetType = UNSET


class DriverChanged(V1DriverAnswer, frozen=True):
    date: str | UnsetType = UNSET


class DriversChanged(V1Answer, frozen=True):
    updates: list[DriverChanged] | UnsetType = UNSET


class PositionsTaken(V1Answer, frozen=True):
    updates: list[V1DriverAnswer] | UnsetType = UNSET


class Events(V1Answer, frozen=True):
    events: list[EventOut] | UnsetType = UNSET
    tag: str | UnsetType = UNSET
    remaining_events: int | UnsetType = UNSET


class OrderCompleted(V1OrderAnswer, frozen=True):
    data: CompletionOut | UnsetType = UNSET


class Completions(V1Answer, frozen=True):
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


class DispatchStatus(V1Answer, frozen=True):
    date: str | UnsetType = UNSET
    live: bool | UnsetType = UNSET
    routes: RoutesDispatch | UnsetType = UNSET
    notifications: NotificationsDispatch | UnsetType = UNSET
    route_changes: RouteChanges | UnsetType = UNSET


ANSWERS: dict[str, type[V1Answer]] = {
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
    "stop_planning": V1Answer,
    "get_planning_status": PlanningStatus,
    "send_routes": V1Answer,
    "get_dispatch_status": DispatchStatus,
    "update_driver_parameters": V1Answer,
    "update_drivers_parameters": DriversChanged,
    "update_drivers_positions": PositionsTaken,
    "get_events": Events,
    "get_completion_details": Completions,
    "update_completion_details": CompletionsUpdated,
}
