"""The shapes of the OptimoRoute document, as they come in; each turns into a value of the domain."""

import datetime
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from backend.api.body import CLOCK, MOMENT
from backend.api.optimoroute.call import BULK, convert, no_nul
from backend.domain import drafts as domain
from backend.domain.drafts import DriverName, LocationDraft, Operation, OrderDraft
from backend.domain.errors import Refusal
from backend.domain.geocoding import Accepted
from backend.domain.orders import DateTimeWindow, TimeWindow
from backend.domain.times import day

T = TypeVar("T")
U = TypeVar("U")

NO_NUMBER = "-"  # what the document shows for an order without orderNo; sent back, it means the same

# Names that are searched by stand in an index, whose entries a database limits.
Key = Annotated[str, Meta(max_length=500)]
Text = Annotated[str, Meta(max_length=100_000)]
Amount = Annotated[float, Meta(ge=0, le=1e9)]
Whole = Annotated[int, Meta(ge=-(2**53), le=2**53)]
Clock = Annotated[str, Meta(pattern=CLOCK)]
Moment = Annotated[str, Meta(pattern=MOMENT)]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_WEEK: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Driver(msgspec.Struct, frozen=True, rename="camel"):
    """``assignedTo``, and ``driver`` of the bulk calls."""

    external_id: Key | None = None
    serial: Key | None = None

    def name(self) -> DriverName:
        if not self.external_id and not self.serial:
            raise Refusal("ERR_INVALID_PARAM_FORMAT", "A driver is named by externalId or serial.")
        return DriverName(self.external_id or None, self.serial or None)


class Window(msgspec.Struct, frozen=True, rename="camel"):
    tw_from: Clock
    tw_to: Clock


class DateRange(msgspec.Struct, frozen=True, rename={"first": "from", "last": "to"}):
    first: str | None = None
    last: str | None = None

    def bounds(self) -> tuple[str | None, str | None]:
        return (
            None if self.first is None else date(self.first),
            None if self.last is None else date(self.last),
        )


class MomentRange(msgspec.Struct, frozen=True, rename={"first": "from", "last": "to"}):
    first: Moment | None = None
    last: Moment | None = None


class Barcode(msgspec.Struct, frozen=True):
    barcode: Key


class Location(msgspec.Struct, frozen=True, rename="camel"):
    location_no: Key | UnsetType = UNSET
    location_name: Text | UnsetType = UNSET
    address: Key | UnsetType = UNSET
    latitude: float | UnsetType = UNSET
    longitude: float | UnsetType = UNSET
    notes: Text | UnsetType = UNSET
    check_in_time: Annotated[int, Meta(ge=0, le=1440)] | UnsetType = UNSET

    def draft(self) -> LocationDraft:
        return LocationDraft(
            self.location_no or UNSET,
            self.location_name,
            self.address,
            self.latitude,
            self.longitude,
            self.notes,
            self.check_in_time,
        )


class Order(msgspec.Struct, frozen=True, rename="camel"):
    """An order as a client gives it, for the bulk method and for the single one."""

    operation: Literal["CREATE", "UPDATE", "SYNC", "MERGE"] | UnsetType = UNSET
    accept_duplicate_order_no: bool = False
    id: Key | None = None
    order_no: Key | None = None
    related_order_no: Key | UnsetType | None = UNSET
    related_id: Key | UnsetType | None = UNSET
    date: str | UnsetType = UNSET
    location: Location | UnsetType = UNSET
    type: Literal["D", "P", "T"] | UnsetType = UNSET
    duration: Annotated[float, Meta(ge=0, le=100_000)] | UnsetType = UNSET
    time_windows: Annotated[list[Window], Meta(max_length=50)] | UnsetType = UNSET
    allowed_weekdays: Annotated[list[Weekday], Meta(max_length=50)] | UnsetType = UNSET
    allowed_dates: DateRange | UnsetType = UNSET
    allowed_date_times: Annotated[list[MomentRange], Meta(max_length=50)] | UnsetType = UNSET
    assigned_to: Driver | UnsetType | None = UNSET
    priority: Literal["L", "M", "H", "C"] | UnsetType = UNSET
    load1: Amount | UnsetType = UNSET
    load2: Amount | UnsetType = UNSET
    load3: Amount | UnsetType = UNSET
    load4: Amount | UnsetType = UNSET
    vehicle_features: list[Key] | UnsetType = UNSET
    skills: list[Key] | UnsetType = UNSET
    notes: Text | UnsetType = UNSET
    custom_field1: Text | UnsetType = UNSET
    custom_field2: Text | UnsetType = UNSET
    custom_field3: Text | UnsetType = UNSET
    custom_field4: Text | UnsetType = UNSET
    custom_field5: Text | UnsetType = UNSET
    custom_fields: dict[Key, str | Whole | float | bool | None] | UnsetType = UNSET
    email: Text | UnsetType = UNSET
    phone: Text | UnsetType = UNSET
    notification_preference: Literal["dont_notify", "email", "sms", "both"] | UnsetType = UNSET
    barcode: Annotated[list[Barcode], Meta(max_length=BULK)] | UnsetType = UNSET
    customer: Key | UnsetType | None = UNSET

    def draft(self) -> OrderDraft:
        """Refuses dates and moments that are not in the calendar, and windows that end before they begin."""
        return OrderDraft(
            operation=Operation.DEFAULT if self.operation is UNSET else Operation(self.operation),
            accept_duplicate=self.accept_duplicate_order_no,
            id=self.id or None,
            order_no=None if self.order_no in ("", NO_NUMBER) else self.order_no,
            date=self.date if self.date is UNSET else date(self.date),
            location=self.location if self.location is UNSET else self.location.draft(),
            type=self.type,
            duration_min=self.duration,
            priority=self.priority,
            load1=self.load1,
            load2=self.load2,
            load3=self.load3,
            load4=self.load4,
            time_windows=_each(self.time_windows, lambda window: TimeWindow(window.tw_from, window.tw_to)),
            allowed_weekdays=self.allowed_weekdays if self.allowed_weekdays is UNSET else _week(self.allowed_weekdays),
            allowed_dates=self.allowed_dates
            if self.allowed_dates is UNSET
            else _in_order(*self.allowed_dates.bounds()),
            allowed_date_times=_each(self.allowed_date_times, _moments),
            skills=_each(self.skills, str),
            vehicle_features=_each(self.vehicle_features, str),
            assigned_to=self.assigned_to.name() if isinstance(self.assigned_to, Driver) else self.assigned_to,
            related_no=self.related_order_no,
            related_id=self.related_id,
            notes=self.notes,
            email=self.email,
            phone=self.phone,
            notification_preference=self.notification_preference,
            barcodes=_each(self.barcode, lambda each: each.barcode),
            custom1=self.custom_field1,
            custom2=self.custom_field2,
            custom3=self.custom_field3,
            custom4=self.custom_field4,
            custom5=self.custom_field5,
            custom_fields=self.custom_fields,
            customer=self.customer,
        )


class GeocodedLocation(Location, frozen=True, rename="camel"):
    """The location of a single order, whose address may be looked up."""

    accept_multiple_results: bool = False
    accept_partial_match: bool = False
    store_invalid: bool = False

    def draft(self) -> LocationDraft:
        accepted = Accepted(self.accept_multiple_results, self.accept_partial_match, self.store_invalid)
        return msgspec.structs.replace(super().draft(), accepted=accepted)


class SingleOrder(Order, frozen=True, kw_only=True, rename="camel"):
    """The body of create_order. ``tw_from`` and ``tw_to`` are the older way to give one time window."""

    operation: Literal["CREATE", "UPDATE", "SYNC", "MERGE"]
    location: GeocodedLocation | UnsetType = UNSET
    tw_from: Clock | UnsetType = UNSET
    tw_to: Clock | UnsetType = UNSET

    def draft(self) -> OrderDraft:
        """Refuses with ``ERR_MISSING_MAND_FIELD`` what the document demands of each operation."""
        draft = super().draft()
        missing = [name for name in ("date", "type", "location") if getattr(self, name) is UNSET]
        if self.operation in ("CREATE", "SYNC") and missing:
            raise Refusal("ERR_MISSING_MAND_FIELD", f"The field {missing[0]} is missing.", missing[0])
        if not self.id and not self.order_no:
            raise Refusal("ERR_MISSING_MAND_FIELD", "One of orderNo and id is missing.", "orderNo")
        changes: dict[str, Any] = {"find_by_address": True}
        if self.operation == "CREATE":
            changes["id"] = None  # it is the operations other than CREATE that look for one
        if self.time_windows is UNSET and (self.tw_from is not UNSET or self.tw_to is not UNSET):
            changes["time_windows"] = (TimeWindow(self.tw_from or None, self.tw_to or None),)
        return msgspec.structs.replace(draft, **changes)


def single_order(body: dict[str, Any]) -> SingleOrder:
    """The body of create_order. What is deprecated is not looked at where there is what took its place."""
    if "timeWindows" in body:
        body = {name: value for name, value in body.items() if name not in ("twFrom", "twTo")}
    return convert(body, SingleOrder)


class Orders(msgspec.Struct, frozen=True):
    orders: Annotated[list[Order], Meta(min_length=1, max_length=BULK)]


class OrderName(msgspec.Struct, frozen=True, rename="camel"):
    """An order named by either; ``id`` wins."""

    id: Key | None = None
    order_no: Key | None = None


class OrderNames(msgspec.Struct, frozen=True):
    orders: Annotated[list[OrderName], Meta(min_length=1, max_length=BULK)]


ORDER_NUMBERS = {"orderNo": "The orders' numbers; may be repeated, up to 500 times. (required)"}


def date(text: str) -> str:
    """The same, where it is a day of the calendar that can be planned."""
    try:
        return day(text, "date")
    except Refusal as error:
        said = "A date is written YYYY-MM-DD, for example 2013-12-20."
        raise Refusal("ERR_INVALID_PARAM_FORMAT", said) from error


def order_draft(item: object) -> OrderDraft | Refusal:
    """One item of a bulk call; a missing field inside of it is a matter of its format."""
    try:
        no_nul(item)
        return convert(item, Order).draft()
    except Refusal as refusal:
        return Refusal("ERR_INVALID_PARAM_FORMAT", refusal.text)


def order_name(item: object) -> domain.OrderName | Refusal:
    """One item of a bulk call that names an order."""
    try:
        no_nul(item)
        name = convert(item, OrderName)
    except Refusal as refusal:
        return Refusal("ERR_INVALID_PARAM_FORMAT", refusal.text)
    if not name.id and not name.order_no:
        return Refusal("ERR_INVALID_PARAM_FORMAT", "An order is named by id or orderNo.")
    return domain.OrderName(name.id or None, name.order_no or None)


def echo(item: object, *names: str) -> dict[str, str]:
    """What of an item is said again in its answer, so that it can be told from its neighbours."""
    if not isinstance(item, dict):
        return {}
    return {name: item[name] for name in names if isinstance(item.get(name), str) and item[name]}


def _each(given: list[T] | UnsetType, make: Callable[[T], U]) -> tuple[U, ...] | UnsetType:
    return given if given is UNSET else tuple(make(each) for each in given)


def _week(allowed: list[Weekday]) -> tuple[str, ...]:
    """In the order of the week; no day at all is no restriction."""
    return tuple(day for day in _WEEK if day in allowed or not allowed)


def _in_order(first: str | None, last: str | None) -> tuple[str | None, str | None]:
    if first is not None and last is not None and last < first:
        raise Refusal("ERR_INVALID_PARAM_FORMAT", f"The range from {first} to {last} ends before it begins.")
    return first, last


def _moments(window: MomentRange) -> DateTimeWindow:
    for text in (window.first, window.last):
        if text is not None:
            _moment(text)
    return DateTimeWindow(*_in_order(window.first, window.last))


def _moment(text: str) -> None:
    try:
        datetime.datetime.fromisoformat(text)
    except ValueError as error:
        raise Refusal("ERR_INVALID_PARAM_FORMAT", f"{text} is not in the calendar.") from error
