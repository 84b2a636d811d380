"""More than can be done: refused at once, before the body, for nearly nothing; what was let in is answered."""

import contextlib
import re
import select
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest

from tests.attacks.wires import text
from tests.server.conftest import Serving, everything, started
from tests.server.gated import FILES, MOST
from tests.serving import eventually

HEAD = b"POST /let-in HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%b\r\n"
WHOLE = HEAD % (2, b"") + b"{}"
COUNT = b"GET /count HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def gated() -> Iterator[Serving]:
    with started("tests.server.gated") as one:
        yield one


def counts(gated: Serving) -> dict[str, int]:
    names = ("under_way", "refused", "held", "holders")  # and how many of the busy turns are left, and the body's size
    text = eventually(lambda: asked(gated))
    return dict(zip(names, map(int, text.split()), strict=False))


def asked(gated: Serving) -> str:
    """Nothing where the connection ended before the head was sent: in one of the tests it may soon."""
    with contextlib.suppress(httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
        return httpx.get(f"{gated.address}/count").text
    return ""


def sent(gated: Serving, heard: Callable[[], bool], before: bytes = b"") -> socket.socket:
    """A connection over which a request was sent that the server has; ``before`` that this one was answered."""
    while True:
        one = gated.connect()
        with contextlib.suppress(ConnectionError):
            if before:
                one.sendall(before)
                answer(one)
            one.sendall(WHOLE)
            eventually(lambda one=one: heard() or select.select([one], [], [], 0)[0])
            if heard():
                return one
        one.close()  # this process was stopped for longer than a connection may be silent


@pytest.fixture
def full(gated: Serving) -> Iterator[list[socket.socket]]:
    with filled(gated) as let_in:
        yield let_in


@contextlib.contextmanager
def filled(gated: Serving) -> Iterator[list[socket.socket]]:
    """As many requests as are let in, unanswered."""
    with ExitStack() as open_:
        yield [
            open_.enter_context(sent(gated, lambda most=most: counts(gated)["under_way"] == most))
            for most in range(1, MOST + 1)
        ]


def answer(one: socket.socket) -> bytes:
    """One whole answer of a connection that stays."""
    [told] = answers(one, 1)
    return told


def answers(one: socket.socket, count: int) -> list[bytes]:
    """So many whole answers of a connection that stays, and no more than those."""
    told, data = [], b""
    while len(told) < count:
        head, end, body = data.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]) if end else 0
        if end and len(body) >= length:
            told.append(head + end + body[:length])
            data = body[length:]
        elif chunk := one.recv(65536):
            data += chunk
        else:
            raise ConnectionError(data)
    assert not data, "the beginning of another answer"
    return told


def refused(told: bytes) -> bool:
    head, _, body = told.partition(b"\r\n\r\n")
    retry = int(head.lower().partition(b"\r\nretry-after: ")[2].partition(b"\r")[0] or 0)
    return told.startswith(b"HTTP/1.1 503 ") and 1 <= retry <= 5 and b'"code":"ERR_OVERLOADED"' in body


def test_who_comes_beyond_the_limit_is_told_when_to_come_back(gated: Serving, full: list[socket.socket]) -> None:
    with gated.connect() as late:
        for _ in range(5):
            late.sendall(WHOLE)
            assert refused(answer(late))
    assert counts(gated) == {"under_way": MOST, "refused": 5, "held": 0, "holders": 0}
    told = 0
    while told < 5:
        told += int(re.findall(r"turned (\d+) requests away", gated.says("requests away"))[0])
    assert told == 5
    httpx.get(f"{gated.address}/open")
    for one in full:
        assert answer(one).startswith(b"HTTP/1.1 200 ")
    assert counts(gated)["under_way"] == 0
    with gated.connect() as later:
        later.sendall(WHOLE)
        assert answer(later).startswith(b"HTTP/1.1 200 ")


@contextlib.contextmanager
def resting(rest_s: float, *constants: str, before: bytes = b"") -> Iterator[tuple[Serving, socket.socket]]:
    """A server that is full, and a connection that it turned away and has not told so; ``before`` that it asked so."""
    with ExitStack() as open_:
        gated = open_.enter_context(started("tests.server.gated", str(rest_s), *constants))
        open_.enter_context(filled(gated))
        yield gated, open_.enter_context(sent(gated, lambda: counts(gated)["refused"] == 1, before))


def test_who_was_turned_away_is_not_read_until_it_is_answered_and_is_answered_before_the_end() -> None:
    """What it sends meanwhile costs nothing."""
    with resting(3600) as (gated, one):
        one.sendall(WHOLE * 100)
        with gated.connect() as other:
            for _ in range(20):
                other.sendall(COUNT)
                assert answer(other).split()[-5] == b"1", "refused"
        code, _ = gated.stop()
        assert code == 0
        assert refused(answer(one))


@pytest.mark.parametrize("before", [b"", COUNT], ids=["for the head", "between two requests"])
def test_no_deadline_ends_who_rests(before: bytes) -> None:
    """Each is 1 s here."""
    with resting(1.5, "http.HEAD_SECONDS=1", "run.KEEP_ALIVE_SECONDS=1", before=before) as (_, one):
        assert refused(answer(one))


def test_who_sends_on_in_the_same_breath_is_answered_in_turn_and_rests_later() -> None:
    with resting(3600) as (gated, _), gated.connect() as hasty:
        for turn in (1, 2):
            hasty.sendall(WHOLE * 2 + COUNT)
            first, second, count = answers(hasty, 3)
            assert refused(first) and refused(second) and count.startswith(b"HTTP/1.1 200 ")
            assert counts(gated)["refused"] == 1 + 2 * turn
        hasty.sendall(WHOLE)
        eventually(lambda: counts(gated)["refused"] == 6)
        hasty.sendall(WHOLE)
        assert gated.stop()[0] == 0
        assert refused(answer(hasty)), "to the first; the second was not read"
        with contextlib.suppress(ConnectionError):
            assert hasty.recv(1) == b""


def test_a_websocket_behind_a_request_that_was_turned_away_is_read() -> None:
    upgrade = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    upgrade = b"GET /ws HTTP/1.1\r\nHost: x\r\n%bSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" % upgrade
    with resting(3600) as (gated, _), gated.connect() as one:
        one.sendall(WHOLE + upgrade)
        told = b""
        while b" 101 " not in told or not told.endswith(b"\r\n\r\n"):
            told += one.recv(65536)
        assert told.index(b" 503 ") < told.index(b" 101 ")
        one.sendall(text("heard"))
        assert one.recv(100).endswith(b"heard")


@pytest.mark.usefixtures("full")
@pytest.mark.parametrize(
    "begun",
    [
        pytest.param(HEAD % (1000, b""), id="a short body"),
        pytest.param(HEAD % (100_000_000, b""), id="a long body"),
        pytest.param(HEAD % (1000, b"Expect: 100-continue\r\n"), id="a body that waits to be asked for"),
        pytest.param(HEAD % (1000, b"Connection: close\r\n"), id="the last request"),
        pytest.param(b"POST /let-in HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", id="chunks"),
    ],
)
def test_the_answer_comes_before_the_body(gated: Serving, begun: bytes) -> None:
    """The body never comes."""
    with gated.connect() as one:
        one.sendall(begun)
        assert refused(answer(one))


@pytest.mark.usefixtures("full")
def test_a_connection_goes_on_behind_a_body_that_is_dropped(gated: Serving) -> None:
    with gated.connect() as one:
        one.sendall(HEAD % (100_000, b"") + b"a")
        assert refused(answer(one))
        one.sendall(b"b" * 99_999 + b"GET /count HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer(one).startswith(b"HTTP/1.1 200 ")


@pytest.mark.usefixtures("full")
def test_who_asked_before_sending_is_not_read_any_further(gated: Serving) -> None:
    """It may send the body or not, so that nobody knows where the next request begins."""
    with gated.connect() as one:
        one.sendall(HEAD % (30, b"Expect: 100-continue\r\n"))
        one.sendall(b"GET /count HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
        told = everything(one)
        assert refused(told) and told.count(b"HTTP/1.1 ") == 1 and b"connection: close" in told


@pytest.mark.usefixtures("full")
@pytest.mark.parametrize(
    "doubtful",
    [
        b"Content-Length: 2\r\nContent-Length: 3\r\n",
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: 2, 3\r\n",
        b"Content-Length: +2\r\n",
        b"Content-Length : 2\r\n",
        b"Content-Length: 2\r\nX: \ny: 1\r\n",
        b"X: 1\r\n Content-Length: 2\r\n",
    ],
)
def test_a_body_of_doubtful_length_ends_the_connection(gated: Serving, doubtful: bytes) -> None:
    """Whoever stands in front might see another request begin than we do."""
    with gated.connect() as one:
        one.sendall(b"POST /let-in HTTP/1.1\r\nHost: x\r\n%b\r\n{}" % doubtful)
        with contextlib.suppress(ConnectionError):
            told = everything(one)
            assert told.count(b"HTTP/1.1 ") <= 1 and b" 200 " not in told


@pytest.mark.usefixtures("full")
def test_requests_behind_one_another_are_refused_in_turn_and_cost_nothing_if_nobody_reads(gated: Serving) -> None:
    with gated.connect(receive_buffer=4096) as one:
        one.sendall(WHOLE * 20 + b"GET /count HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        told = everything(one)
        assert told.count(b" 503 ") == 20 and told.count(b" 200 ") == 1
    with gated.connect(receive_buffer=4096) as one, contextlib.suppress(ConnectionError):
        for _ in range(20_000):
            one.sendall(WHOLE * 50)
        raise AssertionError("a million answers were kept for a client that reads none")


def test_what_arrives_in_part_is_held_up_to_a_limit_and_who_holds_most_ends(gated: Serving) -> None:
    """Of 1 MiB: 40 phones with 64 KiB each have to go in part, one that sends little stays."""
    with ExitStack() as open_:
        small = open_.enter_context(gated.connect())
        small.sendall(b"POST /any HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n\r\n" + b"s" * 1000)
        eventually(lambda: counts(gated)["held"] == 1000)
        large = [open_.enter_context(gated.connect()) for _ in range(40)]
        for one in large:
            one.sendall(b"POST /any HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n" + b"l" * 65536)
        told: dict[socket.socket, bytes] = {}

        def settled() -> bool:
            """Each of them is held whole, or has ended."""
            for one in select.select([one for one in large if one not in told], [], [], 0)[0]:
                told[one] = answer(one)
            now = counts(gated)
            return now["held"] - 1000 == 65536 * (now["holders"] - 1) == 65536 * (len(large) - len(told))

        eventually(settled)
        assert counts(gated)["held"] <= 1024 * 1024
        assert told and all(refused(each) for each in told.values())
        small.sendall(b"s" * 1000)
        assert answer(small).endswith(b" 2000")
    eventually(lambda: (counts(gated)["held"], counts(gated)["holders"]) == (0, 0))


def test_what_goes_to_the_disk_as_it_comes_is_not_held(gated: Serving) -> None:
    with ExitStack() as open_:
        for _ in range(40):
            one = open_.enter_context(gated.connect())
            one.sendall(b"POST /streamed/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n" + b"l" * 65536)
        assert counts(gated)["held"] == 0


def test_bodies_that_trickle_keep_nobody_out(gated: Serving) -> None:
    """They are let in, count from when they are whole, and until then there is room for others."""
    httpx.get(f"{gated.address}/open")
    with ExitStack() as open_:
        slow = [open_.enter_context(gated.connect()) for _ in range(3 * MOST)]
        for one in slow:
            one.sendall(HEAD % (4, b"") + b"a")
        with gated.connect() as quick:
            quick.sendall(WHOLE)
            assert answer(quick).startswith(b"HTTP/1.1 200 ")
        gone = slow.pop()
        gone.close()
        for one in slow:
            one.sendall(b"b")
        assert counts(gated)["under_way"] == 0
        for one in slow:
            one.sendall(b"cd")
        for one in slow:
            told = answer(one)
            assert told.startswith(b"HTTP/1.1 200 ")
            assert told.endswith(b" 4")
            assert int(told.split()[-6]) >= 1, "it counts by now"
    eventually(lambda: counts(gated) == {"under_way": 0, "refused": 0, "held": 0, "holders": 0})


def test_a_body_that_comes_behind_its_answer_is_not_counted(gated: Serving) -> None:
    httpx.get(f"{gated.address}/open")
    with gated.connect() as one:
        one.sendall(b"POST /let-in?early HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab")
        assert answer(one).startswith(b"HTTP/1.1 200 ")
        one.sendall(b"c")
        one.sendall(b"d")
        one.sendall(WHOLE)
        assert answer(one).startswith(b"HTTP/1.1 200 ")
    assert counts(gated)["under_way"] == 0


def test_idle_connections_give_way_where_files_run_out(gated: Serving) -> None:
    """More of them than the process may open: whoever has something to ask is answered, also who is amid a request."""
    with ExitStack() as open_:
        amid = open_.enter_context(gated.connect())
        amid.sendall(b"POST /any HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab")
        eventually(lambda: counts(gated)["held"] == 2)  # before that it is idle too
        idle = [open_.enter_context(gated.connect()) for _ in range(3 * FILES)]
        assert counts(gated)["under_way"] == 0
        amid.sendall(b"cd")
        assert answer(amid).endswith(b" 4")
        assert len(idle) == 3 * FILES
    assert counts(gated)["under_way"] == 0


def test_a_storm_of_connections_is_taken_in_within_a_few_turns(gated: Serving) -> None:
    """The loop's own way is one in a turn. They come at once: the server is held until all are there."""
    httpx.get(f"{gated.address}/busy")
    with ExitStack() as open_:
        gated.process.send_signal(signal.SIGSTOP)
        storm = [open_.enter_context(gated.connect()) for _ in range(150)]
        for one in storm:
            one.sendall(b"GET /count HTTP/1.1\r\nHost: x\r\n\r\n")
        gated.process.send_signal(signal.SIGCONT)
        left = [int(answer(one).split()[-2]) for one in storm]
        assert max(left) - min(left) < 30, "one is taken in in each turn"
