"""A phone's own HTTP against a server that says what it is told to, in any pieces."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from simulator.line import Answer, Line

HELLO = b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: "x"\r\n\r\nhello'


END = b"(hang up)"


class Peer:
    """Answers each request with the next of its answers, in pieces of so many bytes; hangs up where one says so."""

    def __init__(self, *answers: bytes, piece: int = 10_000, hold: bool = False) -> None:
        self.answers, self.piece, self.hold = list(answers), piece, hold
        self.requests: list[bytes] = []
        self.connections = 0
        self.go = asyncio.Event()

    @asynccontextmanager
    async def line(self, most: int | None = None) -> AsyncIterator[Line]:
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        line = Line(f"http://localhost:{server.sockets[0].getsockname()[1]}/under", most=most)
        try:
            async with asyncio.timeout(120):
                yield line
        finally:
            await line.aclose()
            server.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                self.requests.append(head + await reader.readexactly(int(length or 0)))
                if self.hold:
                    await self.go.wait()
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                said = answer.removesuffix(END)
                for begin in range(0, len(said), self.piece):
                    writer.write(said[begin : begin + self.piece])
                    await writer.drain()
                    await asyncio.sleep(0)
                if answer.endswith(END):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def ask(line: Line, method: str = "POST", content: bytes = b"{}") -> Answer:
    return await line.request(method, "/a?b=1", headers={"Authorization": "Bearer t"}, content=content)


CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nTrailer: z\r\n\r\n"


@pytest.mark.parametrize("piece", [1, 3, 10_000])
@pytest.mark.parametrize("answer", [HELLO, CHUNKED, b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + HELLO])
async def test_answers_are_read_in_whatever_pieces_they_come_and_the_connection_is_kept(answer: bytes, piece: int):
    peer = Peer(answer, piece=piece)
    async with peer.line() as line:
        for _ in range(3):
            told = await ask(line)
            assert (told.status_code, told.content) == (200, b"hello") and told.is_success
    assert peer.connections == 1
    assert peer.requests[0].startswith(b"POST /under/a?b=1 HTTP/1.1\r\nhost: localhost:")
    assert peer.requests[0].endswith(b"authorization: Bearer t\r\ncontent-length: 2\r\n\r\n{}")


async def test_headers_have_their_names_in_lower_case():
    async with Peer(HELLO).line() as line:
        assert (await ask(line)).headers == {"content-length": "5", "etag": '"x"'}


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\n\r\nhello" + END,
    ],
)
async def test_a_connection_that_is_to_end_is_not_used_again(answer: bytes):
    peer = Peer(answer)
    async with peer.line() as line:
        for _ in range(2):
            assert (await ask(line)).content == b"hello"
    assert peer.connections == 2


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"]
)
async def test_answers_without_content_end_with_their_head(answer: bytes):
    async with Peer(answer).line() as line:
        assert (await ask(line, "GET", b"")).content == b""


@pytest.mark.parametrize(
    "answer",
    [
        END,
        HELLO[:-2] + END,
        HELLO[:20] + END,
        CHUNKED[:-3] + END,
        b"a line of some other protocol\r\n\r\n",
        b"x" * 70_000,
    ],
)
async def test_what_breaks_off_or_is_none_is_an_error_and_the_next_request_has_another_connection(answer: bytes):
    peer = Peer(answer, HELLO)
    async with peer.line() as line:
        with pytest.raises(OSError):
            await ask(line)
        assert (await ask(line)).content == b"hello"
    assert peer.connections == 2


async def test_what_nobody_asked_for_is_not_taken_for_the_next_answer():
    twice = HELLO + b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nworld"
    peer = Peer(twice, HELLO)
    async with peer.line() as line:
        assert [(await ask(line)).content for _ in range(2)] == [b"hello", b"hello"]
    assert peer.connections == 2


async def test_there_are_no_more_connections_than_allowed_and_those_who_wait_get_one():
    peer = Peer(HELLO, hold=True)
    async with peer.line(most=2) as line:
        asking = [asyncio.create_task(ask(line)) for _ in range(6)]
        while len(peer.requests) < 2:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        assert peer.connections == 2 == len(peer.requests)
        peer.go.set()
        assert [(await each).content for each in asking] == [b"hello"] * 6
    assert peer.connections == 2


async def test_whoever_waits_for_an_answer_hears_that_the_line_was_dropped():
    peer = Peer(HELLO, hold=True)
    async with peer.line() as line:
        asking = asyncio.create_task(ask(line))
        while not peer.requests:
            await asyncio.sleep(0.01)
        await line.aclose()
        with pytest.raises(OSError):
            await asking


async def test_where_nobody_listens_it_is_an_error():
    with pytest.raises(OSError):
        await ask(Line("http://127.0.0.1:9"))


class Reset:
    """What is left of a connection that the server reset as soon as it was made."""

    def get_extra_info(self, name: str) -> None:
        return None

    def is_closing(self) -> bool:
        return True

    def abort(self) -> None: ...


async def test_a_connection_that_is_reset_as_soon_as_it_is_made_is_an_error(monkeypatch: pytest.MonkeyPatch):
    loop = asyncio.get_running_loop()
    connect = loop.create_connection

    async def reset(*arguments: Any, **options: Any) -> Any:
        transport, connection = await connect(*arguments, **options)
        transport.abort()
        connection.transport = Reset()
        return transport, connection

    async with Peer(HELLO).line() as line:
        monkeypatch.setattr(loop, "create_connection", reset)
        with pytest.raises(ConnectionError):
            await ask(line)
        monkeypatch.undo()
        assert (await ask(line)).content == b"hello"
