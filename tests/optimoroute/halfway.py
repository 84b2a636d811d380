"""Requests that are sent as far as a test wants."""

import json
import select
import socket
from typing import Any

from tests.serving import Company

ASK = b'{"orders": [{"orderNo": "none"}]}'


class Wire:
    """One request on a connection of its own, sent as far as a test wants."""

    def __init__(
        self, company: Company, body: bytes = ASK, method: str = "get_orders", length: int | None = None
    ) -> None:
        self.rest = body
        self.socket = socket.create_connection(("127.0.0.1", company.server.port), timeout=40)
        head = f"POST /v1/{method}?key={company.key} HTTP/1.1\r\nHost: test\r\nContent-Length: {length or len(body)}"
        self.socket.sendall(f"{head}\r\n\r\n".encode())

    def send(self, count: int | None = None) -> None:
        now, self.rest = self.rest[:count], self.rest[len(self.rest) if count is None else count :]
        self.socket.sendall(now)

    def answer(self) -> dict[str, Any]:
        """The answer, which has to come whole; the connection stays open."""
        came = b""
        while b"\r\n\r\n" not in came:
            came += self._more()
        head, _, body = came.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        while len(body) < length:
            body += self._more()
        told: dict[str, Any] = json.loads(body)
        return told

    def answered(self) -> bool:
        return bool(select.select([self.socket], [], [], 0)[0])

    def close(self) -> None:
        self.socket.close()

    def _more(self) -> bytes:
        came = self.socket.recv(65536)
        assert came, "the server closed the connection"
        return came
