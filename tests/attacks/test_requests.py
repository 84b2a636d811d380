"""Requests on whose end two readers could differ, that ask for another protocol, or follow one another without end."""

import json
import re
import socket

import pytest

from tests.attacks.wires import Vitals, connect, pour
from tests.serving import Phone, Server

BODY = json.dumps({"positions": [{"timestamp": 1_772_000_000, "latitude": 1, "longitude": 2}]}).encode()
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
LAST = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
UPGRADE = (
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\n"


def post(fields: bytes, body: bytes = BODY, path: bytes = b"/driver/v1/positions") -> bytes:
    return b"POST %b HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer TOKEN\r\n%b\r\n%b" % (path, fields, body)


def get(fields: bytes = b"Host: x\r\n", path: bytes = b"/healthz") -> bytes:
    return b"GET %b HTTP/1.1\r\n%b\r\n" % (path, fields)


CHUNKED = b"Transfer-Encoding: chunked\r\n"
REFUSED = {
    "a length and chunks": post(b"Content-Length: 4\r\n" + CHUNKED, b"0\r\n\r\n"),
    "chunks and a length": post(CHUNKED + b"Content-Length: 4\r\n", b"0\r\n\r\n"),
    "chunks, and then not": post(CHUNKED + b"Transfer-Encoding: identity\r\n", b"0\r\n\r\n"),
    "chunks in another list": post(b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n"),
    "chunks by another name": post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n"),
    "chunks with a space": post(b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n"),
    "chunks on the next line": post(b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n"),
    "two lengths": post(b"Content-Length: 4\r\nContent-Length: 5\r\n", b"abcd"),
    "the same length twice": post(LENGTH * 2),
    "a negative length": post(b"Content-Length: -1\r\n"),
    "a length of 23 digits": post(b"Content-Length: 99999999999999999999999\r\n"),
    "a length in hexadecimal": post(b"Content-Length: 0x10\r\n"),
    "an endless chunk": post(CHUNKED, b"FFFFFFFFFFFFFFFFFF\r\n"),
    "a negative chunk": post(CHUNKED, b"-1\r\n"),
    "a prefixed chunk": post(CHUNKED, b"0x5\r\nhello\r\n0\r\n\r\n"),
    "lines without CR": post(CHUNKED, b"5\nhello\n0\n\n"),
    "a chunk that goes on": post(CHUNKED, b"5\r\nhelloXX0\r\n\r\n"),
    "an extension over two lines": post(CHUNKED, b"5;a\nb\r\nhello\r\n0\r\n\r\n"),
    "an extension of a megabyte": post(CHUNKED, b"5;" + b"a" * 1_000_000 + b"\r\nhello\r\n0\r\n\r\n"),
    "chunks of a byte": post(CHUNKED, b"1\r\na\r\n" * 100_000 + b"0\r\n\r\n"),
    "a lonely CR": get(b"Host: x\r\nX: a\rb\r\n"),
    "a NUL": get(b"Host: x\r\nX: a\0b\r\n"),
    "two hosts": get(b"Host: x\r\nHost: y\r\n"),
    "a tunnel": b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
    "no path": get(path=b"healthz"),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 500,
    "a proxy's protocol": b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
    "a websocket by POST": post(UPGRADE + LENGTH),
    "a websocket with a body": get(b"Host: x\r\nContent-Length: 5\r\n" + UPGRADE, b"/driver/v1/ws") + b"hello",
    "a websocket with chunks": get(b"Host: x\r\n" + CHUNKED + UPGRADE, b"/driver/v1/ws") + b"0\r\n\r\n",
}
ANSWERED = {
    "an address with its host": (get(path=b"http://x/healthz"), ["200"]),
    "a body that nobody expects": (get(b"Host: x\r\nContent-Length: 5\r\n") + b"hello", ["200"]),
    "chunks": (post(CHUNKED, b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)), ["200"]),
    "9,000 short headers": (get(b"Host: x\r\n" + b"a:b\r\n" * 9000), ["200"]),
    "30,000 fields": (get(path=b"/healthz?" + b"a&" * 30_000), ["200"]),
    "a long address": (get(path=b"/" + b"a" * 60_000), ["404"]),
    "a length that is too long": (post(b"Content-Length: 10485761\r\n", b""), ["413"]),
    "HTTP/2 on the same connection": (get(b"Host: x\r\n" + H2C), ["200"]),
    "HTTP/2 for a body": (post(H2C + LENGTH), ["200"]),
    "a length that is too long for actions": (
        post(b"Content-Length: 10485761\r\n", b"", b"/driver/v1/actions"),
        ["413"],
    ),
}
FINAL = {
    "a body that waits to be asked for": (post(b"Expect: 100-continue\r\n" + LENGTH), ["100", "200"]),
    "one that is refused before": (
        post(b"Expect: 100-continue\r\n" + LENGTH).replace(b"TOKEN", b"nobody's"),
        ["401"],
    ),
    "a websocket behind a request": (post(LENGTH) + get(b"Host: x\r\n" + UPGRADE, b"/live"), ["200"]),
    "another protocol": (get(b"Host: x\r\nUpgrade: x\r\nConnection: Upgrade\r\n") + LAST, ["200", "200"]),
    "headers without end": (get(b"Host: x\r\n" + b"a:b\r\n" * 14_000), ["431"]),
    "trailers without end": (post(CHUNKED, b"0\r\n" + b"X: y\r\n" * 160_000 + b"\r\n"), ["431"]),
    "an address without end": (get(path=b"/" + b"a" * 70_000), ["431"]),
    "blank lines without end": (b"\r\n" * 500_000 + LAST, ["431"]),
}


def answers(server: Server, phone: Phone, data: bytes, half: bool = False) -> list[str]:
    """The statuses until the server ends the connection."""
    with connect(server) as one:
        pour(one, [data.replace(b"TOKEN", phone.token.encode())])
        if half:
            one.shutdown(socket.SHUT_WR)
        told = b""
        while piece := one.recv(1 << 20):
            told += piece
    return re.findall(r"HTTP/1\.1 (\d{3}) ", told.decode(errors="replace"))


def test_a_request_of_doubtful_form_is_refused_and_nothing_behind_it_is_read(
    server: Server, phone: Phone, vitals: Vitals
) -> None:
    told = {name: answers(server, phone, data + LAST) for name, data in REFUSED.items()}
    assert told == {name: ["400"] for name in REFUSED}
    vitals.check()


def test_an_odd_request_is_answered_and_so_is_the_one_behind_it(server: Server, phone: Phone) -> None:
    for name, (data, statuses) in ANSWERED.items():
        body = b"" if b"10485761" not in data else b"x" * 10_485_761
        assert answers(server, phone, data + body + LAST) == [*statuses, "200"], name


def test_where_nobody_knows_what_comes_next_the_connection_ends(server: Server, phone: Phone) -> None:
    told = {name: answers(server, phone, data) for name, (data, _) in FINAL.items()}
    assert told == {name: statuses for name, (_, statuses) in FINAL.items()}


@pytest.mark.parametrize("data", [get(), post(LENGTH), post(LENGTH) * 3], ids=["asks", "sends", "sends three"])
def test_who_closes_its_own_side_is_answered(server: Server, phone: Phone, data: bytes) -> None:
    assert answers(server, phone, data, half=True) == ["200"] * data.count(b"HTTP/1.1")


def test_requests_behind_one_another_are_answered_in_order_up_to_a_hundred(server: Server, phone: Phone) -> None:
    behind = b"".join(post(LENGTH) + get(path=b"/nothing") for _ in range(25)) + LAST
    assert answers(server, phone, behind) == ["200", "404"] * 25 + ["200"]


@pytest.mark.parametrize("path", [b"/healthz", b"/schema/openapi.json"])
def test_a_hundred_thousand_requests_behind_one_another_whose_answers_nobody_reads(
    server: Server, vitals: Vitals, path: bytes
) -> None:
    with connect(server, receive_buffer=4096) as one:
        pour(one, [get(path=path) * 1000] * 100)
        vitals.check(grown_mb=20)
