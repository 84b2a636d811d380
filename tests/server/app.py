"""A small application behind the real server. Run as a program, with the constants of the server that are to be other
than usual, as ``http.HEAD_SECONDS=1``.

Usually nobody is ended for being slow: the test, which is the client, may itself be stopped for seconds. ``/hurry``
makes the deadlines of heads and bodies short from then on, also for the connection on which it was asked.
"""

import asyncio
import importlib
import logging
import signal
import sys
import threading

from websockets.frames import Frame, Opcode

from backend import server
from backend.server import http

FRAME = Frame(Opcode.TEXT, b"x" * 32 * 1024).serialize(mask=False)
PATIENCE_S = 100
PATIENT = (
    *("http.HEAD_SECONDS", "http.BODY_SECONDS", "http.LINGER_SECONDS", "run.KEEP_ALIVE_SECONDS", "run.DRAIN_SECONDS"),
    *("run.END_SECONDS", "sockets.PING_SECONDS", "sockets.LINGER_SECONDS"),
)
released = asyncio.Event()


async def app(scope, receive, send) -> None:
    match scope["type"], scope.get("path"):
        case "lifespan", _:
            await lifespan(receive, send)
        case "http", "/upload":
            await upload(receive, send)
        case "http", "/hurry":
            http.HEAD_SECONDS, http.BODY_SECONDS = 0.4, 0.6
            await answer(send, b"hello")
        case "http", "/slow":
            print("asked", flush=True)
            await asyncio.sleep(0.5)
            await answer(send, b"done")
        case "http", _:
            await answer(send, b"hello")
        case "websocket", "/flood":
            await flood(scope, receive, send)
        case "websocket", "/farewell":
            await farewell(scope, receive, send)
        case "websocket", "/late":
            await farewell(scope, receive, send, behind=True)
        case "websocket", _:
            await echo(scope, receive, send)


async def lifespan(receive, send) -> None:
    await receive()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, released.set)
    await send({"type": "lifespan.startup.complete"})
    await receive()
    print("stopped in order", flush=True)
    await send({"type": "lifespan.shutdown.complete"})


async def answer(send, body: bytes) -> None:
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def upload(receive, send) -> None:
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            print("disconnected", flush=True)
            return
        size += len(message["body"])
        if not message["more_body"]:
            break
    await answer(send, str(size).encode())


async def echo(scope, receive, send) -> None:
    await receive()
    await send({"type": "websocket.accept", "subprotocol": (scope["subprotocols"] or [None])[0]})
    while (message := await receive())["type"] == "websocket.receive":
        if message.get("text") == "think":
            print("thinks", flush=True)
            await released.wait()
        await send({"type": "websocket.send", "text": message.get("text", "")})
    print(f"socket closed {message['code']}", flush=True)


async def flood(scope, receive, send) -> None:
    """Frames to a peer until it is behind; then one more, which waits until the peer reads or is gone."""
    await receive()
    await send({"type": "websocket.accept"})
    while scope["extensions"]["codriver.write"](FRAME):
        await asyncio.sleep(0)
    print("behind", flush=True)
    try:
        while True:
            await send({"type": "websocket.send", "text": "y" * 1024 * 1024})
    finally:
        print("flood over", flush=True)


async def farewell(scope, receive, send, behind: bool = False) -> None:
    """One frame and a close, neither of which is waited for; ``behind``: as many frames as the peer lets be written."""
    await receive()
    await send({"type": "websocket.accept"})
    assert scope["extensions"]["codriver.write"](FRAME)
    while behind and scope["extensions"]["codriver.write"](FRAME):
        await asyncio.sleep(0)
    scope["extensions"]["codriver.close"](4408, "too slow")
    print(f"heard {(await receive())['code']}", flush=True)


def hang() -> None:
    """As on a disk that never answers."""
    threading.Event().wait()


def patient(*others: str) -> None:
    """``others``: constants with another value."""
    for each in (*(f"{name}={PATIENCE_S}" for name in PATIENT), *others):
        name, _, value = each.partition("=")
        module, _, constant = name.partition(".")
        number = float(value) if "." in value else int(value)
        setattr(importlib.import_module(f"backend.server.{module}"), constant, number)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    patient(*(each for each in sys.argv[1:] if each != "hangs"))
    if "hangs" in sys.argv:
        threading.Thread(target=hang).start()
    signal.alarm(300)  # whatever becomes of the test that started it
    server.run(app, server.bind("127.0.0.1", 0))
