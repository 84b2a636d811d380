"""A small application behind the real server and its gate, which lets in as many as the tests say. Run as a program,
maybe with how long who is turned away rests, and with constants of the server that are to be other than usual.

``/let-in`` answers when ``/open`` was asked for, with ``?early`` before the body is here; ``/count`` tells how many are
under way, and what is held of bodies; ``/busy`` keeps the loop busy from then on. A websocket is an echo.
"""

import asyncio
import logging
import resource
import signal
import sys
import time

from backend import server
from backend.server import acceptor, gate
from tests.server.app import patient

MOST = 3
FILES = 200


class Inflow:
    def __init__(self) -> None:
        self.under_way = self.refused = 0

    def full(self, most: int) -> bool:
        return self.under_way >= most

    def turned_away(self) -> None:
        self.refused += 1


inflow = Inflow()
opened = asyncio.Event()
the_gate = server.Gate(inflow, {b"/let-in": MOST}, streamed=(b"/streamed",))


left = 0  # of the busy turns


def busy(turns: int) -> None:
    """So many turns of the loop take 0.1 s each."""
    global left
    left = turns
    if turns:
        time.sleep(0.1)
        asyncio.get_running_loop().call_soon(busy, turns - 1)


async def app(scope, receive, send) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})
        return
    if scope["path"] == "/open":
        opened.set()
    if scope["path"] == "/busy":
        busy(1000)
    size = 0
    while scope["path"] != "/count" and scope["query_string"] != b"early":
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message["body"])
        if not message["more_body"]:
            break
    if scope["path"] == "/let-in":
        await opened.wait()
    counts = (inflow.under_way, inflow.refused, the_gate.held, the_gate.holders, left, size)
    body = " ".join(str(count) for count in counts).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    patient("run.DRAIN_SECONDS=2", *sys.argv[2:])
    gate.BURST = 0
    gate.REST_S = float(sys.argv[1]) if len(sys.argv) > 1 else 0.01
    gate.HELD_BYTES = 1024 * 1024
    gate.TELL_S = 0.5
    acceptor.PAUSE_S = 0.05
    signal.alarm(300)  # whatever becomes of the test that started it
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))
    server.run(app, server.bind("127.0.0.1", 0), gate=the_gate)
