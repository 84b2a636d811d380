"""A phone's one websocket (JSON or MessagePack), with files over HTTP beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.frames import Frame as Part
from websockets.frames import Opcode
from websockets.protocol import Event
from websockets.typing import Subprotocol

from simulator.transport import (
    ANSWER_WITHIN_S,
    Answered,
    Client,
    Http,
    Turned,
    Unreachable,
    near,
    refused_actions,
    refused_positions,
    websocket_url,
)
from simulator.wire import (
    Actions,
    ActionsAnswer,
    Attachment,
    Frame,
    Message,
    Positions,
    PositionsAnswer,
    Route,
    body,
    encode,
)

JSON = Subprotocol("codriver.v1.json")
MSGPACK = Subprotocol("codriver.v1.msgpack")
NOT_ALLOWED = 4401
COME_BACK = frozenset({"ERR_UNAVAILABLE", "ERR_OVERLOADED", "ERR_INTERNAL", "ERR_TOO_MANY_REQUESTS", "ERR_BUSY"})
"""Codes that say nothing about the message: it is sent again."""

_json_frame = msgspec.json.Decoder(Frame).decode
_msgpack_frame = msgspec.msgpack.Decoder(Frame).decode
_msgpack = msgspec.msgpack.Encoder().encode


class Socket:
    """One websocket, opened when something is to be sent; acknowledgements find their message by its id, in any
    order. ``stale`` is called when the route may have changed: it was told so, or could not be told for a while.
    """

    def __init__(
        self,
        connect: Callable[[], Client],
        base_url: str,
        token: str,
        packed: bool,
        stale: Callable[[], None] = lambda: None,
    ) -> None:
        self._files = Http(connect, token)
        self._url = websocket_url(base_url, "/driver/v1/ws")
        self._headers = {"Authorization": f"Bearer {token}"}
        self._packed, self._stale = packed, stale
        self._opened = False
        self._turn = asyncio.Lock()
        self._line: _Line | None = None
        self._waiting: dict[str, asyncio.Future[Frame]] = {}

    async def deliver(self, message: Message) -> Answered:
        """Hand in one message."""
        if isinstance(message, Attachment):
            return await self._files.deliver(message)
        name = str(message.n)
        answer: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        frame = {"type": "positions" if isinstance(message, Positions) else "actions", "id": name, **body(message)}
        line: _Line | None = None
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                async with self._turn:  # first come, first sent, also by those who waited for the connection
                    line = self._line if self._line is not None else await self._open()
                    self._waiting[name] = answer
                    await line.send(_msgpack(frame) if self._packed else encode(frame), text=not self._packed)
                return _answered(await answer, message)
        except (WebSocketException, OSError, TimeoutError) as error:
            if line is not None and self._line is line:
                self._drop()
            if line is not None and line.not_allowed:
                raise Turned(f"closed {NOT_ALLOWED}") from error
            raise Unreachable(f"{type(error).__name__}: {error}") from error
        finally:
            if self._waiting.get(name) is answer:
                del self._waiting[name]
            answer.cancel()

    async def route(self, date: str) -> Route | None:
        """The driver's route of a date; None where it is as it was asked for before, or there is none."""
        return await self._files.route(date)

    async def reset(self) -> None:
        """Drop everything without a word, as an app does that is killed."""
        self._drop()
        await self._files.reset()

    def _drop(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.transport.abort()
        self._fail("connection dropped")

    async def _open(self) -> _Line:
        try:
            made = await connect(
                self._url,
                additional_headers=self._headers,
                subprotocols=[MSGPACK if self._packed else JSON],
                compression=None,
                proxy=None if near(self._url) else True,
                max_size=2**20,
                open_timeout=ANSWER_WITHIN_S,
                ping_interval=None,
                create_connection=cast(type[ClientConnection], partial(_Line, self._heard, self._ended)),
            )
        except InvalidStatus as refused:
            if refused.response.status_code in (401, 403):
                raise Turned(f"HTTP {refused.response.status_code}") from refused
            raise Unreachable(f"HTTP {refused.response.status_code}") from refused
        self._line = line = cast(_Line, made)
        if self._opened:
            self._stale()
        self._opened = True
        return line

    def _heard(self, data: bytes, text: bool) -> None:
        """Sort what comes down."""
        frame = _json_frame(data) if text else _msgpack_frame(data)
        waiting = self._waiting.get(frame.id) if isinstance(frame.id, str) else None
        if frame.type == "route":
            self._stale()
        elif waiting is not None and not waiting.done():
            waiting.set_result(frame)

    def _ended(self, line: _Line) -> None:
        """A connection is over: nobody waits for it any longer."""
        if self._line is line:
            self._line = None
            self._fail(f"closed {line.close_code}")

    def _fail(self, why: str) -> None:
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ConnectionError(why))
                waiting.exception()  # who waits is told by it; a send that failed itself waits no longer


class _Line(ClientConnection):
    """A connection whose frames are handed on as they come: no queue, no task of its own, no pings. What is lost
    is seen when the next message is not answered.
    """

    def __init__(
        self, heard: Callable[[bytes, bool], None], ended: Callable[[_Line], None], *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._heard, self._ended = heard, ended

    @property
    def not_allowed(self) -> bool:
        """Whether the server closed it because it does not know the token, or no more."""
        closed = self.protocol.close_rcvd
        return closed is not None and closed.code == NOT_ALLOWED

    def process_event(self, event: Event) -> None:
        """One frame, or the answer to the handshake."""
        if not isinstance(event, Part) or event.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            super().process_event(event)
            return
        try:
            if not event.fin or event.opcode is Opcode.CONT:
                raise msgspec.DecodeError("a frame in pieces")
            self._heard(bytes(event.data), event.opcode is Opcode.TEXT)
        except msgspec.DecodeError:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The end, whoever made it."""
        super().connection_lost(exc)
        self._ended(self)


def _answered(frame: Frame, message: Positions | Actions) -> Answered:
    """What a frame says about the message it answers."""
    if frame.type == "error":
        code = frame.code if isinstance(frame.code, str) else "ERR_UNNAMED"
        if code in COME_BACK:
            raise Unreachable(code)
        return dict.fromkeys(range(len(message.positions if isinstance(message, Positions) else message.actions)), code)
    if isinstance(message, Positions):
        return refused_positions(
            PositionsAnswer(0, rejected=frame.rejected if isinstance(frame.rejected, tuple) else ())
        )
    return refused_actions(ActionsAnswer(frame.actions if isinstance(frame.actions, tuple) else ()))
