"""Websocket clients that cost next to nothing: of each frame only the beginning is looked at."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

PEEK = 200  # bytes of a frame that are looked at
TEXT, CLOSE, PING = 0x81, 0x88, 0x89
_BUFFER = memoryview(bytearray(1 << 20))  # of all clients of a process: each empties it before the next reads


class Client(asyncio.BufferedProtocol):
    """One socket. ``heard(client, seen, size)`` is called with each text frame once all of it has come, and with its
    beginning, or with all of it where the client is ``thorough``."""

    def __init__(
        self, path: str, token: str, heard: Callable[["Client", bytes, int], None], bytes_a_second: int = 0
    ) -> None:
        self._request = (
            f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            f"Authorization: Bearer {token}\r\n\r\n"
        ).encode()
        self._heard = heard
        self._slow = bytes_a_second  # no faster than this; 0 as fast as it comes
        self._head = b""
        self._left = 0  # of the frame at hand
        self.thorough = False
        self._parts: list[bytes] = []
        self._frame: tuple[int, bytes, int] = (0, b"", 0)
        self.frames = 0
        self.code: int | None = None  # how it was closed; 1006 without a word
        self._loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = self._loop.create_future()
        self.closed: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(self._request)

    def connection_lost(self, error: Exception | None) -> None:
        self.code = self.code or 1006
        self.closed.set_result(None)
        if not self.opened.done():
            self.opened.set_exception(error or ConnectionError("closed"))

    def get_buffer(self, sizehint: int) -> memoryview:
        return _BUFFER[: self._slow] if self._slow else _BUFFER

    def buffer_updated(self, count: int) -> None:
        if self._slow:
            self.transport.pause_reading()
            self._loop.call_later(count / self._slow, self._go_on)
        at = self._greeted(count) if not self.opened.done() else 0
        while at < count:
            if self._left:
                taken = min(self._left, count - at)
                if self.thorough:
                    self._parts.append(bytes(_BUFFER[at : at + taken]))
                at, self._left = at + taken, self._left - taken
                if not self._left:
                    self._end()
            else:
                at += self._begin(bytes(_BUFFER[at : min(count, at + PEEK + 10)]))

    def say(self, payload: bytes) -> None:
        self.transport.write(masked(payload))

    def _go_on(self) -> None:
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def _greeted(self, count: int) -> int:
        """Where the frames begin."""
        known = len(self._head)
        self._head += bytes(_BUFFER[:count])
        end = self._head.find(b"\r\n\r\n")
        if end < 0:
            return count
        if not self._head.startswith(b"HTTP/1.1 101"):
            self.opened.set_exception(ConnectionError(self._head[:200].decode()))
            self.transport.abort()
            return count
        self._head = b""
        self.opened.set_result(None)
        return end + 4 - known

    def _begin(self, fresh: bytes) -> int:
        """How many of these bytes belong to the head of a frame and what is looked at."""
        data = self._head + fresh
        size, head_size = (data[1], 2) if len(data) > 1 else (0, 1 << 30)
        if size >= 126:
            wide = 2 if size == 126 else 8
            size, head_size = int.from_bytes(data[2 : 2 + wide], "big"), 2 + wide
        seen = min(size, PEEK)
        if len(data) < head_size + seen:
            self._head = data
            return len(fresh)
        used = head_size + seen - len(self._head)
        self._head, self._left = b"", size - seen
        self._frame = (data[0], data[head_size : head_size + seen], size)
        if not self._left:
            self._end()
        return used

    def _end(self) -> None:
        kind, peek, size = self._frame
        parts, self._parts = self._parts, []
        if kind == TEXT:
            self.frames += 1
            self._heard(self, b"".join([peek, *parts]), size)
        elif kind == CLOSE:
            self.code = int.from_bytes(peek[:2], "big") if size >= 2 else 1005
        elif kind == PING:
            self.transport.write(bytes((0x8A, 0x80 | size)) + bytes(4) + peek)


def masked(payload: bytes) -> bytes:
    """A text frame with a mask of zeros."""
    if len(payload) < 126:
        return bytes((TEXT, 0x80 | len(payload))) + bytes(4) + payload
    return bytes((TEXT, 0x80 | 126)) + len(payload).to_bytes(2, "big") + bytes(4) + payload


async def connect(
    port: int, make: Callable[[], Client], at_once: int, count: int, patience_s: float, narrow: bool = False
) -> list[Client]:
    """Open so many, ``at_once`` at a time; raises where one is not taken. ``narrow``: little can be on its way."""
    gate = asyncio.Semaphore(at_once)

    async def one() -> Client:
        async with gate:
            return await open_one(port, make, patience_s, narrow)

    return list(await asyncio.gather(*(one() for _ in range(count))))


async def open_one(port: int, make: Callable[[], Client], patience_s: float, narrow: bool = False) -> Client:
    loop = asyncio.get_running_loop()
    raw = socket.socket()
    if narrow:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    try:
        await loop.sock_connect(raw, ("127.0.0.1", port))
        _, client = await loop.create_connection(make, sock=raw)
    except OSError:
        raw.close()
        raise
    await asyncio.wait_for(client.opened, patience_s)
    return client


def many_files() -> None:
    """As many open sockets as the machine allows."""
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
