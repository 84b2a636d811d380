"""What goes over the wire, as the published documents give it: the structs of the driver API that a phone sends and
reads.

Times named ``timestamp`` are Unix seconds, times of a route are ISO 8601 in UTC. A field that is unknown is left out.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType


class Position(Struct, frozen=True, omit_defaults=True):
    """One fix. ``accuracy`` m, ``speed`` m/s, ``heading`` degrees from north, ``battery`` 0 to 1; negative means
    unknown.
    """

    timestamp: float
    latitude: float
    longitude: float
    accuracy: float | None = None
    speed: float | None = None
    heading: float | None = None
    altitude: float | None = None
    battery: float | None = None

    @property
    def at_ms(self) -> int:
        """The fix's identity beside its driver: Unix milliseconds."""
        return round(self.timestamp * 1000)


class ScanInfo(Struct, frozen=True, omit_defaults=True):
    """What scanning one barcode gave; ``images`` are attachment ids."""

    status: str
    scanned: str | None = None
    type: str | None = None
    images: tuple[str, ...] = ()


class Scan(Struct, frozen=True):
    """One barcode: the one attached to the order (or None for a collected one) and what was scanned."""

    barcode: str | None
    scanInfo: ScanInfo


class Form(Struct, frozen=True, omit_defaults=True):
    """The proof handed in with a finishing action; ``signature`` and ``images`` are attachment ids."""

    note: str | None = None
    signature: str | None = None
    images: tuple[str, ...] = ()
    barcode: tuple[Scan, ...] = ()
    barcode_collections: tuple[Scan, ...] = ()


class Action(Struct, frozen=True, omit_defaults=True):
    """One step of the driver's day; ``id`` is a UUID made by the app."""

    id: str
    action: str
    timestamp: float
    orderId: str | None = None
    position: Position | None = None
    form: Form | None = None
    plannedStartTime: int | None = None


class Positions(Struct, frozen=True):
    """A message of fixes; of a driver with two devices, taken by this one of them."""

    n: int
    positions: tuple[Position, ...]
    device: int = 0


class Actions(Struct, frozen=True):
    """A message of actions."""

    n: int
    actions: tuple[Action, ...]


class Attachment(Struct, frozen=True):
    """A file to hand in, in one request or resumable. Its bytes are drawn from ``drawing`` when they are needed, the
    same ones every time.
    """

    n: int
    id: str
    kind: str
    drawing: str
    orderId: str
    resumable: bool = False


Message = Positions | Actions | Attachment
"""What a phone has to deliver; ``n`` numbers the messages of one driver's day from 0."""


class Place(Struct, frozen=True, omit_defaults=True):
    """Where a route starts or ends."""

    latitude: float
    longitude: float
    address: str = ""
    time: str | None = None


class Window(Struct, frozen=True, rename={"opens": "from", "closes": "to"}):
    """A time window of a stop."""

    opens: str
    closes: str


class Stop(Struct, frozen=True, omit_defaults=True):
    """One stop of a route, as far as a phone needs it."""

    stopNumber: int
    latitude: float | None = None
    longitude: float | None = None
    type: str = "order"
    orderId: str | None = None
    orderNo: str | None = None
    locationName: str = ""
    address: str = ""
    arrivalTime: str | None = None
    scheduledAt: str | None = None
    departureTime: str | None = None
    travelTime: float = 0
    duration: float = 0
    timeWindows: tuple[Window, ...] = ()
    barcodes: tuple[str, ...] = ()
    status: str = "scheduled"
    requiredProof: dict[str, dict[str, str]] = {}


class Route(Struct, frozen=True, omit_defaults=True):
    """A driver's route of one date."""

    id: str
    driverId: str
    date: str = ""
    externalId: str | None = None
    sent: bool = False
    polyline: str | None = None
    start: Place | None = None
    end: Place | None = None
    stops: tuple[Stop, ...] = ()


class DriverRoute(Struct, frozen=True):
    """The answer of ``GET /driver/v1/route``."""

    route: Route | None = None
    version: Any = None


class Refused(Struct, frozen=True):
    """One position the server refused, by its place in the message."""

    index: int
    code: str
    message: str = ""


class PositionsAnswer(Struct, frozen=True):
    """The answer to a message of fixes."""

    accepted: int
    duplicates: int = 0
    rejected: tuple[Refused, ...] = ()


class ActionAnswer(Struct, frozen=True):
    """The answer to one action."""

    success: bool
    id: str | None = None
    code: str | None = None
    message: str | None = None
    duplicate: bool = False
    status: str | None = None


class ActionsAnswer(Struct, frozen=True):
    """The answer to a message of actions, one per action in order."""

    actions: tuple[ActionAnswer, ...]


class Frame(Struct, frozen=True):
    """Any frame of the driver's websocket on its way down; which fields are there depends on ``type``."""

    type: str
    id: str | UnsetType = UNSET
    code: str | UnsetType = UNSET
    message: str | UnsetType = UNSET
    accepted: int | UnsetType = UNSET
    duplicates: int | UnsetType = UNSET
    rejected: tuple[Refused, ...] | UnsetType = UNSET
    actions: tuple[ActionAnswer, ...] | UnsetType = UNSET


encode = msgspec.json.Encoder().encode
decode_route = msgspec.json.Decoder(DriverRoute).decode


def body(message: Positions | Actions) -> dict[str, Any]:
    """The JSON object of a message, as HTTP carries it and a frame embeds it."""
    match message:
        case Positions():
            return {"positions": message.positions}
        case Actions():
            return {"actions": message.actions}


def unix(iso: str) -> float:
    """Unix seconds of an ISO 8601 time of the wire."""
    return datetime.fromisoformat(iso).timestamp()


def iso(unix_s: float) -> str:
    """The wire's form of a time: UTC with milliseconds and Z."""
    stamp = datetime.fromtimestamp(round(unix_s * 1000) // 1000, UTC).replace(
        microsecond=round(unix_s * 1000) % 1000 * 1000
    )
    return stamp.isoformat(timespec="milliseconds").replace("+00:00", "Z")
