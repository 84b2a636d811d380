"""Whatever bytes arrive, the server goes on, and nothing in it breaks."""

import contextlib
import random
import socket

import httpx
from websockets.frames import Frame, Opcode

from tests.server.conftest import Serving
from tests.server.test_sockets import HANDSHAKE

STARTS = (
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n0123456789",
    b"POST /upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nTrailer: 1\r\n\r\n",
    b"POST /upload HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
    HANDSHAKE % (b"/a%20b?c=d", b""),
    HANDSHAKE % (b"/flood", b""),
)
FRAMES = tuple(
    Frame(opcode, data, fin).serialize(mask=True)
    for opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT, Opcode.PING, Opcode.PONG, Opcode.CLOSE)
    for data in (b"", b"\x03\xe8bye", b"x" * 120)
    for fin in (True, False)
    if fin or opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)
)


def spoilt(rng: random.Random) -> bytes:
    """A sensible beginning with some bytes changed, cut or doubled."""
    data = bytearray(rng.choice(STARTS) * rng.choice((1, 1, 3)))
    for frame in rng.choices(FRAMES, k=rng.randrange(5)):
        data += frame
    for _ in range(rng.choice((0, 1, 2, 5))):
        at = rng.randrange(len(data))
        match rng.randrange(4):
            case 0:
                data[at] = rng.randrange(256)
            case 1:
                del data[at : at + rng.randrange(8)]
            case 2:
                data[at:at] = data[at : at + rng.randrange(40)]
            case 3:
                data[at:at] = rng.choice((b"\r\n", b"\x00", b"\xff\xfe", b":", b" ", b"%", b"\r\n\r\n"))
    return bytes(data)


def test_no_bytes_break_the_server(serving: Serving, rng: random.Random) -> None:
    for _ in range(300):
        with contextlib.suppress(ConnectionError), socket.create_connection(("127.0.0.1", serving.port)) as one:
            data = spoilt(rng)
            cut = rng.randrange(len(data) + 1)
            one.sendall(data[:cut])
            one.sendall(data[cut:])
            if rng.random() < 0.7:
                one.settimeout(0.02)
                with contextlib.suppress(TimeoutError):
                    answer = one.recv(4096)
                    assert not answer.startswith(b"HTTP/1.1 5"), (data, answer)
    assert httpx.get(serving.address).text == "hello"
    assert serving.stop()[0] == 0
    serving.says("stopped in order")
    told = "\n".join(serving.seen)
    assert "Traceback" not in told and "Fatal error" not in told, told
