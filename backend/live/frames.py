"""The frames that watchers are sent: their shapes, and their bytes, which equal subscriptions share."""

from collections.abc import Iterable

import msgspec

from backend.domain.positions import Position
from backend.live.board import Card, Fleet

_encode = msgspec.json.Encoder().encode


class Frame:
    """One websocket text message, ready to be written as it is: server frames carry no mask and no compression."""

    __slots__ = ("size", "wire")

    def __init__(self, payload: bytes) -> None:
        self.size = len(payload)
        self.wire = _header(self.size) + payload

    @property
    def payload(self) -> bytes:
        """The frame without its header; a copy, as the bytes are kept with it."""
        return self.wire[-self.size :]


def _header(size: int) -> bytes:
    """RFC 6455, 5.2: a final text frame without a mask."""
    if size < 126:
        return bytes((0x81, size))
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2, "big")
    return b"\x81\x7f" + size.to_bytes(8, "big")


class Shown(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A driver in a snapshot."""

    driver_id: str
    serial: str
    name: str
    on_duty: bool
    position: Position | None
    external_id: str | None = None
    route_id: str | None = None
    order_id: str | None = None
    status: str | None = None


class Moved(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A driver in a ``positions`` frame; ``left`` where the driver is no longer in the subscription's box."""

    driver_id: str
    timestamp: float
    latitude: float
    longitude: float
    external_id: str | None = None
    speed: float | None = None
    heading: float | None = None
    left: bool = False


class Snapshot(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, tag="snapshot"):
    """The first frame of a subscription. ``now`` is the server's Unix seconds, ``clockSpeed`` how many of them go by in
    one, where that is not 1."""

    id: str
    now: float
    drivers: list[Shown]
    clock_speed: float | None = None


class EncodedSnapshot(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, tag="snapshot"):
    """A :class:`Snapshot` whose drivers were encoded beforehand."""

    id: str
    now: float
    drivers: msgspec.Raw
    clock_speed: float | None = None


class Positions(msgspec.Struct, frozen=True, rename="camel", tag="positions"):
    """The positions of the drivers that moved since the last such frame."""

    id: str
    drivers: list[Moved]


class EncodedPositions(msgspec.Struct, frozen=True, rename="camel", tag="positions"):
    """:class:`Positions` whose drivers were encoded beforehand."""

    id: str
    drivers: msgspec.Raw


class EventFrame(msgspec.Struct, frozen=True, tag="event"):
    """One event; each is sent once, in order of arrival."""

    id: str
    event: msgspec.Raw


class PlanChanged(msgspec.Struct, frozen=True, tag="plan"):
    """The routes of this date have changed or were sent: fetch them again."""

    id: str
    date: str


class Alive(msgspec.Struct, frozen=True, tag="alive"):
    """Sent after 15 seconds without another frame. A client that receives nothing for 40 seconds reconnects."""

    at: int


class Drain(msgspec.Struct, frozen=True, rename="camel", tag="drain"):
    """The server restarts: reconnect after this time. A close with code 1012 follows."""

    retry_in_ms: int


class Error(msgspec.Struct, frozen=True, omit_defaults=True, tag="error"):
    """Why a frame of the client was refused. The socket stays open."""

    code: str
    message: str
    id: str | None = None


def shown(fleet: Fleet, driver_ids: Iterable[str]) -> msgspec.Raw:
    """The drivers of a snapshot, encoded: the part that all snapshots of one kind share."""
    cards = fleet.roll.cards if fleet.roll else {}
    return msgspec.Raw(_encode([_shown(cards[each], fleet.positions.get(each)) for each in driver_ids]))


def snapshot(id_: str, drivers: msgspec.Raw, now_s: float, clock_speed: float) -> Frame:
    speed = None if clock_speed == 1 else clock_speed
    return Frame(_encode(EncodedSnapshot(id=id_, now=round(now_s, 3), drivers=drivers, clock_speed=speed)))


def _shown(card: Card, position: Position | None) -> Shown:
    return Shown(
        driver_id=card.driver_id,
        external_id=card.external_id,
        serial=card.serial,
        name=card.name,
        on_duty=card.on_duty,
        position=position,
        route_id=card.route_id,
        order_id=card.order_id,
        status=card.status,
    )


def moved(fleet: Fleet, driver_ids: Iterable[str], inside: set[str] | None) -> msgspec.Raw:
    """Where these drivers are now, encoded: the part that all ``positions`` frames of one kind share.

    ``inside`` names those in the subscription's box, None where it has no box. A driver's move is encoded once, however
    many boxes it is in.
    """
    known = fleet.encoded
    found = []
    for driver_id in driver_ids:
        if inside is not None and driver_id not in inside:
            told = _moved(fleet, driver_id, left=True)
        else:
            told = known.get(driver_id) or known.setdefault(driver_id, _moved(fleet, driver_id, left=False))
        if told:
            found.append(told)
    return msgspec.Raw(b"[" + b",".join(found) + b"]")


def positions(id_: str, drivers: msgspec.Raw) -> Frame:
    return Frame(_encode(EncodedPositions(id_, drivers)))


def _moved(fleet: Fleet, driver_id: str, left: bool) -> bytes:
    """One driver's move as JSON; empty where the driver or its position is unknown."""
    position = fleet.positions.get(driver_id)
    card = fleet.roll.cards.get(driver_id) if fleet.roll else None
    if position is None or card is None:
        return b""
    return _encode(
        Moved(
            driver_id=driver_id,
            timestamp=position.timestamp,
            latitude=position.latitude,
            longitude=position.longitude,
            external_id=card.external_id,
            speed=position.speed,
            heading=position.heading,
            left=left,
        )
    )


def event(id_: str, body: bytes) -> Frame:
    return Frame(_encode(EventFrame(id_, msgspec.Raw(body))))


def plan(id_: str, date: str) -> Frame:
    return Frame(_encode(PlanChanged(id_, date)))


def alive(now_s: float) -> Frame:
    return Frame(_encode(Alive(int(now_s))))


def error(code: str, message: str, id_: str | None = None) -> Frame:
    return Frame(_encode(Error(code, message, id_)))
