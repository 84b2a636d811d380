"""The facts about orders, routes and drivers, and the actions of phones that they are made from.

A fact has an ``id``, the time ``at_ms`` when it happened (the phone's clock, Unix milliseconds) and the driver who
reported it. Facts are immutable and never deleted; a later fact may say otherwise. The state of an order, a route or a
driver is computed from its facts: see ``progress``.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from backend.domain.orders import Status
from backend.domain.positions import EARLIEST_S, LATEST_S, Position

# PostgreSQL cannot store NUL in text. Elsewhere: a "$" alone also matches before a final end of line.
NO_NUL = "^[^\x00]*$"
UUID = "^[0-9A-Fa-f]{8}-?[0-9A-Fa-f]{4}-?[0-9A-Fa-f]{4}-?[0-9A-Fa-f]{4}-?[0-9A-Fa-f]{12}$(?!\n)"
AppId = Annotated[str, Meta(pattern=UUID)]
Short = Annotated[str, Meta(max_length=1000, pattern=NO_NUL)]
Note = Annotated[str, Meta(max_length=20_000, pattern=NO_NUL)]
Images = Annotated[tuple[AppId, ...], Meta(max_length=100)]
Timestamp = Annotated[float, Meta(ge=EARLIEST_S, le=LATEST_S)]


MOST_FILES = 100
"""In one form."""


class Kind(StrEnum):
    """The kinds of action that a phone may report."""

    ON_DUTY = "on_duty"
    OFF_DUTY = "off_duty"
    START_ROUTE = "start_route"
    END_ROUTE = "end_route"
    START_TIME_CHANGED = "start_time_changed"
    START_SERVICE = "start_service"
    SUCCESS = "success"
    FAILED = "failed"
    REJECTED = "rejected"


class ScanInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """How the scan of one barcode went; ``images`` are ids of attachments, where it could not be scanned."""

    status: Literal["success", "unscannable", "added", "replaced", "missing"]
    scanned: Short | None = None
    type: Short | None = None
    images: Images = ()


class Scan(msgspec.Struct, frozen=True):
    """``barcode`` is the one that was expected; None where an unplanned one was added."""

    info: ScanInfo = msgspec.field(name="scanInfo")
    barcode: Short | None = None


Scans = Annotated[tuple[Scan, ...], Meta(max_length=1000)]


class Form(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the driver filled in; ``signature`` and ``images`` are ids of attachments, which may arrive later."""

    note: Note | None = None
    signature: AppId | None = None
    images: Images = ()
    barcode: Scans = ()
    barcode_collections: Scans = ()


class Action(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """An action as a phone reports it. ``timestamp`` and ``planned_start_time`` are Unix seconds."""

    id: AppId
    action: Kind
    timestamp: Timestamp
    order_id: Short | None = None
    order_no: Short | None = None
    position: Position | None = None
    form: Form | None = None
    planned_start_time: Timestamp | None = None


class FactFields(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind"):
    """The fields that every fact has. ``driver_id`` is None where it is from the office."""

    id: str
    at_ms: int
    driver_id: str | None = None
    position: Position | None = None


class OnDuty(FactFields, frozen=True, kw_only=True, tag="on_duty"):
    pass


class OffDuty(FactFields, frozen=True, kw_only=True, tag="off_duty"):
    pass


class StartRoute(FactFields, frozen=True, kw_only=True, tag="start_route"):
    route_id: str | None = None


class EndRoute(FactFields, frozen=True, kw_only=True, tag="end_route"):
    route_id: str | None = None


class StartTimeChanged(FactFields, frozen=True, kw_only=True, tag="start_time_changed"):
    """The driver plans to start the route at ``planned_start_ms``."""

    planned_start_ms: int
    route_id: str | None = None


class StartService(FactFields, frozen=True, kw_only=True, tag="start_service"):
    order_id: str
    form: Form | None = None


class Success(FactFields, frozen=True, kw_only=True, tag="success"):
    order_id: str
    form: Form | None = None


class Failed(FactFields, frozen=True, kw_only=True, tag="failed"):
    order_id: str
    form: Form | None = None


class Rejected(FactFields, frozen=True, kw_only=True, tag="rejected"):
    order_id: str
    form: Form | None = None


class StatusSet(FactFields, frozen=True, kw_only=True, tag="status_set"):
    """The office set the status of an order at ``at_ms``. ``start_ms``, ``end_ms``: when the service began and ended.

    ``on_plan`` is whether the order was on a plan then.
    """

    order_id: str
    status: Status
    on_plan: bool = False
    start_ms: int | None = None
    end_ms: int | None = None


DutyFact = OnDuty | OffDuty
RouteFact = StartRoute | EndRoute | StartTimeChanged
OrderFact = StartService | Success | Failed | Rejected | StatusSet
Fact = DutyFact | RouteFact | OrderFact


def kind(fact: Fact) -> str:
    """The tag of the fact, such as ``success``."""
    return str(fact.__struct_config__.tag)


def attachments_of(form: Form | None) -> tuple[str, ...]:
    """The ids of every file that a form names, each once, in the form's order."""
    if form is None:
        return ()
    named: list[str] = [form.signature] if form.signature else []
    named += form.images
    named += _scanned(form.barcode)
    named += _scanned(form.barcode_collections)
    return tuple(dict.fromkeys(named))


def _scanned(scans: Iterable[Scan]) -> Iterable[str]:
    return (image for scan in scans for image in scan.info.images)
