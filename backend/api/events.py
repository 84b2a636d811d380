"""An event as `get_events` and the live map tell it: names, the moment in three forms, and where it was."""

from datetime import UTC, datetime

import msgspec

from backend.domain.events import Failed, StartService, StartTimeChanged, Success, kind
from backend.domain.positions import distance_m
from backend.domain.times import zone
from backend.service.history import Event

AT_THE_PLACE = (StartService, Success, Failed)  # an order may be rejected from anywhere


class Moment(msgspec.Struct, frozen=True, rename="camel"):
    """One moment: Unix seconds, UTC without an offset, local without an offset."""

    unix_timestamp: int
    utc_time: str
    local_time: str


class EventPosition(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """``distanceToLocation`` metres from the order's place."""

    timestamp: int
    latitude: float
    longitude: float
    accuracy: float | None = None
    speed: float | None = None
    heading: float | None = None
    distance_to_location: float | None = None


class EventOut(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """``sequence`` is the order of arrival; ``status`` the order's after the event."""

    event: str
    unix_timestamp: int
    utc_time: str
    local_time: str
    driver_name: str | None = None
    driver_serial: str | None = None
    driver_external_id: str | None = None
    order_no: str | None = None
    order_id: str | None = None
    planned_start_time: Moment | None = None
    position: EventPosition | None = None
    sequence: int
    route_id: str | None = None
    status: str | None = None
    out_of_order: bool = False


def event_out(event: Event) -> EventOut:
    moment = moment_out(event.fact.at_ms, event.zone)
    driver = event.driver
    changed = event.fact.planned_start_ms if isinstance(event.fact, StartTimeChanged) else None
    return EventOut(
        event=kind(event.fact),
        unix_timestamp=moment.unix_timestamp,
        utc_time=moment.utc_time,
        local_time=moment.local_time,
        driver_name=(driver.name or None) if driver else None,
        driver_serial=(driver.serial or None) if driver else None,
        driver_external_id=(driver.external_id or None) if driver else None,
        order_no=event.order_no or None,
        order_id=event.order_id,
        planned_start_time=None if changed is None else moment_out(changed, event.zone),
        position=_position(event),
        sequence=event.sequence,
        route_id=event.route_id,
        status=event.status,
        out_of_order=event.out_of_order,
    )


def moment_out(ms: int, zone_name: str) -> Moment:
    utc = datetime.fromtimestamp(ms // 1000, UTC)
    local = utc.astimezone(zone(zone_name))
    return Moment(ms // 1000, f"{utc:%Y-%m-%dT%H:%M:%S}", f"{local:%Y-%m-%dT%H:%M:%S}")


def _position(event: Event) -> EventPosition | None:
    """Where it was; only events say so at which the driver was to be at an order's place."""
    position, place = event.fact.position, event.place
    if position is None or not isinstance(event.fact, AT_THE_PLACE):
        return None
    away = None
    if place is not None and place.valid:
        there = msgspec.structs.replace(position, latitude=place.latitude, longitude=place.longitude)
        away = round(distance_m(position, there), 1)
    return EventPosition(
        timestamp=int(position.timestamp),
        latitude=position.latitude,
        longitude=position.longitude,
        accuracy=position.accuracy,
        speed=position.speed,
        heading=position.heading,
        distance_to_location=away,
    )
