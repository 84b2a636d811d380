"""``codriver`` that pings each websocket soon, and waits as long for the answer."""

from backend.cli import main
from backend.server import http, sockets

PING_SECONDS = 2.0

if __name__ == "__main__":
    http.HEAD_SECONDS = 100.0
    sockets.PING_SECONDS = PING_SECONDS
    main()
