"""``codriver serve``: one process, or several that share an address, a database and a Redis."""

import contextlib
import errno
import logging
import socket
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from backend import operator, server
from backend.api import driver
from backend.app import OneOf, create_app
from backend.domain.errors import Refusal
from backend.service.desk import Clock
from backend.settings import Settings, traces_go_to

if TYPE_CHECKING:
    from litestar import Litestar

    from backend.telemetry import Tracing

log = logging.getLogger("codriver.server")

_HINTS = {
    errno.EADDRINUSE: " Stop the other program, or choose another port with --port.",
    errno.EACCES: " Choose a port above 1023, and put a proxy in front of it.",
}


def serve(settings: Settings, clock: Clock, host: str, port: int, workers: int) -> int:
    """Serve until SIGTERM or SIGINT; the exit code.

    Refuses with ``ERR_ADDRESS`` where it cannot listen on the address, with ``ERR_WORKERS`` where several processes are
    asked for without PostgreSQL and Redis, with ``ERR_STORAGE`` where there can be no data folder.
    """
    server.log_to_stderr(settings.log_level, settings.log_format)
    operator.make_folder(settings)
    if workers == 1:
        if settings.database_url.startswith("postgres") and not settings.redis_url:
            log.info("CODRIVER_REDIS_URL is not set: this must be the only process that serves this database")
        listener = _bind(host, port)
        address = server.address(listener)
        with _traced() as tracing:
            serving = partial(operator.serving_at, settings, address)
            app = create_app(settings, clock, address, tracing=tracing, serving=serving)
            _run(app, listener, settings, tracing)
        return 0
    _check(settings, workers)
    _bind(host, port).close()  # refused where anybody else listens there, which a shared one would not be
    with _bind(host, port, shared=True) as reserved:
        address = server.address(reserved)
        settings.secret()  # made once
        with tempfile.TemporaryDirectory(prefix="codriver-") as folder:
            work = partial(_work, settings, clock, host, reserved.getsockname()[1], address, workers, Path(folder))
            return server.run_many(work, workers, lambda: print(f"Codriver serves on {address}", flush=True))


def _check(settings: Settings, workers: int) -> None:
    missing = []
    if not settings.database_url.startswith("postgres"):
        missing.append("CODRIVER_DATABASE_URL=postgresql://… (only one process can use an SQLite file)")
    if not settings.redis_url:
        missing.append("CODRIVER_REDIS_URL=redis://… (it carries live updates between the processes)")
    if missing:
        raise Refusal("ERR_WORKERS", f"{workers} processes need {' and '.join(missing)}; or leave out --workers.")


def _bind(host: str, port: int, *, shared: bool = False) -> socket.socket:
    try:
        return server.bind(host, port, shared=shared)
    except OSError as error:
        hint = _HINTS.get(error.errno or 0, "")
        raise Refusal("ERR_ADDRESS", f"Cannot serve on {host}:{port}: {error.strerror}.{hint}") from error


def _work(
    settings: Settings,
    clock: Clock,
    host: str,
    port: int,
    address: str,
    workers: int,
    folder: Path,
    number: int,
    pulse: server.Pulse,
) -> None:
    """One of several, in a process of its own."""
    server.log_to_stderr(settings.log_level, settings.log_format, number)
    with _traced() as tracing:
        app = create_app(settings, clock, address, OneOf(number, workers, folder), tracing)
        _run(app, server.bind(host, port, shared=True), settings, tracing, pulse)


def _run(
    app: "Litestar",
    listener: socket.socket,
    settings: Settings,
    tracing: "Tracing | None",
    pulse: server.Pulse | None = None,
) -> None:
    gate = server.Gate(app.state.inflow, driver.AT_ONCE, driver.STREAMED)
    traced = tracing.around(app) if tracing else app
    server.run(traced, listener, gate=gate, proxies=settings.proxies(), pulse=pulse)


@contextlib.contextmanager
def _traced() -> Iterator["Tracing | None"]:
    """Traces, where the environment names a collector for them."""
    if not traces_go_to():
        yield None
        return
    try:
        from backend.telemetry import Tracing
    except ImportError:
        log.warning('a collector of traces is named, but gets none: pip install "codriver[telemetry]"')
        yield None
        return
    tracing = Tracing()
    try:
        yield tracing
    finally:
        tracing.close()
