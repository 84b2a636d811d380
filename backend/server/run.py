"""One process that serves: its socket, its log of requests, and its end."""

import asyncio
import contextlib
import faulthandler
import gc
import logging
import resource
import socket
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import uvicorn

from backend.server import sockets
from backend.server.acceptor import Acceptor
from backend.server.gate import Gate
from backend.server.http import HardenedHttp
from backend.server.proxies import Network, Proxied
from backend.server.requests import LoggedRequests, refusal_in
from backend.server.sockets import HardenedWebSocket
from backend.server.workers import BEAT_S, Pulse

ANSWER_SECONDS = 2.0
"""At shutdown, for messages of websockets that are being worked on."""
DRAIN_SECONDS = 5.0
"""At shutdown, for requests that are being worked on."""
END_SECONDS = 25.0
"""From SIGTERM or SIGINT to the end of the process, also where a disk hangs. What is then still under way has been
acknowledged to nobody."""
KEEP_ALIVE_SECONDS = 15
"""Between two requests on one connection."""
MAKE_ROOM = 8
"""Where no more files can be had, one of so many idle connections is closed."""
UNACKNOWLEDGED_MS = 30_000
"""How long the kernel waits for a peer that takes nothing of what was written."""
UNSENT_BYTES = 64 * 1024
"""How much the kernel takes of what it cannot send yet."""

log = logging.getLogger("codriver.server")


def run(
    app: Any,
    listener: socket.socket,
    *,
    gate: Gate | None = None,
    proxies: Sequence[Network] = (),
    pulse: Pulse | None = None,
) -> None:
    """Serve the ASGI ``app`` until SIGTERM or SIGINT, then finish what is under way and return, within 10 seconds. A
    process that hangs instead ends after ``END_SECONDS`` with exit code 1, and prints where each of its threads stands.

    ``listener`` is what :func:`bind` gave. When it serves, the address is printed in one line; or, in one of several
    processes, the ``pulse`` begins to beat. ``gate``: who is turned away without asking the application; nobody, unless
    more arrives in part than there is room for.
    ``proxies``: those whose ``X-Forwarded-For``, ``-Proto`` and ``-Host`` are believed.
    Exits with 3 where the application does not start.
    """
    _allow_many_files()
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # below, it logs addresses of websockets, tokens and all
    served = LoggedRequests(Started(app))
    config = Config(
        Proxied(served, proxies) if proxies else served,
        http=HardenedHttp,
        ws=HardenedWebSocket,
        loop="uvloop",
        lifespan="on",
        interface="asgi3",
        ws_per_message_deflate=False,  # 35 KB a socket, and no frame could be shared between sockets
        ws_ping_interval=sockets.PING_SECONDS,
        ws_ping_timeout=sockets.PING_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=round(DRAIN_SECONDS),
        proxy_headers=False,  # uvicorn knows no host that was forwarded, and takes any text for an address
        server_header=False,
        access_log=False,
        log_config=None,
    )
    config.gate = gate or Gate()
    Server(config, pulse).run(sockets=[listener])


def bind(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A socket that holds the address but does not listen: clients are refused until the application has started.

    Port 0 is any free one. ``shared``: other processes of ours may hold the same. Raises OSError where the address is
    taken or not ours.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # "localhost" is two addresses, and what speaks to a name alone tries the older one in any case
    family, kind, protocol, _, place = min(found, key=lambda one: one[0] != socket.AF_INET)
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # Connections inherit it. It ends those whose peer takes nothing, which no timer of ours sees
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            # Inherited too. Else the kernel keeps megabytes for a slow watcher, which are old when they are read
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        listener.bind(place)
    except OSError:
        listener.close()
        raise
    return listener


def address(listener: socket.socket) -> str:
    """The URL that the socket is reached by from this machine."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Config(uvicorn.Config):
    gate: Gate


class Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, pulse: Pulse | None = None) -> None:
        super().__init__(config)
        self._pulse = pulse

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        assert sockets
        await super().startup([])
        if self.should_exit:
            return
        self.servers: list[Any] = [Acceptor(one, self._protocol, self._make_room) for one in sockets]
        # What the application is made of stays, so the collector need not look at it each time; and a request makes
        # hundreds of objects that free themselves, so it need not look so often
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)
        if self._pulse is None:
            print(f"Codriver serves on {address(sockets[0])}", flush=True)
        else:
            self._beat(self._pulse)

    def _protocol(self) -> HardenedHttp:
        return HardenedHttp(self.config, self.server_state, self.lifespan.state)

    def _make_room(self) -> int:
        """Close those connections that have been without a request for longest."""
        idle = [one for one in self.server_state.connections if isinstance(one, HardenedHttp) and one.quiet]
        idle.sort(key=lambda one: one.stage_began)
        leaving = idle[: -(-len(idle) // MAKE_ROOM)]
        for one in leaving:
            one.transport.abort()
        return len(leaving)

    def _beat(self, pulse: Pulse) -> None:
        pulse.beat()
        asyncio.get_running_loop().call_later(BEAT_S, self._beat, pulse)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Refuse the new, send the websockets away with 1012, answer what is under way, cut off what then is left."""
        for server in self.servers:
            server.close()
        watching = [one for one in self.server_state.connections if isinstance(one, HardenedWebSocket)]
        for number, connection in enumerate(watching):
            connection.announce_restart()
            if number % 200 == 199:
                await asyncio.sleep(0)
        for _ in range(round(ANSWER_SECONDS / 0.02)):
            if not any(connection.busy for connection in watching):
                break
            await asyncio.sleep(0.02)
        await super().shutdown(sockets)
        for left in list(self.server_state.connections):
            left.transport.abort()

    def handle_exit(self, sig: int, frame: Any) -> None:
        if not self.should_exit and sys.stderr is not None:
            # A watch of its own, as the interpreter waits for every thread before it ends, also for one that hangs
            faulthandler.dump_traceback_later(END_SECONDS, exit=True)
        super().handle_exit(sig, frame)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        with super().capture_signals():
            yield
            self._captured_signals.clear()  # uvicorn would raise them again, and the process not end with 0


class Started:
    """The application, which tells without a trace what it refuses to start for."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, _in_a_line(send) if scope["type"] == "lifespan" else send)


def _allow_many_files() -> None:
    """Each connection is an open file, and the usual limit is 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):  # macOS has a lower limit than it tells
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _in_a_line(send: Any) -> Any:
    """Tells in its own words, without a trace, what the application refuses to start for."""

    async def telling(message: Any) -> None:
        if message["type"] == "lifespan.startup.failed" and (refusal := refusal_in(sys.exc_info()[1])):
            message = {**message, "message": str(refusal)}
        await send(message)

    return telling
