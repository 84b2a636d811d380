"""Orders and their locations."""

from enum import StrEnum
from typing import Any

import msgspec


class Status(StrEnum):
    UNSCHEDULED = "unscheduled"
    SCHEDULED = "scheduled"
    ON_ROUTE = "on_route"
    SERVICING = "servicing"
    SUCCESS = "success"
    FAILED = "failed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


FINISHED = frozenset({Status.SUCCESS, Status.FAILED, Status.REJECTED, Status.CANCELLED})
BEGUN = FINISHED | {Status.SERVICING}  # such an order stays with its driver when the day is planned again


class Location(msgspec.Struct, frozen=True):
    """A place. Degrees; ``check_in_min`` minutes of waiting before the first of several orders at it.

    ``valid`` is False where no coordinates are known; such a place cannot be planned.
    """

    id: str
    location_no: str = ""
    name: str = ""
    address: str = ""
    latitude: float = 0.0
    longitude: float = 0.0
    notes: str = ""
    check_in_min: int = 0
    valid: bool = True


class TimeWindow(msgspec.Struct, frozen=True):
    """``opens`` is the earliest begin of the service, ``closes`` the deadline of its end; "HH:MM", local."""

    opens: str | None = None
    closes: str | None = None


class DateTimeWindow(msgspec.Struct, frozen=True):
    """Earliest and latest begin of the service, "YYYY-MM-DDTHH:MM:SS" local; None is open."""

    opens: str | None = None
    closes: str | None = None


class Order(msgspec.Struct, frozen=True):
    """What a shipper wants done at one place. ``duration_min`` minutes; ``loads`` in the account's own four units."""

    id: str
    order_no: str | None
    date: str
    location_id: str
    type: str = "T"  # D delivery, P pickup, T task
    duration_min: float = 0.0
    priority: str = "M"  # L, M, H, C
    loads: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    time_windows: tuple[TimeWindow, ...] = ()
    allowed_weekdays: tuple[str, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    allowed_from: str | None = None
    allowed_to: str | None = None
    allowed_date_times: tuple[DateTimeWindow, ...] = ()
    skills: tuple[str, ...] = ()
    vehicle_features: tuple[str, ...] = ()
    assigned_driver_id: str | None = None
    related_id: str | None = (
        None  # the order that this one was related to: it brings what that one takes up, or the reverse
    )
    linked_by: str | None = None  # the order that was related to this one
    notes: str = ""
    email: str = ""
    phone: str = ""
    notification_preference: str = "both"
    barcodes: tuple[str, ...] = ()
    custom: tuple[str, str, str, str, str] = ("", "", "", "", "")
    custom_fields: dict[str, Any] = {}
    customer: str | None = None

    @property
    def partner_id(self) -> str | None:
        """The other order of the pair, whichever of the two was related to the other."""
        return self.related_id or self.linked_by
