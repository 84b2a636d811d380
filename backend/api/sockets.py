"""What the websockets of maps and recipients share: accept and refuse, bounded input, and output that never waits."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from litestar import WebSocket
from litestar.exceptions import WebSocketException

from backend.api import auth
from backend.domain.errors import Refusal
from backend.service.watch import Frame, Outlet

Socket = WebSocket[Any, Any, Any]

NOT_ALLOWED, NOT_FOUND, TOO_MANY, TRY_LATER = 4401, 4404, 4429, 1013
_CODES = {
    "ERR_UNAUTHENTICATED": NOT_ALLOWED,
    "ERR_FORBIDDEN": NOT_ALLOWED,
    "ERR_NOT_FOUND": NOT_FOUND,
    "ERR_TOO_MANY_SOCKETS": TOO_MANY,
}
JSON_PROTOCOL = "codriver.v1.json"
FRAMES_PER_S = 20.0  # of one client, on average
FRAMES_AT_ONCE = 100.0
REASON_BYTES = 120  # a close frame has room for 123
BACKLOG_BYTES = 64 * 1024
CLOSING_S = 2.0


async def accept(socket: Socket) -> None:
    """Accept with our subprotocol, where it was offered; never with the one that carries a key."""
    await socket.accept(subprotocols=JSON_PROTOCOL if JSON_PROTOCOL in auth.subprotocols(socket) else None)


async def refuse(socket: Socket, refusal: Refusal) -> None:
    """Close with the code of the refusal. A browser sees close codes only on a socket that was accepted before."""
    auth.desk_of(socket).tally.refuse(refusal.code)
    if socket.connection_state == "init":
        await accept(socket)
    await socket.close(_CODES.get(refusal.code, TRY_LATER), _short(refusal.text))


def outlet(socket: Socket) -> Outlet:
    """The output of the socket: directly into the connection where the server offers that, else through a queue."""
    extensions = socket.scope.get("extensions") or {}
    if "codriver.write" in extensions and "codriver.close" in extensions:
        return Straight(extensions["codriver.write"], extensions["codriver.close"])
    return Queued(socket)


async def texts(socket: Socket) -> AsyncIterator[str | None]:
    """The client's messages until it disconnects; None for a binary one. A client that floods is closed with 4429.

    Iterate all the time, also where no message is expected: pongs are only noticed on a connection that is read.
    """
    allowance, counted = FRAMES_AT_ONCE, time.monotonic()
    while True:
        message = await socket.receive()
        if message["type"] != "websocket.receive":
            return
        now = time.monotonic()
        allowance = min(FRAMES_AT_ONCE, allowance + (now - counted) * FRAMES_PER_S) - 1
        counted = now
        if allowance < 0:
            with contextlib.suppress(TimeoutError):  # one that reads nothing either is cut off by the server
                async with asyncio.timeout(CLOSING_S):
                    await socket.close(TOO_MANY, f"Too many messages: {FRAMES_PER_S:.0f} a second are allowed.")
            return
        yield message.get("text")


class Straight:
    """Output into the server's own connection: frames are written as they are, without an await."""

    __slots__ = ("_close", "_write")

    def __init__(self, write: Any, close: Any) -> None:
        self._write = write
        self._close = close

    def full(self) -> bool:
        return not self._write(b"")

    def try_write(self, frame: Frame) -> bool:
        return bool(self._write(frame.wire))

    def close(self, code: int, reason: str) -> None:
        self._close(code, _short(reason))


class Queued:
    """Output on any other ASGI server: a bounded queue, and a task that sends what is in it."""

    def __init__(self, socket: Socket) -> None:
        self._socket = socket
        self._frames: deque[Frame] = deque()
        self._bytes = 0
        self._closing: tuple[int, str] | None = None
        self._sending: asyncio.Task[None] | None = None

    def full(self) -> bool:
        return self._bytes > BACKLOG_BYTES or self._closing is not None

    def try_write(self, frame: Frame) -> bool:
        if self.full():
            return False
        self._frames.append(frame)
        self._bytes += frame.size
        self._wake()
        return True

    def close(self, code: int, reason: str) -> None:
        self._closing = (code, _short(reason))
        self._wake()

    def _wake(self) -> None:
        if self._sending is None:
            self._sending = asyncio.get_running_loop().create_task(self._send())

    async def _send(self) -> None:
        try:
            while self._frames:
                frame = self._frames.popleft()
                await self._socket.send_text(frame.payload.decode())
                self._bytes -= frame.size
            if self._closing is not None:
                await self._socket.close(*self._closing)
        except (WebSocketException, OSError, RuntimeError):
            self._closing = self._closing or (1006, "")  # the client is gone; the reader sees it too
        finally:
            self._sending = None


def _short(reason: str) -> str:
    return reason.encode()[:REASON_BYTES].decode(errors="ignore")
