"""``/t/{tracking}.json`` and its websocket: one order for the person it is for. The code in the address is the key."""

from collections.abc import Callable
from typing import Any

import msgspec
from litestar import Request, Response, get, websocket
from litestar.params import FromPath

from backend.api import auth, sockets
from backend.api.sockets import Socket
from backend.domain.errors import Refusal
from backend.domain.positions import Position
from backend.domain.times import iso
from backend.service import delivery, watch
from backend.service.delivery import Delivery


class Destination(msgspec.Struct, frozen=True):
    latitude: float
    longitude: float


class Window(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    from_: str
    to: str


class DriverSeen(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    latitude: float
    longitude: float
    timestamp: float
    first_name: str | None = None
    heading: float | None = None


class ProofFile(msgspec.Struct, frozen=True):
    """``url`` leads to the file without location data, for five to seven days."""

    type: str
    url: str


class Proof(msgspec.Struct, frozen=True, omit_defaults=True):
    note: str | None = None
    signature: ProofFile | None = None
    images: list[ProofFile] = []


class Tracking(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """``driver`` only while on the way to this stop, or at it. ``window`` is when the company promises to come,
    ``eta`` when it expects to; ``stopsBefore`` how many stops the driver has before this one. ``now`` Unix seconds."""

    status: str
    order_no: str
    company_name: str
    location_name: str
    address: str
    destination: Destination | None = None
    window: Window | None = None
    eta: str | None = None
    time_zone: str
    driver: DriverSeen | None = None
    stops_before: int | None = None
    started_at: str | None = None
    finished_at: str | None = None
    proof: Proof | None = None
    now: float


class State(Tracking, frozen=True, kw_only=True, rename="camel", omit_defaults=True, tag_field="type", tag="state"):
    """The same on the websocket."""


Page = Callable[[Request[Any, Any, Any], str, Tracking | None], Response[Any]]
_encode = msgspec.json.Encoder().encode
_PRIVATE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


def encode_delivery(found: Delivery, seen: Position | None, now_s: float) -> bytes:
    """The websocket's frame."""
    return _encode(State(**_fields(found, seen, now_s)))


def tracking_out(found: Delivery, seen: Position | None, now_s: float) -> Tracking:
    return Tracking(**_fields(found, seen, now_s))


def _fields(found: Delivery, seen: Position | None, now_s: float) -> dict[str, Any]:
    place = found.place
    driver = None
    if seen is not None:
        driver = DriverSeen(seen.latitude, seen.longitude, seen.timestamp, found.first_name, seen.heading)
    proof = None
    if found.note or found.signature or found.images:
        signature = ProofFile(found.signature.type, found.signature.url) if found.signature else None
        proof = Proof(found.note, signature, [ProofFile(each.type, each.url) for each in found.images])
    return {
        "status": found.status,
        "order_no": found.order_no,
        "company_name": found.company,
        "location_name": place.name,
        "address": place.address,
        "destination": Destination(place.latitude, place.longitude) if place.valid else None,
        "window": Window(*(iso(second * 1000) for second in found.window_s)) if found.window_s else None,
        "eta": None if found.eta_s is None else iso(found.eta_s * 1000),
        "time_zone": found.zone,
        "driver": driver,
        "stops_before": found.stops_before,
        "started_at": None if found.started_ms is None else iso(found.started_ms),
        "finished_at": None if found.finished_ms is None else iso(found.finished_ms),
        "proof": proof,
        "now": round(now_s, 3),
    }


@websocket("/t/{tracking:str}/live")
async def recipient_live(socket: Socket, tracking: FromPath[str]) -> None:
    """The order's state at once, and whenever it changes, at most once a second."""
    await sockets.accept(socket)
    desk = auth.desk_of(socket)
    try:
        watcher = await watch.follow(desk, tracking, sockets.outlet(socket))
    except Refusal as refusal:
        await sockets.refuse(socket, refusal)
        return
    try:
        async for _ in sockets.texts(socket):
            watcher.write(watch.frames.error("ERR_INVALID", "This socket has nothing to be asked."))
    finally:
        watch.leave(desk, watcher)


def handlers(page: Page) -> list[Any]:
    """The handlers; ``page`` makes the recipient's page of the order's state, None where nobody knows the code.

    Page and document share one pattern of addresses, so that one handler must serve both.
    """

    @get("/t/{tracking:str}", summary="One order for its recipient", security=[{}], gives=Tracking)
    async def recipient(request: Request[Any, Any, Any], tracking: FromPath[str]) -> Response[Any]:
        """The recipient's page of one order; with `.json` after the code its state as a document."""
        code, wants_json = tracking.removesuffix(".json"), tracking.endswith(".json")
        desk = auth.desk_of(request)
        found = await delivery.find(desk, code)
        now_s = desk.clock.now_s()
        told = tracking_out(found, delivery.position(desk, found), now_s) if found else None
        if not wants_json:
            return page(request, code, told)
        if told is None:
            raise Refusal("ERR_NOT_FOUND", "Nobody knows this tracking code.")
        return Response(_encode(told), headers=_PRIVATE, media_type="application/json")

    return [recipient, recipient_live]
