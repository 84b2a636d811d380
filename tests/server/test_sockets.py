"""Websockets whose peer stalls, floods or speaks nonsense."""

import contextlib
import signal
import time

import msgspec
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.server.conftest import Serving, everything, started_with

HANDSHAKE = (
    b"GET %b HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%b\r\n"
)


def socket_at(serving: Serving, path: str, **options) -> ClientConnection:
    return connect(f"ws://127.0.0.1:{serving.port}{path}", compression=None, **options)


def closed(one: ClientConnection) -> int:
    with pytest.raises(ConnectionClosed) as end:
        while True:
            one.recv(timeout=100)
    assert end.value.rcvd is not None
    return end.value.rcvd.code


def test_a_peer_that_stops_reading_is_cut_off() -> None:
    hasty = started_with("sockets.PING_SECONDS=0.5", "sockets.LINGER_SECONDS=0.5")
    with hasty as serving, serving.connect(receive_buffer=4096) as one:
        one.sendall(HANDSHAKE % (b"/flood", b""))
        serving.says("behind")
        serving.says("flood over")


def test_an_application_writes_and_closes_without_waiting(serving: Serving) -> None:
    """What the sockets of watchers are written by: without it each of them gets a queue and a task of its own."""
    with socket_at(serving, "/farewell") as one:
        assert len(one.recv(timeout=100)) == 32 * 1024
        assert closed(one) == 4408
    serving.says("heard 4408")


def test_a_peer_that_reads_slowly_is_told_why_it_is_sent_away() -> None:
    """The close frame is behind all that was written before.

    Who takes nothing for a while is cut off, and that is who this process was if it, or the server, was stopped
    meanwhile: then it tries again where that while is long.
    """
    farewell = b"\x88\x0a" + (4408).to_bytes(2, "big") + b"too slow"
    for linger_s in (0.5, 8.0, 20.0):
        told, seconds = read_slowly(linger_s)
        if told.endswith(farewell):
            break
    assert told.endswith(farewell)
    assert seconds > linger_s, "it did read slowly: longer than who reads nothing is waited for"


def read_slowly(linger_s: float) -> tuple[bytes, float]:
    """The last that came, and how long that took."""
    constants = (f"sockets.LINGER_SECONDS={linger_s}", f"sockets.FAREWELL_SECONDS={40 * linger_s}")
    with started_with(*constants) as serving, serving.connect(receive_buffer=4096) as one:
        one.sendall(HANDSHAKE % (b"/late", b""))
        serving.says("heard 4408")
        data, began = b"", time.monotonic()
        with contextlib.suppress(ConnectionError):
            while chunk := one.recv(4096):
                data = (data + chunk)[-32:]
                time.sleep(linger_s * 0.04)
    return data, time.monotonic() - began


def test_a_peer_that_vanished_is_noticed() -> None:
    """It reads nothing, answers no ping, and is not sent anything else."""
    with started_with("sockets.PING_SECONDS=0.5") as serving, serving.connect() as one:
        one.sendall(HANDSHAKE % (b"/", b""))
        serving.says("socket closed 1011")


def test_a_frame_too_large_is_told_so(serving: Serving) -> None:
    with socket_at(serving, "/live") as one:
        one.send("x" * 65536)
        assert len(one.recv(timeout=100)) == 65536
        with contextlib.suppress(ConnectionClosed):
            one.send("x" * 65537)
        assert closed(one) == 1009


def test_a_phone_may_send_larger_frames(serving: Serving) -> None:
    with socket_at(serving, "/driver/v1/ws", max_size=None) as one:
        one.send("x" * 1024 * 1024)
        assert len(one.recv(timeout=100)) == 1024 * 1024
        with contextlib.suppress(ConnectionClosed):
            one.send("x" * (4 * 1024 * 1024))
        assert closed(one) == 1009


def test_a_message_in_too_many_fragments_is_refused(serving: Serving) -> None:
    with socket_at(serving, "/") as one:
        with contextlib.suppress(ConnectionClosed):
            one.send("x" for _ in range(5000))
        assert closed(one) == 1009


def test_text_that_is_not_utf8_is_refused(serving: Serving) -> None:
    with socket_at(serving, "/") as one:
        one.send([b"\xc3", b"\xa4"], text=True)
        assert one.recv(timeout=100) == "\u00e4"
        one.send(b"\xff\xfe", text=True)
        assert closed(one) == 1007
    serving.stop()
    assert "Traceback" not in "\n".join(serving.seen)


@pytest.mark.parametrize(
    "headers", [b"X-Long: " + b"a" * 10_000 + b"\r\n", b"X: 1\r\n" * 200, b"Content-Length: x\r\n"]
)
def test_a_handshake_that_is_none_is_answered_and_closed(serving: Serving, headers: bytes) -> None:
    with serving.connect() as one:
        one.sendall(HANDSHAKE % (b"/", headers))
        assert everything(one).startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 431 "))


def test_the_more_a_restart_sends_away_the_longer_they_are_told_to_take_to_come_back() -> None:
    """Here they may be two a second."""
    with started_with("sockets.BACK_A_SECOND=2") as serving, contextlib.ExitStack() as open_:
        many = [open_.enter_context(socket_at(serving, "/")) for _ in range(40)]
        serving.process.terminate()
        hints = sorted(msgspec.json.decode(one.recv(timeout=100))["retryInMs"] for one in many)
        assert hints[0] >= 1000 and 5000 < hints[-1] <= 21_000, hints
        assert {closed(one) for one in many} == {1012}


def test_a_restart_lets_a_message_be_answered_and_tells_when_to_come_back() -> None:
    with contextlib.ExitStack() as open_:
        serving = open_.enter_context(started_with("run.ANSWER_SECONDS=100"))
        thinking = open_.enter_context(socket_at(serving, "/"))
        idle = open_.enter_context(socket_at(serving, "/", subprotocols=["codriver.v1.msgpack"]))
        thinking.send("think")
        serving.says("thinks")
        serving.process.terminate()
        drain = msgspec.json.decode(thinking.recv(timeout=100))
        assert drain["type"] == "drain" and 1000 <= drain["retryInMs"] <= 5000
        assert msgspec.msgpack.decode(idle.recv(timeout=100))["type"] == "drain"
        serving.process.send_signal(signal.SIGUSR1)  # now it knows what to answer
        assert thinking.recv(timeout=100) == "think"
        assert closed(thinking) == closed(idle) == 1012
        assert serving.process.wait(timeout=100) == 0
        serving.says("stopped in order")


def test_a_peer_that_stopped_reading_does_not_hold_up_the_end() -> None:
    hasty = started_with("sockets.LINGER_SECONDS=1", "run.DRAIN_SECONDS=2")
    with hasty as serving, serving.connect(receive_buffer=4096) as one:
        one.sendall(HANDSHAKE % (b"/flood", b""))
        serving.says("behind")
        code, seconds = serving.stop()
    assert code == 0 and seconds < 30
