"""Several processes behind one address, with pauses short enough for tests.

Run as a program, with their number, and for how many seconds one may give no sign of life, and take to end: long, but
where a test is about that, as on a machine that is busy with other things nobody does anything for seconds.
"""

import logging
import os
import signal
import sys
import time

from backend import server
from backend.server import workers
from tests.server import app as one
from tests.server.app import answer


async def app(scope, receive, send) -> None:
    match scope["type"], scope.get("path"):
        case "http", "/hang":
            print(f"{os.getpid()} hangs", flush=True)
            time.sleep(300)
        case "http", "/":
            await answer(send, str(os.getpid()).encode())
        case _:
            await one.app(scope, receive, send)


def work(number: int, pulse: server.Pulse) -> None:
    hurry()
    if number in BROKEN or (SPOILT and os.path.exists(SPOILT)):
        sys.exit(7)
    server.run(app, server.bind("127.0.0.1", PORT, shared=True), pulse=pulse)


def hurry() -> None:
    logging.basicConfig(level=logging.INFO)
    one.patient()
    workers.HUNG_S = HUNG_S
    workers.PAUSE_S = (0.1, 1.0)
    workers.STOP_S = STOP_S


PORT = int(os.environ.get("PORT", "0"))
HUNG_S = float(os.environ.get("HUNG_S", "100"))
STOP_S = float(os.environ.get("STOP_S", "100"))
SPOILT = os.environ.get("SPOILT")  # a file; while it is there, no process comes up
BROKEN = [int(number) for number in os.environ.get("BROKEN", "").split()]

if __name__ == "__main__":
    if len(sys.argv) > 3:  # the processes have it from there
        HUNG_S, STOP_S = (
            float(os.environ.setdefault(*each)) for each in zip(("HUNG_S", "STOP_S"), sys.argv[2:], strict=True)
        )
    hurry()
    signal.alarm(300)  # whatever becomes of the test that started it
    with server.bind("127.0.0.1", 0, shared=True) as reserved:
        os.environ["PORT"] = str(reserved.getsockname()[1])
        said = f"Codriver serves on {server.address(reserved)}"
        sys.exit(server.run_many(work, int(sys.argv[1]), lambda: print(said, flush=True)))
