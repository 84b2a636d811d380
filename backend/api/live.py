"""``/live``: the websocket of the live map.

A frame that is malformed, or asks for something that does not exist, is answered with an ``error`` and the socket stays
open. Where the server is temporarily unable to serve it, the socket is closed, so that the client reconnects.
"""

import logging
from typing import Annotated, Any, Literal

import msgspec
from litestar import websocket
from msgspec import Meta

from backend.api import auth, body, problems, sockets
from backend.api.events import event_out
from backend.api.sockets import Socket
from backend.domain.accounts import Role
from backend.domain.errors import Refusal
from backend.service import watch
from backend.service.desk import Desk
from backend.service.history import Event
from backend.service.watch import MAX_HZ, Watcher, Wish

log = logging.getLogger("codriver.live")

Id = Annotated[str, Meta(min_length=1, max_length=64)]
Longitude = Annotated[float, Meta(ge=-180, le=180)]
Latitude = Annotated[float, Meta(ge=-90, le=90)]


class Subscribe(msgspec.Struct, frozen=True, tag_field="type", tag="subscribe", rename="camel"):
    """``drivers`` external ids; ``bbox`` west, south, east, north in degrees, west greater than east across the
    antimeridian; ``maxHz`` at most so many positions frames a second (never more than 10); ``after`` the sequence of
    the last event that the client has."""

    id: Id
    drivers: Literal["all"] | list[Annotated[str, Meta(max_length=200)]] = "all"
    bbox: tuple[Longitude, Latitude, Longitude, Latitude] | None = None
    events: bool = False
    max_hz: Annotated[float, Meta(gt=0, le=1000)] = 2.0
    after: Annotated[int, Meta(ge=0, le=2**53)] | None = None


class Unsubscribe(msgspec.Struct, frozen=True, tag_field="type", tag="unsubscribe"):
    id: Id


class _Named(msgspec.Struct):
    """The id and the type of a frame that could not be decoded otherwise."""

    id: Any = None
    type: Any = None


_decode = msgspec.json.Decoder(Subscribe | Unsubscribe).decode
_decode_name = msgspec.json.Decoder(_Named).decode
_encode = msgspec.json.Encoder().encode


def encode_event(event: Event) -> bytes:
    return _encode(event_out(event))


@websocket("/live")
async def live(socket: Socket) -> None:
    """The live map: subscribe, get a snapshot, then positions and events as they come."""
    try:
        caller = await auth.office(socket, Role.TENANT, Role.VIEWER)
    except Refusal as refusal:
        log.info("refused a live map: %s", refusal.code)
        await sockets.refuse(socket, refusal)
        return
    await sockets.accept(socket)
    desk = auth.desk_of(socket)
    try:
        watcher = await watch.join(desk, caller, auth.presented(socket) or "", sockets.outlet(socket))
    except Refusal as refusal:
        await sockets.refuse(socket, refusal)
        return
    try:
        async for text in sockets.texts(socket):
            refused = await _handle(desk, watcher, text)
            if refused is not None:
                watcher.write(refused)
    finally:
        watch.leave(desk, watcher)


async def _handle(desk: Desk, watcher: Watcher, text: str | None) -> watch.Frame | None:
    """Handle one frame of the client. Returns an error frame where it fails."""
    id_ = None
    try:
        frame = _read(text)
        id_ = frame.id
        match frame:
            case Subscribe():
                await watch.subscribe(desk, watcher, _wish(frame), frame.events, frame.after)
            case Unsubscribe():
                watch.unsubscribe(desk, watcher, frame.id)
    except Refusal as refusal:
        desk.tally.refuse(refusal.code)
        if problems.STATUSES.get(refusal.code, 400) >= 500:
            # The request was right: a client that took this for the answer would wait for its subscription for ever.
            watcher.close(sockets.TRY_LATER, refusal.text)
            return None
        return watch.frames.error(refusal.code, refusal.text, id_ or _name(text))
    except Exception:
        desk.tally.refuse(problems.BUG.code)
        log.exception("bug in a frame of a live map")
        return watch.frames.error(problems.BUG.code, problems.BUG.text, id_)
    return None


def _read(text: str | None) -> Subscribe | Unsubscribe:
    if text is None:
        raise Refusal("ERR_MALFORMED", "Send JSON in text messages; this one was binary.")
    try:
        try:
            return _decode(text)
        except msgspec.ValidationError as error:
            raise _misfit(text, error) from error
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise Refusal("ERR_MALFORMED", "This message is not JSON.") from error


def _misfit(text: str, error: msgspec.ValidationError) -> Refusal:
    """The refusal of a frame of another shape. Raises as a decoder does where the frame is not JSON to its end."""
    if text.lstrip().startswith("{") and _decode_name(text).type not in ("subscribe", "unsubscribe"):
        return Refusal("ERR_TYPE_UNKNOWN", "The type is one of subscribe, unsubscribe.", "type")
    return Refusal("ERR_INVALID", f"This is no frame of this socket: {body.spoken(error, Subscribe | Unsubscribe)}.")


def _name(text: str | None) -> str | None:
    try:
        named = _decode_name(text or "").id
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None
    return named if isinstance(named, str) and len(named) <= 64 else None


def _wish(frame: Subscribe) -> Wish:
    if frame.bbox is not None and frame.bbox[1] > frame.bbox[3]:
        raise Refusal("ERR_INVALID", "bbox is west, south, east, north; south must not be north of north.", "bbox")
    drivers = None if frame.drivers == "all" else frozenset(frame.drivers)
    return Wish(id=frame.id, drivers=drivers, box=frame.bbox, max_hz=min(frame.max_hz, MAX_HZ))


handlers = [live]
