"""HTTP/1.1 as one phone needs it: a request and its answer, over connections of its own that are kept.

A general client takes five times as long for each request, and thousands of phones share one process. There are no
proxies, redirects or cookies here; what is not HTTP/1.1 with a length or in chunks is as good as no answer.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from asyncio import StreamReader, StreamWriter
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

WITHIN_S = 30.0
MOST_HEAD = 64 * 1024


class Answer(Struct, frozen=True):
    """What the server said. ``headers`` by their names in lower case."""

    status_code: int
    headers: dict[str, str]
    content: bytes

    @property
    def is_success(self) -> bool:
        """A status of 2xx."""
        return 200 <= self.status_code < 300

    def json(self) -> Any:
        """The content as JSON; raises ValueError where it is not."""
        return json.loads(self.content)


class Line:
    """The connections of one phone to one server (``http://…`` or ``https://…``, then with ``trust``)."""

    def __init__(self, base_url: str, trust: ssl.SSLContext | None = None) -> None:
        self.base_url, parts = base_url, urlsplit(base_url)
        self._trust = trust if parts.scheme == "https" else None
        self._host, self._port = str(parts.hostname), parts.port or (443 if self._trust else 80)
        self._named, self._prefix = parts.netloc.rpartition("@")[2], parts.path.rstrip("/")
        self._idle: list[tuple[StreamReader, StreamWriter]] = []
        self._all: set[StreamWriter] = set()

    async def request(self, method: str, address: str, *, headers: dict[str, str], content: bytes = b"") -> Answer:
        """One request and its answer. ``address`` is a path, or a whole address of the same server. Raises OSError
        (TimeoutError too) where no answer comes that can be read.
        """
        parts = urlsplit(address)
        path = parts.path if parts.netloc else self._prefix + parts.path
        lines = [f"{method} {path}{'?' if parts.query else ''}{parts.query} HTTP/1.1", f"host: {self._named}"]
        lines += [f"{name.lower()}: {value}" for name, value in headers.items()]
        if content or method in ("POST", "PATCH", "PUT"):
            lines.append(f"content-length: {len(content)}")
        async with asyncio.timeout(WITHIN_S):
            reader, writer = await self._connection()
            try:
                writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + content)
                await writer.drain()
                answer, kept = await _read(reader, method)
            except BaseException as error:
                self._drop(writer)
                if isinstance(error, (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError)):
                    raise ConnectionError(f"the answer broke off or is none: {error}") from error
                raise
        if kept:
            self._idle.append((reader, writer))
        else:
            self._drop(writer)
        return answer

    async def aclose(self) -> None:
        """Drop all connections without a word."""
        self._idle.clear()
        for writer in list(self._all):
            self._drop(writer)

    async def _connection(self) -> tuple[StreamReader, StreamWriter]:
        """One that is kept and still open, or a new one."""
        while self._idle:
            reader, writer = self._idle.pop()
            if not (reader.at_eof() or writer.is_closing()):
                return reader, writer
            self._drop(writer)
        reader, writer = await asyncio.open_connection(self._host, self._port, ssl=self._trust, limit=MOST_HEAD)
        self._all.add(writer)
        return reader, writer

    def _drop(self, writer: StreamWriter) -> None:
        self._all.discard(writer)
        writer.transport.abort()


async def _read(reader: StreamReader, method: str) -> tuple[Answer, bool]:
    """An answer, and whether its connection may be used again; answers of 1xx are passed over."""
    while True:
        head, *rest = (await reader.readuntil(b"\r\n\r\n"))[:-4].decode("latin-1").split("\r\n")
        version, status = head.split(" ", 2)[:2]
        if not status.startswith("1"):
            break
    named = (line.partition(":") for line in rest)
    headers = {name.strip().lower(): value.strip() for name, _, value in named}
    kept = version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
    if method == "HEAD" or status in ("204", "304"):
        content = b""
    elif "content-length" in headers:
        content = await reader.readexactly(int(headers["content-length"]))
    elif headers.get("transfer-encoding", "").lower() == "chunked":
        content = await _chunks(reader)
    else:
        content, kept = await reader.read(-1), False
    return Answer(int(status), headers, content), kept


async def _chunks(reader: StreamReader) -> bytes:
    parts = []
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    while await reader.readuntil(b"\r\n") != b"\r\n":  # what may follow the last chunk
        pass
    return b"".join(parts)
