"""Points on the earth: distance, bearing, offsets, encoded polylines. Degrees and metres; good to a few kilometres."""

from __future__ import annotations

from math import atan2, cos, degrees, hypot, radians

EARTH_M = 6_371_008.8
Point = tuple[float, float]
"""Latitude and longitude in degrees."""


def metres_between(a: Point, b: Point) -> float:
    """Distance in metres on a local plane (equirectangular), within 0.1 % over a town."""
    north, east = _plane(a, b)
    return hypot(north, east)


def bearing(a: Point, b: Point) -> float:
    """Direction from a to b in degrees, 0 north, 90 east."""
    north, east = _plane(a, b)
    return degrees(atan2(east, north)) % 360.0


def moved(point: Point, north_m: float, east_m: float) -> Point:
    """The point so many metres to the north and east."""
    latitude, longitude = point
    return (
        latitude + degrees(north_m / EARTH_M),
        longitude + degrees(east_m / (EARTH_M * cos(radians(latitude)))),
    )


def between(a: Point, b: Point, share: float) -> Point:
    """The point at a share (0 to 1) of the straight line from a to b."""
    return a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share


def decode_polyline(encoded: str, precision: int = 5) -> list[Point]:
    """The points of an encoded polyline (the format known from Google's maps, five decimals by default)."""
    scale = 10.0**precision
    points: list[Point] = []
    value = shift = 0
    numbers: list[int] = []
    for character in encoded:
        chunk = ord(character) - 63
        value |= (chunk & 0x1F) << shift
        shift += 5
        if chunk < 0x20:
            numbers.append(~(value >> 1) if value & 1 else value >> 1)
            value = shift = 0
    latitude = longitude = 0
    for step_latitude, step_longitude in zip(numbers[::2], numbers[1::2], strict=False):
        latitude += step_latitude
        longitude += step_longitude
        points.append((latitude / scale, longitude / scale))
    return points


def _plane(a: Point, b: Point) -> tuple[float, float]:
    middle = cos(radians((a[0] + b[0]) / 2))
    return radians(b[0] - a[0]) * EARTH_M, radians(b[1] - a[1]) * EARTH_M * middle
