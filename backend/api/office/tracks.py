"""A driver's stored positions as JSON, CSV, GeoJSON (RFC 7946) and GPX 1.1."""

from collections.abc import AsyncIterator, Callable
from typing import Any
from xml.sax.saxutils import escape

import msgspec
from litestar import Request, Response, get
from litestar.response import Stream

from backend.api import auth, body
from backend.domain.accounts import Office, Role
from backend.domain.errors import Refusal
from backend.domain.positions import Position
from backend.domain.times import iso, moment_ms
from backend.service import fleet, tracks

Call = Request[Any, Any, Any]
Pages = AsyncIterator[list[Position]]

END_OF_TIME_MS = 4_102_444_800_000  # 2100-01-01
QUERY = {
    "from": "The first moment, ISO 8601.",
    "to": "The moment after the last, ISO 8601.",
    "format": "json, csv, geojson or gpx.",
    "limit": "How many in one answer in JSON, 1 to 10000.",
    "cursor": "What the last answer told, for the next page in JSON.",
}
COLUMNS = ("timestamp", "latitude", "longitude", "accuracy", "speed", "heading", "altitude", "battery")


@get("/api/drivers/{driver_id:str}/track", summary="Where a driver was", query=QUERY, gives=body.Page[Position])
async def get_track(request: Call, driver_id: str) -> Response[Any]:
    """The positions from `from` (inclusive) to `to` (exclusive), ISO 8601, in time order, without duplicates.
    `format` is `json` (up to 10,000 a page), `csv`, `geojson` or `gpx` (all of it)."""
    caller, desk = await auth.office(request, Role.TENANT, Role.VIEWER, Role.SUBCONTRACTOR), auth.desk_of(request)
    query = request.query_params
    from_ms = moment_ms(query["from"], "from") if "from" in query else 0
    to_ms = moment_ms(query["to"], "to") if "to" in query else END_OF_TIME_MS
    form = query.get("format", "json")
    if form == "json":
        return await _json(request, caller, driver_id, from_ms, to_ms)
    if form not in _WRITERS:
        raise Refusal("ERR_INVALID", "format is one of json, csv, geojson, gpx.", "format")
    driver = await fleet.driver(desk, caller, driver_id)
    write, media_type = _WRITERS[form]
    pieces = write(tracks.pages(desk, caller, driver_id, from_ms, to_ms), driver.name)
    headers = {"Content-Disposition": f'attachment; filename="track.{form}"', "X-Content-Type-Options": "nosniff"}
    return Stream(pieces, media_type=media_type, headers=headers)


async def _json(request: Call, caller: Office, driver_id: str, from_ms: int, to_ms: int) -> Response[bytes]:
    limit = body.number(request, "limit", tracks.PAGE, 1, tracks.PAGE)
    given = request.query_params.get("cursor")
    if given is not None and not (given.isascii() and given.isdigit() and len(given) <= 15):
        raise Refusal("ERR_INVALID", "cursor is what an earlier page told, as it was.", "cursor")
    after_ms = int(given) if given is not None else None
    found = await tracks.page(auth.desk_of(request), caller, driver_id, from_ms, to_ms, after_ms, limit + 1)
    cursor = str(found[limit - 1].at_ms) if len(found) > limit else ""
    return body.reply(body.page(found, limit, cursor))


async def _csv(pages: Pages, name: str) -> AsyncIterator[bytes]:
    yield (",".join(COLUMNS) + "\n").encode()
    async for page in pages:
        yield await tracks.text(_rows, page)


def _rows(page: list[Position]) -> bytes:
    rows = (",".join(_number(getattr(fix, column)) for column in COLUMNS) for fix in page)
    return ("\n".join(rows) + "\n").encode()


async def _geojson(pages: Pages, name: str) -> AsyncIterator[bytes]:
    # A LineString has at least two points (RFC 7946, 3.1.4): one position alone is given twice, none is null.
    times: list[str] = []
    yield b'{"type":"Feature","geometry":'
    last: bytes | None = None
    async for page in pages:
        points, moments = await tracks.text(_points, page)
        yield (b'{"type":"LineString","coordinates":[' if last is None else b",") + b",".join(points)
        times.extend(moments)
        last = points[-1]
    if last is None:
        yield b"null"
    else:
        if len(times) == 1:
            times *= 2
            yield b"," + last
        yield b"]}"
    yield b',"properties":' + msgspec.json.encode({"name": name, "coordinateProperties": {"times": times}}) + b"}"


def _points(page: list[Position]) -> tuple[list[bytes], list[str]]:
    return [msgspec.json.encode((fix.longitude, fix.latitude)) for fix in page], [iso(fix.at_ms) for fix in page]


async def _gpx(pages: Pages, name: str) -> AsyncIterator[bytes]:
    yield (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<gpx version="1.1" creator="Codriver" xmlns="http://www.topografix.com/GPX/1/1">'
        f"<trk><name>{escape(_xml_text(name))}</name><trkseg>\n"
    ).encode()
    async for page in pages:
        yield await tracks.text(_trackpoints, page)
    yield b"</trkseg></trk></gpx>\n"


def _trackpoints(page: list[Position]) -> bytes:
    return "".join(_trackpoint(fix) for fix in page).encode()


def _trackpoint(fix: Position) -> str:
    height = f"<ele>{_number(fix.altitude)}</ele>" if fix.altitude is not None else ""
    place = f'lat="{_number(fix.latitude)}" lon="{_number(fix.longitude)}"'
    return f"<trkpt {place}>{height}<time>{iso(fix.at_ms)}</time></trkpt>\n"


def _number(value: float | None) -> str:
    """In full, without an exponent (XML Schema's decimal has none) and without a needless ``.0``."""
    if value is None:
        return ""
    text = repr(value)
    if "e" in text:
        text = f"{value:.20f}".rstrip("0").rstrip(".")
    return text.removesuffix(".0")


def _xml_text(text: str) -> str:
    """Without the control characters that XML 1.0 cannot hold in any form."""
    return "".join(each for each in text if each in "\t\n\r" or (each >= " " and each not in "\ufffe\uffff"))


_WRITERS: dict[str, tuple[Callable[[Pages, str], AsyncIterator[bytes]], str]] = {
    "csv": (_csv, "text/csv; charset=utf-8"),
    "geojson": (_geojson, "application/geo+json"),
    "gpx": (_gpx, "application/gpx+xml"),
}

handlers = [get_track]
