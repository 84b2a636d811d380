"""Several processes behind one address, with pauses short enough for tests.

Run as a program, with their number, and for how many seconds one may give no sign of life: long, but where a test is
about that, as on a machine that is busy with other things nobody gives one for seconds.
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
            time.sleep(60)
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
    workers.HUNG_S = HUNG_S
    workers.PAUSE_S = (0.1, 1.0)
    workers.STOP_S = 4.0


PORT = int(os.environ.get("PORT", "0"))
HUNG_S = float(os.environ.get("HUNG_S", "60"))
SPOILT = os.environ.get("SPOILT")  # a file; while it is there, no process comes up
BROKEN = [int(number) for number in os.environ.get("BROKEN", "").split()]

if __name__ == "__main__":
    if len(sys.argv) > 2:
        HUNG_S = float(os.environ.setdefault("HUNG_S", sys.argv[2]))
    hurry()
    signal.alarm(180)  # whatever becomes of the test that started it
    with server.bind("127.0.0.1", 0, shared=True) as reserved:
        os.environ["PORT"] = str(reserved.getsockname()[1])
        said = f"Codriver serves on {server.address(reserved)}"
        sys.exit(server.run_many(work, int(sys.argv[1]), lambda: print(said, flush=True)))
