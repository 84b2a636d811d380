"""Recorded tracks, read as the fixes of one driver: GPX 1.0 and 1.1, CSV, GeoJSON. Times and places are left as they
were recorded.

CSV has the columns ``unix_time,latitude,longitude,accuracy_m,speed_mps,heading_deg,server_unix_time`` (the last is
not used, empty cells are unknown values). GeoJSON is a Feature with a LineString and
``properties.coordinateProperties.times``, or a FeatureCollection of Points whose properties hold ``timestamp`` (Unix
seconds) or ``time`` (ISO 8601).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from simulator.wire import Position


def load(path: Path) -> list[Position]:
    """The fixes of a file in the order of their times; the format goes by the file's name, then by its first character.

    Raises ValueError where the file holds no fix or is not what its name says.
    """
    text = path.read_text(encoding="utf-8-sig")
    kind = path.suffix.lower()
    try:
        match kind:
            case ".gpx":
                fixes = list(from_gpx(text))
            case ".csv":
                fixes = list(from_csv(text))
            case ".json" | ".geojson":
                fixes = list(from_geojson(text))
            case _:
                reader = {"<": from_gpx, "{": from_geojson}.get(text.lstrip()[:1], from_csv)
                fixes = list(reader(text))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, ElementTree.ParseError) as error:
        raise ValueError(f"{path.name} is not a track that can be replayed: {error}") from error
    if not fixes:
        raise ValueError(f"{path.name} holds no fix with a time")
    return sorted(fixes, key=lambda fix: fix.timestamp)


def from_csv(text: str) -> Iterator[Position]:
    """The fixes of a CSV, row by row."""
    for row in csv.DictReader(StringIO(text)):
        yield Position(
            timestamp=float(row["unix_time"]),
            latitude=float(row["latitude"]),
            longitude=float(row["longitude"]),
            accuracy=_number(row.get("accuracy_m")),
            speed=_number(row.get("speed_mps")),
            heading=_number(row.get("heading_deg")),
        )


def from_gpx(text: str) -> Iterator[Position]:
    """The track points of a GPX that have a time; speed and course where a recorder wrote them."""
    for point in ElementTree.fromstring(text).iter():
        if _name(point) != "trkpt":
            continue
        values = {_name(child): child.text for child in point.iter() if child is not point}
        if values.get("time"):
            yield Position(
                timestamp=_iso(str(values["time"])),
                latitude=float(point.attrib["lat"]),
                longitude=float(point.attrib["lon"]),
                speed=_number(values.get("speed")),
                heading=_number(values.get("course")),
                altitude=_number(values.get("ele")),
            )


def from_geojson(text: str) -> Iterator[Position]:
    """The points of a line with times, or of a collection of points."""
    document = json.loads(text)
    features = document["features"] if document.get("type") == "FeatureCollection" else [document]
    for feature in features:
        geometry, properties = feature["geometry"], feature.get("properties") or {}
        match geometry["type"]:
            case "LineString":
                times = properties.get("coordinateProperties", {}).get("times") or properties["coordTimes"]
                yield from _line(geometry["coordinates"], times)
            case "Point":
                time = properties.get("timestamp", properties.get("time"))
                yield _point(geometry["coordinates"], time, properties)
            case other:
                raise ValueError(f"GeoJSON geometry {other} is not a track")


def _line(coordinates: Iterable[list[float]], times: Iterable[Any]) -> Iterator[Position]:
    for place, time in zip(coordinates, times, strict=True):
        yield _point(place, time, {})


def _point(place: list[float], time: Any, properties: dict[str, Any]) -> Position:
    return Position(
        timestamp=_iso(time) if isinstance(time, str) else float(time),
        latitude=float(place[1]),
        longitude=float(place[0]),
        altitude=float(place[2]) if len(place) > 2 else None,
        accuracy=_number(properties.get("accuracy")),
        speed=_number(properties.get("speed")),
        heading=_number(properties.get("heading")),
    )


def _number(cell: Any) -> float | None:
    return None if cell is None or cell == "" else float(cell)


def _iso(text: str) -> float:
    moment = datetime.fromisoformat(text.strip())
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]
