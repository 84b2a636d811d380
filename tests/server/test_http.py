"""Heads and bodies that never end, that trickle, or are too large."""

import contextlib
import socket
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.server.conftest import Serving, everything, started_with


@pytest.fixture
def hurried(serving: Serving) -> Iterator[socket.socket]:
    """A connection whose next heads and bodies have short deadlines, each from its first byte on: however long this
    process is stopped before that, it is still open."""
    with serving.connect() as one:
        one.sendall(b"GET /hurry HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        while not answer.endswith(b"hello"):
            answer += one.recv(1000)
        yield one


def test_a_head_that_never_ends_is_closed(hurried: socket.socket) -> None:
    hurried.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
    assert b" 408 " in everything(hurried).partition(b"\r\n")[0]


def test_a_head_that_trickles_has_the_same_deadline(hurried: socket.socket) -> None:
    hurried.sendall(b"GET / HTTP/1.1\r\n")
    hurried.settimeout(0.1)
    answer, deadline = b"", time.monotonic() + 60
    while not answer:
        assert time.monotonic() < deadline, "each piece gave it more time"
        with contextlib.suppress(ConnectionError):  # it has ended, and the answer is here
            hurried.sendall(b"X-More: 1\r\n")
        with contextlib.suppress(TimeoutError):
            answer = hurried.recv(1000)
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_connection_that_says_nothing_is_closed() -> None:
    with started_with("http.HEAD_SECONDS=0.4") as serving, serving.connect() as one:
        assert everything(one) == b""


def test_blank_lines_do_not_keep_a_connection(hurried: socket.socket) -> None:
    hurried.sendall(b"\r\n")
    assert everything(hurried) == b""


def test_one_endless_header_is_refused_early(serving: Serving) -> None:
    sent = 0
    with serving.connect() as one:
        one.sendall(b"GET / HTTP/1.1\r\nX-Long: ")
        try:
            while sent < 64 * 1024 * 1024:
                sent += one.send(b"a" * 65536)
        except ConnectionError:
            pass
        else:
            assert b" 431 " in everything(one).partition(b"\r\n")[0]
    assert httpx.get(serving.address).text == "hello"


def test_the_answer_to_too_many_headers_reaches_the_client(serving: Serving) -> None:
    with serving.connect() as one:
        one.sendall(b"GET / HTTP/1.1\r\n" + b"X-Header: 1234567890\r\n" * 8000)
        answer = everything(one)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b"application/problem+json" in answer and b"ERR_HEADERS_TOO_LARGE" in answer


def test_a_head_just_under_the_limit_is_fine(serving: Serving) -> None:
    assert httpx.get(serving.address, headers={"X-Long": "a" * 60_000}).text == "hello"


def test_an_address_may_hold_letters_as_they_are_typed(serving: Serving) -> None:
    with serving.connect() as one:
        for path in ("/Šibenik?q=Đuro", "/?q=李", "/plain", "/?q=%C5%A0 "):
            one.sendall(f"GET {path.strip()} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            answer = b""
            while not answer.endswith(b"hello"):
                answer += one.recv(1000)
            assert answer.startswith(b"HTTP/1.1 200 ")


def test_a_body_that_stalls_is_ended_and_the_application_told(serving: Serving, hurried: socket.socket) -> None:
    hurried.sendall(b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n123")
    assert everything(hurried).startswith(b"HTTP/1.1 408 ")
    serving.says("disconnected")


def test_a_slow_body_that_moves_may_take_longer() -> None:
    """What comes with the head brings it a minute beside the 0.6 s that any body has."""
    piece = b"a" * 16 * 1024
    with started_with("http.BODY_SECONDS=0.6", "http.BODY_BYTES_A_SECOND=273") as serving, serving.connect() as one:
        one.sendall(b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (2 * len(piece)) + piece)
        time.sleep(1.0)
        one.sendall(piece)
        answer = b""
        while not answer.endswith(b"\r\n\r\n32768") and (more := one.recv(1000)):
            answer += more
        assert answer.startswith(b"HTTP/1.1 200 ")


def test_a_body_of_framing_alone_is_refused(serving: Serving) -> None:
    with serving.connect() as one:
        one.sendall(b"POST /upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"1;" + b"e" * 15000 + b"\r\na\r\n"
        answer = b""
        try:
            for _ in range(1000):
                one.sendall(chunk)
        except ConnectionError:
            return
        answer = everything(one)
        assert answer.startswith(b"HTTP/1.1 400 ")


def test_what_is_not_http_gets_a_400(serving: Serving) -> None:
    with serving.connect() as one:
        one.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert everything(one).startswith(b"HTTP/1.1 400 ")


def test_rubbish_after_a_request_does_not_spoil_its_answer(serving: Serving) -> None:
    with serving.connect() as one:
        one.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n\x00\x00\x00\r\n\r\n")
        answer = everything(one)
    assert answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"done") and answer.count(b"HTTP/1.1") == 1


def test_pipelined_requests_with_large_bodies_are_all_answered(serving: Serving) -> None:
    body = b"b" * 100_000
    request = b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + body
    with serving.connect() as one:
        one.sendall(request * 3 + b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = everything(one)
    assert answer.count(b"200 OK") == 4 and answer.endswith(b"hello")


def test_the_server_does_not_name_its_make(serving: Serving) -> None:
    assert "server" not in httpx.get(serving.address).headers


def test_no_query_and_no_path_is_logged(serving: Serving) -> None:
    httpx.get(f"{serving.address}/slow?key=topsecret")
    with socket.create_connection(("127.0.0.1", serving.port)) as one:
        one.sendall(
            b"GET /echo?key=topsecret HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        assert b" 101 " in one.recv(1000)
    serving.says("socket closed")
    assert serving.stop()[0] == 0
    serving.says("stopped in order")
    assert "topsecret" not in "\n".join(serving.seen)
