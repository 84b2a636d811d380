"""Floods and garbage on each of the three websockets: a typed error or a close code of ours, and nothing lasting."""

import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.frames import Opcode

from tests.attacks.conftest import Doors
from tests.attacks.pinging import PING_SECONDS
from tests.attacks.wires import Heard, Vitals, frame, frames, pour, text, websocket
from tests.serving import Server

ALL = ("driver", "live", "recipient")
OURS = {1002, 1003, 1007, 1008, 1009, 1013, 4429}


@pytest.fixture(params=ALL)
def door(request: pytest.FixtureRequest, doors: Doors) -> tuple[str, str]:
    return doors.places[request.param]


GARBAGE = {
    "no JSON": text("{"),
    "an empty message": text(""),
    "binary": frame(Opcode.BINARY, os.urandom(100)),
    "an unknown type": text('{"type": "dance", "id": "a"}'),
    "no object": text("[1, 2]"),
    "a number": text("1e999"),
    "not a number": text('{"type": "positions", "positions": NaN}'),
    "deep JSON": text("[" * 30_000),
    "deep JSON in a known field": text('{"type": "subscribe", "id": ' + "[" * 30_000),
    "a NUL": text('{"type": "positions", "id": "\\u0000", "positions": []}'),
    "half a character": text('{"type": "subscribe", "id": "\\ud800"}'),
    "an endless id": text(json.dumps({"type": "subscribe", "id": "x" * 50_000})),
    "a long word": text(json.dumps({"type": "subscribe", "id": "a", "drivers": "y" * 50_000})),
}
BROKEN = {
    "invalid UTF-8": (text(b"\xff\xfe{}"), 1007),
    "invalid UTF-8 in fragments": (frame(Opcode.TEXT, b"\xc3", False) + frame(Opcode.CONT, b"("), 1007),
    "a reason that is too long": (
        bytes([0x88, 0xFE]) + (126).to_bytes(2) + b"\0\0\0\0" + b"\x03\xe8" + b"r" * 124,
        1002,
    ),
    "a close code that there is none": (frame(Opcode.CLOSE, (999).to_bytes(2)), 1002),
    "half a close code": (frame(Opcode.CLOSE, b"\x03"), 1002),
    "a frame without a mask": (b"\x81\x02{}", 1002),
    "bits that mean nothing": (b"\xf1\x82\0\0\0\0{}", 1002),
    "an opcode that means nothing": (b"\x83\x80\0\0\0\0", 1002),
    "a long ping": (bytes([0x89, 0xFE]) + (126).to_bytes(2) + b"\0\0\0\0" + b"p" * 126, 1002),
    "a fragment of nothing": (frame(Opcode.CONT, b"x"), 1002),
    "a message amid another": (frame(Opcode.TEXT, b"{", False) + text("{}"), 1002),
    "a message of 16 MB": (bytes([0x81, 0xFF]) + (16 << 20).to_bytes(8) + b"\0\0\0\0" + b"x" * 70_000, 1009),
    "a message of 2^63 bytes": (bytes([0x81, 0xFF]) + ((1 << 63) - 1).to_bytes(8) + b"\0\0\0\0", 1009),
}


def test_each_message_that_means_nothing_gets_an_error_and_the_socket_stays(
    server: Server, door: tuple[str, str]
) -> None:
    path, secret = door
    with websocket(server, path, secret) as one:
        for garbage in GARBAGE.values():
            one.sendall(garbage)
        one.sendall(text('{"type": "after all", "id": "b"}'))
        heard = Heard(one, until=lambda messages: len(_errors(messages)) > len(GARBAGE))
        errors = _errors(heard.messages)
        assert heard.code is None and len(errors) == len(GARBAGE) + 1, heard.messages
        assert all(each["code"].startswith("ERR_") and each["message"] for each in errors)


def _errors(messages: list[bytes]) -> list[dict[str, Any]]:
    return [each for each in map(msgspec.json.decode, messages) if each["type"] == "error"]


def test_what_breaks_the_protocol_is_closed_with_the_code_for_it(server: Server, door: tuple[str, str]) -> None:
    path, secret = door
    closed = {}
    for name, (sent, _) in BROKEN.items():
        with websocket(server, path, secret) as one:
            pour(one, [sent])
            closed[name] = Heard(one).code
    assert closed == {name: code for name, (_, code) in BROKEN.items()}


def test_tiny_messages_by_the_ten_thousand(server: Server, door: tuple[str, str], vitals: Vitals) -> None:
    path, secret = door
    with websocket(server, path, secret) as one:
        pour(one, [text("1") * 1000] * 20)
        heard = Heard(one)
        assert heard.code in OURS and len(heard.messages) < 4000
    vitals.check()


def test_a_million_empty_fragments(server: Server, door: tuple[str, str], vitals: Vitals) -> None:
    path, secret = door
    with websocket(server, path, secret) as one:
        pour(one, [frame(Opcode.TEXT, b"", False)] + [frame(Opcode.CONT, b"", False) * 10_000] * 100)
        assert Heard(one).code in (1008, 1009)
    vitals.check()


def test_pings_by_the_hundred_thousand(server: Server, door: tuple[str, str], vitals: Vitals) -> None:
    path, secret = door
    with websocket(server, path, secret) as one:
        pour(one, [frame(Opcode.PING, b"p" * 20) * 1000] * 100)
        assert Heard(one).code == 1008
    vitals.check()


def test_pings_whose_answers_are_not_read(server: Server, door: tuple[str, str], vitals: Vitals) -> None:
    path, secret = door
    with websocket(server, path, secret, receive_buffer=4096) as one:
        for _ in range(20):
            pour(one, [frame(Opcode.PING, b"p" * 125) * 100])
            time.sleep(0.05)
        vitals.check()


def test_pongs_that_nobody_asked_for(server: Server, door: tuple[str, str]) -> None:
    path, secret = door
    with websocket(server, path, secret) as one:
        pour(one, [frame(Opcode.PONG, b"p") * 100_000])
        assert Heard(one).code == 1008


def test_a_message_in_pieces_that_never_ends_is_given_up(tmp_path: Path) -> None:
    """Its own frames keep it from answering pings."""
    server = Server(tmp_path / "data", program="tests.attacks.pinging").start()
    try:
        token, began = server.account().driver("Ana").token, time.monotonic()
        with websocket(server, "/driver/v1/ws", token) as one:
            one.sendall(bytes([0x81, 0xFF]) + (60_000).to_bytes(8) + b"\0\0\0\0")
            one.settimeout(0.2)
            told = b""
            while Opcode.CLOSE not in [opcode for opcode, _ in frames(told)]:
                assert time.monotonic() < began + 100, "nothing ends it"
                with contextlib.suppress(TimeoutError, ConnectionError):
                    one.sendall(b"x")
                with contextlib.suppress(TimeoutError):
                    told += one.recv(4096)
        assert time.monotonic() - began > 2 * PING_SECONDS, "given up by the deadline of a ping, and not before"
    finally:
        server.kill()
