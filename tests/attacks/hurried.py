"""``codriver`` with deadlines short enough for tests. On SIGUSR1 it logs how many statements its database was asked."""

import logging
import signal

from sqlalchemy import Engine, event

from backend.cli import main
from backend.live import hub
from backend.server import http, sockets

statements = 0


@event.listens_for(Engine, "before_cursor_execute")
def count(*_: object) -> None:
    global statements
    statements += 1


def tell(*_: object) -> None:
    logging.getLogger("codriver").warning("statements so far: %d", statements)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, tell)
    http.HEAD_SECONDS = 2.0
    http.BODY_SECONDS = 3.0
    http.BODY_BYTES_A_SECOND = 64 * 1024
    sockets.PING_SECONDS = 3.0
    hub.STUCK_S = 2.0
    main()
