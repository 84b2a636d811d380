"""What attackers have: bytes on a connection, and what came back."""

import contextlib
import os
import resource
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import httpx
from websockets.frames import Frame, Opcode

from tests.serving import Server, eventually

PATIENCE_S = 100.0


class Vitals:
    """How the server is before something is done to it, to be compared with afterwards."""

    def __init__(self, server: Server) -> None:
        self.server = server
        assert server.process is not None
        self.process = server.process
        self.sockets = self.count_sockets()
        self.resident_mb = self.measure_mb()

    def count_sockets(self) -> int:
        """Open ones. Of other files it has more as it needs them, and no attack brings any."""
        folder, count = f"/proc/{self.process.pid}/fd", 0
        for name in os.listdir(folder):
            with contextlib.suppress(OSError):
                count += os.readlink(f"{folder}/{name}").startswith("socket:")
        return count

    def is_rid_of_all(self) -> bool:
        return self.count_sockets() <= self.sockets + 3

    def measure_mb(self) -> float:
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def check(self, grown_mb: float = 40.0) -> None:
        """It lives, says so, holds nothing of what came, and called none of it a bug."""
        assert self.process.poll() is None, self.server.tail()
        assert httpx.get(f"{self.server.url}/healthz", timeout=PATIENCE_S).status_code == 200
        assert httpx.get(f"{self.server.url}/readyz", timeout=PATIENCE_S).status_code == 200
        eventually(self.is_rid_of_all, within_s=PATIENCE_S, what=f"no more than {self.sockets} open sockets")
        assert self.measure_mb() <= self.resident_mb + grown_mb, (self.resident_mb, self.measure_mb())
        told = self.server.log.read_text(errors="replace")
        for word in ("bug in", "Traceback", "Fatal error", "could not be served", "Exception in"):
            assert word not in told, told[max(0, told.index(word) - 2000) :][:4000]


def allow_many_files() -> None:
    """A test with a thousand connections needs as many files."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def connect(server: Server, receive_buffer: int | None = None) -> socket.socket:
    one = socket.socket()
    if receive_buffer is not None:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    one.settimeout(PATIENCE_S)
    one.connect(("127.0.0.1", server.port))
    return one


def handshake(path: str, secret: str = "", more: bytes = b"") -> bytes:
    signed = f"Authorization: Bearer {secret}\r\n".encode() if secret else b""
    return (
        b"GET %b HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%b%b\r\n" % (path.encode(), signed, more)
    )


def websocket(server: Server, path: str, secret: str, receive_buffer: int | None = None) -> socket.socket:
    """Open, and nothing of what it is told is read yet."""
    one = connect(server, receive_buffer)
    one.sendall(handshake(path, secret))
    opened(one)
    return one


def opened(one: socket.socket) -> None:
    """Read the answer to a handshake, and nothing behind it."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += (piece := one.recv(1))
        assert piece, head
    assert head.startswith(b"HTTP/1.1 101 "), head


def text(content: str | bytes, fin: bool = True) -> bytes:
    return frame(Opcode.TEXT, content.encode() if isinstance(content, str) else content, fin)


def frame(opcode: Opcode, data: bytes = b"", fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=True)


def pour(one: socket.socket, pieces: Iterable[bytes]) -> None:
    """Send all, or until the server no longer wants it."""
    with contextlib.suppress(OSError):
        for piece in pieces:
            one.sendall(piece)


class Heard:
    """What a websocket was told: messages, and the code it was closed with; 1006 where it was just cut off."""

    def __init__(self, one: socket.socket, until: Callable[[list[bytes]], bool] = lambda messages: False) -> None:
        """Until the server ends, or the messages are those that are waited for."""
        self.messages: list[bytes] = []
        self.code: int | None = None
        self._data = b""
        one.settimeout(PATIENCE_S)
        deadline = time.monotonic() + 2 * PATIENCE_S
        with contextlib.suppress(ConnectionError):
            while piece := one.recv(1 << 20):
                self._data += piece
                assert time.monotonic() < deadline
                self.code = self._read()
                if until(self.messages):
                    return
        self.code = self._read() or 1006

    def _read(self) -> int | None:
        self.messages = []
        for opcode, content in frames(self._data):
            if opcode == Opcode.CLOSE:
                return int.from_bytes(content[:2]) or 1005
            if opcode in (Opcode.TEXT, Opcode.BINARY):
                self.messages.append(content)
        return None


def frames(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Those that are whole, of what a server sent."""
    at = 0
    while at + 2 <= len(data):
        opcode, length = data[at] & 15, data[at + 1] & 127
        at += 2
        if length > 125:
            size = 2 if length == 126 else 8
            length, at = int.from_bytes(data[at : at + size]), at + size
        if at + length > len(data):
            return
        yield opcode, data[at : at + length]
        at += length


def next_message(one: socket.socket) -> bytes:
    """The next one, whatever pings come before it; what comes with it is lost."""
    data = b""
    while True:
        for opcode, content in frames(data):
            assert opcode != Opcode.CLOSE, content
            if opcode in (Opcode.TEXT, Opcode.BINARY):
                return content
        data += (piece := one.recv(65536))
        assert piece, data
