"""``/driver/v1/ws``: positions, actions and messages on one websocket, and notices from the office to the phone.

A malformed frame is answered with an ``error`` and the connection stays open. Frames are processed one after the other,
so a phone that sends faster than the disk can store is slowed down by its own connection.
"""

import asyncio
import logging
import time
from collections.abc import Coroutine
from typing import Any

import msgspec
from litestar import WebSocket, websocket
from litestar.exceptions import WebSocketException

from backend.api import auth, problems, sockets
from backend.api.intake import JSON, MSGPACK, Actions, Codec, MessageFrame, Misfit, Positions
from backend.domain.accounts import Device
from backend.domain.errors import Refusal
from backend.domain.positions import Rejected
from backend.service import field, identity, messages
from backend.service.desk import Desk
from backend.service.messages import Message
from backend.service.settle import Outcome

log = logging.getLogger("codriver.phones")
Socket = WebSocket[Any, Any, Any]

JSON_PROTOCOL, MSGPACK_PROTOCOL = "codriver.v1.json", "codriver.v1.msgpack"
FRAMES_PER_S = 100.0  # on the average; a phone that comes back with hours of backlog sends some hundred at once
FRAMES_AT_ONCE = 500.0
AT_ONCE = 1024
"""Frames of positions from all phones, and requests, that wait for the processor; beyond, ``ERR_OVERLOADED``. More than
of requests alone: a socket sends its next frame only when this one is answered."""


class Recorded(msgspec.Struct, frozen=True, tag_field="type", tag="ack", omit_defaults=True):
    """The answer to ``positions``."""

    accepted: int
    duplicates: int
    rejected: list[Rejected]
    id: str | None = None


class Acted(msgspec.Struct, frozen=True, tag_field="type", tag="ack", omit_defaults=True):
    """The answer to ``actions``."""

    actions: list[Outcome]
    id: str | None = None


class Taken(msgspec.Struct, frozen=True, tag_field="type", tag="ack", omit_defaults=True):
    """The answer to ``message``."""

    id: str
    duplicate: bool = False


class Error(msgspec.Struct, frozen=True, tag_field="type", tag="error", omit_defaults=True):
    """Why the frame with this id was refused. Whether the same frame may be sent again depends on the code."""

    code: str
    message: str
    id: str | None = None


class RouteNews(msgspec.Struct, frozen=True, tag_field="type", tag="route"):
    """The route of this date has changed. ``version`` is 0 where there is no route any more."""

    version: int
    date: str


class MessageNews(msgspec.Struct, frozen=True, tag_field="type", tag="message"):
    id: str
    text: str
    at: str


Reply = Recorded | Acted | Taken | Error | RouteNews | MessageNews


class Call:
    """One phone's socket."""

    def __init__(self, socket: Socket, desk: Desk, secret: str, codec: Codec) -> None:
        self._socket, self._desk, self._secret, self._codec = socket, desk, secret, codec
        self._left = FRAMES_AT_ONCE
        self._counted = time.monotonic()

    async def hear(self) -> None:
        """Process frame after frame until the phone disconnects or its token is revoked."""
        while True:
            event = await self._socket.receive()
            if event["type"] != "websocket.receive":
                return
            await self._slow_down()
            device = await identity.device(self._desk, self._secret)
            if device is None:
                await self._socket.close(sockets.NOT_ALLOWED, "This device token has been revoked.")
                return
            await self._say(await self._answer(device, event))

    async def tell(self, device: Device, line: field.Line) -> None:
        """Send the phone what the office has for it, until the line is hung up."""
        sent: dict[str, int] = {}
        while True:
            match await line.hear():
                case field.RouteChanged(date):
                    version = await field.route_version(self._desk, device, date)
                    if version != sent.get(date, 0):  # a plan that was not sent to the drivers changes nothing for it
                        sent[date] = version
                        await self._say(RouteNews(version, date))
                case field.MessageSent(Message() as message):
                    await self._say(MessageNews(message.id, message.text, message.at))
                case field.HungUp(code, reason):
                    await self._socket.close(code, reason)
                    return

    async def _answer(self, device: Device, event: Any) -> Reply:
        text, data = event.get("text"), event.get("bytes")
        try:
            if text is not None:
                return await self._work(device, JSON, text.encode())
            if self._codec is not MSGPACK:
                text = f"A binary message is MessagePack, for which {MSGPACK_PROTOCOL} has to be agreed."
                return Error("ERR_MALFORMED", text)
            return await self._work(device, MSGPACK, data or b"")
        except Refusal as refusal:
            return Error(refusal.code, refusal.text)

    async def _work(self, device: Device, codec: Codec, data: bytes) -> Reply:
        frame = codec.frame(data)
        try:
            match frame:
                case Positions(id, read):
                    with self._desk.inflow.let_in(AT_ONCE):
                        done = await field.record(self._desk, device, read.fixes, read.misfits)
                    return Recorded(done.accepted, done.duplicates, done.rejected, id)
                case Actions(id, actions):
                    return Acted(await field.act(self._desk, device, actions), id)
                case MessageFrame(id, text):
                    fresh = await messages.from_driver(self._desk, device, id, text)
                    return Taken(id, duplicate=not fresh)
                case Misfit(id, refusal):
                    return Error(refusal.code, refusal.text, id)
        except Refusal as refusal:
            return Error(refusal.code, refusal.text, frame.id)
        except Exception:
            log.exception("bug in a frame of the driver's socket")
            return Error(problems.BUG.code, problems.BUG.text, frame.id)

    async def _say(self, reply: Reply) -> None:
        if isinstance(reply, Error):
            self._desk.tally.refuse(reply.code)
        encoded = self._codec.encode(reply)
        if self._codec is MSGPACK:
            await self._socket.send_data(encoded, mode="binary")
        else:
            await self._socket.send_data(encoded.decode(), mode="text")

    async def _slow_down(self) -> None:
        """A token bucket: a phone that sends too many frames is read more slowly."""
        now = time.monotonic()
        self._left = min(FRAMES_AT_ONCE, self._left + (now - self._counted) * FRAMES_PER_S) - 1
        self._counted = now
        if self._left < 0:
            await asyncio.sleep(-self._left / FRAMES_PER_S)


@websocket("/driver/v1/ws")
async def driver_socket(socket: Socket) -> None:
    """Positions, actions and messages up; acknowledgements, changes of route and messages down."""
    offered = auth.subprotocols(socket)
    chosen = next((each for each in offered if each in (JSON_PROTOCOL, MSGPACK_PROTOCOL)), None)
    try:
        device = await auth.device(socket)
    except Refusal as refusal:
        await socket.accept(subprotocols=chosen)  # a browser sees close codes only on a socket that was accepted
        await sockets.refuse(socket, refusal)
        return
    desk, secret = auth.desk_of(socket), auth.presented(socket) or ""
    call = Call(socket, desk, secret, MSGPACK if chosen == MSGPACK_PROTOCOL else JSON)
    with field.listen(desk, device, secret) as line:
        await socket.accept(subprotocols=chosen)  # only now: of two sockets of a device the one that opens later stays
        try:
            await _first_of(call.hear(), call.tell(device, line))
        except Refusal as refusal:  # what the server has to look up in between may be refused for a while
            await sockets.refuse(socket, refusal)


async def _first_of(*ways: Coroutine[Any, Any, None]) -> None:
    """Run until one of these ends, and cancel the others. A phone that disconnects is no error; a refusal is raised."""
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        error = task.exception()
        if isinstance(error, Refusal):
            raise error
        if error is not None and not isinstance(error, (WebSocketException, OSError)):
            log.error("bug in the driver's socket", exc_info=error)


handlers = [driver_socket]
