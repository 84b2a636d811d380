"""A moment and a place as events and completion details tell them, for every dialect."""

from datetime import UTC, datetime

import msgspec

from backend.domain.orders import Location
from backend.domain.positions import Position, distance_m
from backend.domain.times import zone


class MomentOut(msgspec.Struct, frozen=True, rename="camel"):
    """One moment: Unix seconds, UTC without an offset, local without an offset."""

    unix_timestamp: int
    utc_time: str
    local_time: str


class PositionOut(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """``distanceToLocation`` metres from the order's place, where that is known."""

    timestamp: int
    latitude: float
    longitude: float
    accuracy: float | None = None
    speed: float | None = None
    heading: float | None = None
    distance_to_location: float | None = None


def moment_out(at_ms: int, zone_name: str) -> MomentOut:
    """The whole second of a moment, Unix milliseconds, in UTC and in a time zone."""
    utc = datetime.fromtimestamp(at_ms // 1000, UTC)
    local = utc.astimezone(zone(zone_name))
    return MomentOut(at_ms // 1000, f"{utc:%Y-%m-%dT%H:%M:%S}", f"{local:%Y-%m-%dT%H:%M:%S}")


def position_out(fix: Position, place: Location | None) -> PositionOut:
    """Where a phone was, and how far from the order's place."""
    away = None
    if place is not None and place.valid:
        there = msgspec.structs.replace(fix, latitude=place.latitude, longitude=place.longitude)
        away = round(distance_m(fix, there), 1)
    return PositionOut(
        int(fix.timestamp), fix.latitude, fix.longitude, fix.accuracy, fix.speed, fix.heading, distance_to_location=away
    )
