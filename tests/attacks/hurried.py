"""``codriver`` that ends nobody for being slow until it is told to hurry: a test, which is the client, may be stopped.

SIGUSR2: heads and bodies that begin from now on have short deadlines, who is sent away is soon cut off, and each
websocket that was opened as ``?vanishing`` is sent a ping that has to be answered at once. SIGHUP: as before. SIGUSR1:
it logs how many statements its database was asked. The log tells when each is done.
"""

import importlib
import logging
import signal
from typing import Any

from sqlalchemy import Engine, event

from backend.api import sockets as messages
from backend.cli import main
from backend.live import hub, rolls
from backend.server import http, sockets

PATIENCE_S = 100.0
STUCK_S = 2.0
statements = 0
vanishing: set["Watched"] = set()


@event.listens_for(Engine, "before_cursor_execute")
def count(*_: object) -> None:
    global statements
    statements += 1


class Watched(sockets.HardenedWebSocket):
    def handle_connect(self, request: Any) -> None:
        super().handle_connect(request)
        if request.path.endswith("?vanishing"):
            vanishing.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        vanishing.discard(self)
        super().connection_lost(exc)


def tell(*_: object) -> None:
    logging.getLogger("codriver").warning("statements so far: %d", statements)


def hurry(*_: object) -> None:
    http.HEAD_SECONDS = http.LINGER_SECONDS = sockets.LINGER_SECONDS = 2.0
    http.BODY_SECONDS = 3.0
    for one in tuple(vanishing):
        one.loop.call_soon_threadsafe(ping, one)
    logging.getLogger("codriver").warning("in a hurry from now on")


def ping(one: Watched) -> None:
    if not one.leaving:
        one.stop_keepalive()
        one.ping_timeout = 1.0
        one.send_keepalive_ping()


def calm(*_: object) -> None:
    patient()
    logging.getLogger("codriver").warning("in no hurry from now on")


def patient() -> None:
    http.HEAD_SECONDS = http.BODY_SECONDS = http.LINGER_SECONDS = sockets.LINGER_SECONDS = PATIENCE_S


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, tell)
    signal.signal(signal.SIGUSR2, hurry)
    signal.signal(signal.SIGHUP, calm)
    patient()
    http.BODY_BYTES_A_SECOND = 64 * 1024
    sockets.PING_SECONDS = rolls.ROLL_S = PATIENCE_S
    sockets.FRAMES_A_SECOND = messages.FRAMES_PER_S = 1.0  # what comes at once may take a busy machine a minute
    importlib.import_module("backend.server.run").HardenedWebSocket = Watched
    hub.STUCK_S = STUCK_S
    main()
