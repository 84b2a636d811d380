"""HTTP/1.1 as one phone needs it: a request and its answer, over connections of its own that are kept.

A general client takes five times as long for each request, and thousands of phones share one process. There are no
proxies, redirects or cookies here; what is not HTTP/1.1 with a length or in chunks is as good as no answer.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

WITHIN_S = 30.0
MOST_HEAD = 64 * 1024
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)[ \t]*(?:\r\n|$)")
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked[ \t]*(?:\r\n|$)")
_CLOSE = re.compile(rb"\r\nconnection:[ \t]*close[ \t]*(?:\r\n|$)")
_reached: dict[tuple[str, int], str] = {}
"""The address at which a host was reached: asking for it each time takes as long as ten requests."""


class Answer(Struct, frozen=True):
    """What the server said; ``head`` is its status line and headers as they came."""

    status_code: int
    head: bytes
    content: bytes

    @property
    def headers(self) -> dict[str, str]:
        """Read anew each time: by their names in lower case."""
        named = (line.partition(":") for line in self.head.decode("latin-1").split("\r\n")[1:])
        return {name.strip().lower(): value.strip() for name, _, value in named}

    @property
    def is_success(self) -> bool:
        """A status of 2xx."""
        return 200 <= self.status_code < 300

    def json(self) -> Any:
        """The content as JSON; raises ValueError where it is not."""
        return json.loads(self.content)


def code_of(answer: Any) -> str:
    """The code of a refusal; its status where the answer (of this client or another one) says none."""
    try:
        return str(answer.json()["code"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {answer.status_code}"


class Line:
    """The connections of one phone to one server (``http://…`` or ``https://…``, then with ``trust``), at the same time
    no more than ``most``.
    """

    def __init__(self, base_url: str, trust: ssl.SSLContext | None = None, most: int | None = None) -> None:
        self.base_url, parts = base_url, urlsplit(base_url)
        self._trust = trust if parts.scheme == "https" else None
        self._host, self._port = str(parts.hostname), parts.port or (443 if self._trust else 80)
        self._named, self._prefix = parts.netloc.rpartition("@")[2], parts.path.rstrip("/")
        self._idle: list[_Connection] = []
        self._all: set[_Connection] = set()
        self._turns: AbstractAsyncContextManager[Any] = asyncio.Semaphore(most) if most else nullcontext()

    async def request(self, method: str, address: str, *, headers: dict[str, str], content: bytes = b"") -> Answer:
        """One request and its answer. ``address`` is a path, or a whole address of the same server. Raises OSError
        (TimeoutError too) where no answer comes that can be read.
        """
        if address.startswith("/"):
            path = self._prefix + address
        else:
            parts = urlsplit(address)
            path = f"{parts.path}{'?' if parts.query else ''}{parts.query}"
        lines = [f"{method} {path} HTTP/1.1\r\nhost: {self._named}"]
        lines += [f"{name.lower()}: {value}" for name, value in headers.items()]
        if content or method in ("POST", "PATCH", "PUT"):
            lines.append(f"content-length: {len(content)}")
        data = "\r\n".join([*lines, "\r\n"]).encode("latin-1") + content
        async with asyncio.timeout(WITHIN_S), self._turns:
            connection = await self._connection()
            try:
                answer = await connection.ask(data, bare=method == "HEAD")
            except BaseException:
                self._drop(connection)
                raise
        if connection.kept:
            self._idle.append(connection)
        else:
            self._drop(connection)
        return answer

    async def aclose(self) -> None:
        """Drop all connections without a word."""
        self._idle.clear()
        for connection in list(self._all):
            self._drop(connection)

    async def _connection(self) -> _Connection:
        """One that is kept and still open, or a new one."""
        while self._idle:
            connection = self._idle.pop()
            if connection.kept:
                return connection
            self._drop(connection)
        asked = self._host, self._port
        try:
            _, connection = await asyncio.get_running_loop().create_connection(
                _Connection,
                _reached.get(asked, self._host),
                self._port,
                ssl=self._trust,
                server_hostname=self._host if self._trust else None,
            )
        except OSError:
            _reached.pop(asked, None)
            raise
        if peer := connection.transport.get_extra_info("peername"):  # none where it was reset already
            _reached[asked] = peer[0]
        self._all.add(connection)
        return connection

    def _drop(self, connection: _Connection) -> None:
        self._all.discard(connection)
        connection.transport.abort()


class _Connection(asyncio.Protocol):
    """One connection with one request on it at a time. ``kept`` is whether it is good for another."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.kept = True
        self._bare = self._chunked = self._trailing = False
        self._waiting: asyncio.Future[Answer] | None = None
        self._buffer, self._head, self._content = bytearray(), b"", bytearray()
        self._length: int | None = None

    def ask(self, data: bytes, bare: bool) -> asyncio.Future[Answer]:
        """Send a request; ``bare`` is one whose answer has no content, whatever its head says."""
        self._waiting = asyncio.get_running_loop().create_future()
        self._bare, self._head = bare, b""
        if self.transport.is_closing():
            self._fail("the connection is closed")
        else:
            self.transport.write(data)
        return self._waiting

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """A piece of an answer; what nobody asked for spoils the connection."""
        self._buffer += data
        if self._waiting is None or self._waiting.done():
            self.kept = False
            return
        try:
            if (self._head or self._heard_head()) and self._heard_content():
                self._answered(bytes(self._content))
        except ValueError as error:
            self._fail(f"the answer is none: {error}")

    def connection_lost(self, exc: Exception | None) -> None:
        """The end, which may be that of an answer too."""
        self.kept = False
        if self._head and self._length is None and not self._chunked and exc is None:
            self._answered(bytes(self._buffer))
        else:
            self._fail("the answer broke off")

    def _heard_head(self) -> bool:
        """Whether the head is here; answers of 1xx are passed over."""
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._buffer[:end])
            del self._buffer[: end + 4]
            if not (head.startswith(b"HTTP/1.") and head[9:12].isdigit()):
                raise ValueError("it does not begin as one")
            if head[9:10] == b"1":
                continue
            low = head.lower()
            self._head, self._content, self._trailing = head, bytearray(), False
            self.kept = head.startswith(b"HTTP/1.1 ") and not _CLOSE.search(low)
            told = _LENGTH.search(low)
            empty = self._bare or head[9:12] in (b"204", b"304")
            self._chunked = not empty and told is None and _CHUNKED.search(low) is not None
            self._length = 0 if empty else int(told[1]) if told else None
            return True
        if len(self._buffer) > MOST_HEAD:
            raise ValueError("its head has no end")
        return False

    def _heard_content(self) -> bool:
        """Whether the content is here; where nothing tells its length it lasts until the connection ends."""
        if self._chunked:
            return self._heard_chunks()
        if self._length is None or len(self._buffer) < self._length:
            return False
        self._content = self._buffer[: self._length]
        del self._buffer[: self._length]
        return True

    def _heard_chunks(self) -> bool:
        buffer = self._buffer
        while not self._trailing and (end := buffer.find(b"\r\n")) >= 0:
            size = int(buffer[:end].partition(b";")[0], 16)
            if size and len(buffer) < end + size + 4:
                return False
            self._trailing = size == 0
            self._content += buffer[end + 2 : end + 2 + size]
            del buffer[: end + 2 + size + (2 if size else 0)]
        while self._trailing and (end := buffer.find(b"\r\n")) >= 0:  # what may follow the last chunk
            del buffer[: end + 2]
            if end == 0:
                return True
        return False

    def _answered(self, content: bytes) -> None:
        self.kept = self.kept and not self._buffer  # what nobody asked for would be taken for the next answer
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(Answer(int(self._head[9:12]), self._head, content))

    def _fail(self, why: str) -> None:
        self.kept = False
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(ConnectionError(why))
