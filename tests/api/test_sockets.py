"""The way out to a watcher under a server that is not ours: bounded, in order, and never waited for."""

import asyncio
from typing import Any

from litestar.exceptions import WebSocketDisconnect

from backend.api.sockets import BACKLOG_BYTES, Queued
from backend.live.frames import Frame
from tests.live.builders import until


class Line:
    """The sending side of a websocket; while it is held up nothing gets through."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.free = asyncio.Event()
        self.gone = False

    async def send_text(self, text: str) -> None:
        await self.free.wait()
        if self.gone:
            raise WebSocketDisconnect(detail="gone")
        self.sent.append(text)

    async def close(self, code: int, reason: str) -> None:
        self.sent.append(code)


def frame(number: int, size: int = 10_000) -> Frame:
    return Frame(f"{number:<{size}}".encode())


async def test_frames_go_out_in_order_and_the_backlog_is_bounded() -> None:
    line = Line()
    way_out = Queued(line)
    taken = [way_out.try_write(frame(number)) for number in range(20)]
    assert taken == sorted(taken, reverse=True) and 0 < sum(taken) * 10_000 <= BACKLOG_BYTES + 10_000
    assert way_out.full()
    line.free.set()
    await until(lambda: not way_out.full() and len(line.sent) == sum(taken))
    assert [int(text) for text in line.sent] == list(range(sum(taken)))
    assert way_out.try_write(frame(99))
    way_out.close(4409, "enough")
    assert not way_out.try_write(frame(100)) and way_out.full()
    await until(lambda: line.sent[-1] == 4409)
    assert int(line.sent[-2]) == 99


async def test_a_client_that_is_gone_takes_nothing_more_and_hurts_nobody() -> None:
    line = Line()
    line.gone = True
    line.free.set()
    way_out = Queued(line)
    assert way_out.try_write(frame(1))
    await until(way_out.full)
    assert not way_out.try_write(frame(2)) and line.sent == []
