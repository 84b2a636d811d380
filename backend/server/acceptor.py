"""Takes connections in: many at a time, and in place of idle ones where files run out.

The event loop's own server takes one connection in each turn. Where a turn is long, as under load, a storm of clients
that come back would wait for minutes, and with it each new client, also whoever asks after the server's health.
"""

import asyncio
import contextlib
import errno
import logging
import math
import socket
from collections.abc import Callable

BACKLOG = 8192
"""Of connections that wait to be taken in; the kernel has a bound of its own (net.core.somaxconn)."""
AT_ONCE = 128
"""In one turn of the loop, so that those who are in already are served meanwhile."""
PAUSE_S = 0.2
"""Where no file is left and nobody could be sent away."""
TELL_S = 60.0
"""Between two lines of the log about that."""
SHORT = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

log = logging.getLogger("codriver.server")


class Acceptor:
    """Listens on a bound socket. ``make_room`` closes connections that nobody misses; it tells how many."""

    def __init__(
        self,
        listener: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        make_room: Callable[[], int],
    ) -> None:
        self._listener = listener
        self._protocol = protocol
        self._make_room = make_room
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[None]] = set()
        self._closed = False
        self._told_at = -math.inf
        listener.setblocking(False)
        listener.listen(BACKLOG)
        self._loop.add_reader(listener.fileno(), self._accept)

    def close(self) -> None:
        """Refuse who comes from now on."""
        if not self._closed:
            self._closed = True
            self._loop.remove_reader(self._listener.fileno())
            self._listener.close()

    async def wait_closed(self) -> None:
        """Nothing is left to wait for: each connection is closed by itself."""

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            try:
                taken, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in SHORT and not self._make_room():
                    self._tell(error)
                    self._pause()
                return
            taken.setblocking(False)
            opening = self._loop.create_task(self._open(taken))
            self._opening.add(opening)
            opening.add_done_callback(self._opening.discard)

    async def _open(self, taken: socket.socket) -> None:
        with contextlib.suppress(OSError):  # it is gone again
            await self._loop.connect_accepted_socket(self._protocol, taken)

    def _tell(self, error: OSError) -> None:
        now = self._loop.time()
        if now - self._told_at >= TELL_S:
            self._told_at = now
            log.error("no connection can be taken in, maybe for a while: %s", error.strerror)

    def _pause(self) -> None:
        self._loop.remove_reader(self._listener.fileno())
        self._loop.call_later(PAUSE_S, self._resume)

    def _resume(self) -> None:
        if not self._closed:
            self._loop.add_reader(self._listener.fileno(), self._accept)
