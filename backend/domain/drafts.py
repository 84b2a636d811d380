"""Requests to create or change an order, in which only some fields are given, and how they are merged into an order.

``UNSET`` is "not given" everywhere: such a field keeps what it has, or is reset to its default where all is replaced.
"""

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from backend.domain.accounts import CustomField, Settings
from backend.domain.errors import Refusal
from backend.domain.geocoding import Accepted, Lookup, NotLookedUp, locate
from backend.domain.orders import DateTimeWindow, Location, Order, TimeWindow


class Operation(StrEnum):
    """``DEFAULT`` is what a shipper means who does not say: update what is there, create what is not."""

    DEFAULT = "DEFAULT"
    CREATE = "CREATE"
    UPDATE = "UPDATE"
    SYNC = "SYNC"
    MERGE = "MERGE"


class DriverName(msgspec.Struct, frozen=True):
    """How other systems name a driver. Where both are given, both have to fit."""

    external_id: str | None = None
    serial: str | None = None


class OrderName(msgspec.Struct, frozen=True):
    """How a caller names an order: by ``id``, which wins, or by ``order_no``, which several orders may have."""

    id: str | None = None
    order_no: str | None = None


class LocationDraft(msgspec.Struct, frozen=True):
    location_no: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    address: str | UnsetType = UNSET
    latitude: float | UnsetType = UNSET
    longitude: float | UnsetType = UNSET
    notes: str | UnsetType = UNSET
    check_in_min: int | UnsetType = UNSET
    accepted: Accepted = Accepted()
    lookup: Lookup | None = None  # what was found for the address, where somebody looked


class OrderDraft(msgspec.Struct, frozen=True):
    """An order as given. ``location`` and what is named by code or number are looked up by the verb that saves it."""

    operation: Operation = Operation.DEFAULT
    accept_duplicate: bool = False
    find_by_address: bool = False
    id: str | None = None
    order_no: str | None = None
    date: str | UnsetType = UNSET
    location: LocationDraft | UnsetType = UNSET
    type: str | UnsetType = UNSET
    duration_min: float | UnsetType = UNSET
    priority: str | UnsetType = UNSET
    load1: float | UnsetType = UNSET
    load2: float | UnsetType = UNSET
    load3: float | UnsetType = UNSET
    load4: float | UnsetType = UNSET
    time_windows: tuple[TimeWindow, ...] | UnsetType = UNSET
    allowed_weekdays: tuple[str, ...] | UnsetType = UNSET
    allowed_dates: tuple[str | None, str | None] | UnsetType = UNSET
    allowed_date_times: tuple[DateTimeWindow, ...] | UnsetType = UNSET
    skills: tuple[str, ...] | UnsetType = UNSET
    vehicle_features: tuple[str, ...] | UnsetType = UNSET
    assigned_to: DriverName | UnsetType | None = UNSET
    related_no: str | UnsetType | None = UNSET
    related_id: str | UnsetType | None = UNSET
    notes: str | UnsetType = UNSET
    email: str | UnsetType = UNSET
    phone: str | UnsetType = UNSET
    notification_preference: str | UnsetType = UNSET
    barcodes: tuple[str, ...] | UnsetType = UNSET
    custom1: str | UnsetType = UNSET
    custom2: str | UnsetType = UNSET
    custom3: str | UnsetType = UNSET
    custom4: str | UnsetType = UNSET
    custom5: str | UnsetType = UNSET
    custom_fields: dict[str, Any] | UnsetType = UNSET
    customer: str | UnsetType | None = UNSET


_COPIED = (
    "date", "type", "duration_min", "priority", "time_windows", "allowed_weekdays", "allowed_date_times", "skills",
    "vehicle_features", "notes", "email", "phone", "notification_preference", "barcodes", "customer",
)  # fmt: skip


def amend(order: Order, draft: OrderDraft) -> Order:
    """The order with what the draft gives. Location, driver and related order are the caller's to look up."""
    changes: dict[str, Any] = {name: given for name in _COPIED if (given := getattr(draft, name)) is not UNSET}
    loads = (draft.load1, draft.load2, draft.load3, draft.load4)
    if any(load is not UNSET for load in loads):
        changes["loads"] = tuple(old if new is UNSET else new for old, new in zip(order.loads, loads, strict=True))
    custom = (draft.custom1, draft.custom2, draft.custom3, draft.custom4, draft.custom5)
    if any(text is not UNSET for text in custom):
        changes["custom"] = tuple(old if new is UNSET else new for old, new in zip(order.custom, custom, strict=True))
    if draft.custom_fields is not UNSET:
        merged = order.custom_fields | draft.custom_fields
        changes["custom_fields"] = {key: value for key, value in merged.items() if value is not None}
    if draft.allowed_dates is not UNSET:
        changes["allowed_from"], changes["allowed_to"] = draft.allowed_dates
    if draft.order_no is not None:
        changes["order_no"] = draft.order_no
    return msgspec.structs.replace(order, **changes) if changes else order


def custom_values(fields: Sequence[CustomField], given: Mapping[str, Any]) -> dict[str, Any]:
    """What is given for the company's own fields, each turned into the field's type where that is possible.

    Refuses with ``ERR_INVALID_PARAM_FORMAT`` an unknown field and a value that is none of its options or no number.
    """
    if not fields:
        return dict(given)
    known = {field.key: field for field in fields}
    return {key: value if value is None else _custom_value(known.get(key), key, value) for key, value in given.items()}


def _custom_value(field: CustomField | None, key: str, value: Any) -> Any:
    if field is None:
        raise Refusal("ERR_INVALID_PARAM_FORMAT", f"There is no custom field {key!r}.", "customFields")
    match field.type:
        case "text":
            return value if isinstance(value, str) else msgspec.json.encode(value).decode()
        case "select":
            if value in field.options:
                return value
        case "number":
            try:
                number = round(float(value), field.decimals)
            except ValueError:
                number = math.nan
            if abs(number) <= 1e15:
                return number if field.decimals else int(number)
    raise Refusal("ERR_INVALID_PARAM_FORMAT", f"{value!r} does not fit the custom field {key!r}.", "customFields")


def demand(draft: OrderDraft) -> str:
    """The date of a new order; refuses one that lacks what it cannot be without. A single one says its type too."""
    single = draft.find_by_address
    for name in ("date", "type", "location") if single else ("date", "location"):
        if getattr(draft, name) is UNSET:
            code = "ERR_MISSING_MAND_FIELD" if single else "ERR_INVALID_PARAM_FORMAT"
            raise Refusal(code, f"A new order needs a {name}.", name)
    assert draft.date is not UNSET
    return draft.date


def pair(order: Order, other: Order | None) -> None:
    """Refuses with ``ERR_RELATED_ORD_LINK`` two orders that are not a pickup and a delivery, or that have others."""
    if other is None:
        return
    if {order.type, other.type} != {"P", "D"} or other.id == order.id:
        raise Refusal("ERR_RELATED_ORD_LINK", "Only a pickup and a delivery can be linked.")
    for one, two in ((order, other), (other, order)):
        if one.linked_by not in (None, two.id) or one.related_id not in (None, two.id):
            raise Refusal("ERR_RELATED_ORD_LINK", "One of the two orders is linked to a third one.")


def blank(settings: Settings, order_id: str, order_no: str | None, date: str, location_id: str) -> Order:
    """An order of which nothing but this is known: what new ones and replaced ones start from."""
    kind, duration_min = settings.default_order_type, settings.default_duration_minutes
    return Order(order_id, order_no, date, location_id, kind, duration_min)


def new_location(draft: LocationDraft, fresh: Location, *, by_address: bool = False) -> Location:
    """A place that was not known before; ``fresh`` is one of which nothing is said.

    A number that says nothing of where it is or what it is called is refused as a place that does not exist, anything
    else without coordinates as one that is not valid; with ``by_address`` an address is looked for, see
    :func:`geocoded`.
    """
    named = [text for text in (draft.location_no, draft.address, draft.name) if text]
    if draft.latitude is not UNSET and draft.longitude is not UNSET:
        if not named:
            text = "A new location needs one of locationNo, address and locationName."
            raise Refusal("ERR_LOC_NOT_VALID", text)
        return _named(amend_location(fresh, draft))
    if by_address and draft.address:
        return geocoded(_named(amend_location(fresh, draft)), draft)
    half = draft.latitude is not UNSET or draft.longitude is not UNSET
    if draft.location_no and not (draft.address or draft.name or half):
        raise Refusal("ERR_LOC_NON_EXISTING_LOC", "The location with the given location number does not exist.")
    raise Refusal("ERR_LOC_NOT_VALID", "A new location needs latitude and longitude.")


def geocoded(place: Location, draft: LocationDraft) -> Location:
    """A place where its new address is. :class:`NotLookedUp` where nobody looked; else as :func:`locate` has it."""
    if draft.lookup is None and not place.address:
        return locate(place, Lookup(), draft.accepted)
    if draft.lookup is None:
        raise NotLookedUp(place.address)
    return locate(place, draft.lookup, draft.accepted)


def _named(place: Location) -> Location:
    return place if place.name or not place.address else msgspec.structs.replace(place, name=place.address)


def amend_location(place: Location, draft: LocationDraft) -> Location:
    """The place with what the draft gives."""
    changes: dict[str, Any] = {}
    for name in ("location_no", "name", "address", "latitude", "longitude", "notes", "check_in_min"):
        if (given := getattr(draft, name)) is not UNSET:
            changes[name] = given
    changed = msgspec.structs.replace(place, **changes)
    for degrees, limit in ((changed.latitude, 90), (changed.longitude, 180)):
        if not -limit <= degrees <= limit:
            raise Refusal("ERR_LOC_NOT_VALID", f"The location lies outside of the earth: {degrees} exceeds ±{limit}.")
    if draft.latitude is not UNSET and draft.longitude is not UNSET:
        changed = msgspec.structs.replace(changed, valid=True)
    return changed
