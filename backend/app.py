"""Wiring only: settings → desk → Litestar. Starts and stops everything, in order."""

import asyncio
import hashlib
import hmac
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from litestar import Litestar
from litestar.exceptions import HTTPException, MethodNotAllowedException

from backend import BEGAN_S
from backend.api import (
    asyncapi,
    body,
    driver,
    driver_socket,
    health,
    live,
    office,
    operator,
    optimoroute,
    problems,
    recipient,
    schema,
    uploads,
)
from backend.api import files as file_links
from backend.domain.errors import Refusal
from backend.live.calls import Calls
from backend.live.hub import Hub
from backend.places import geocoder as geocoders
from backend.planning.worker import Planner, share_of_cores
from backend.service import compaction, figures, leases, retention, watch
from backend.service import uploads as resumable
from backend.service.callers import Acquaintances, Guesses
from backend.service.desk import Clock, Desk
from backend.service.figurefiles import FigureFiles
from backend.service.inflow import Inflow
from backend.service.tally import Tally
from backend.settings import Settings
from backend.store.database import Database
from backend.store.journal import Journal
from backend.store.media import Media
from backend.web import pages

if TYPE_CHECKING:
    from backend.telemetry import Tracing  # with libraries that not everybody has

log = logging.getLogger("codriver.server")

HANDLERS = [
    *office.handlers,
    *driver.handlers,
    *driver_socket.handlers,
    *live.handlers,
    *recipient.handlers(cast(recipient.Page, pages.recipient)),  # to mypy a frozen field does not keep to a protocol
    *file_links.handlers,
    *health.handlers,
    *operator.handlers,
    *optimoroute.handlers,
    *asyncapi.handlers,
    *uploads.handlers,
    *pages.handlers,
]


class OneOf(NamedTuple):
    """Which one of several processes on this machine, counted from 0, and a folder that is theirs alone."""

    number: int
    processes: int
    folder: Path


@asynccontextmanager
async def open_desk(
    settings: Settings,
    clock: Clock,
    public_url: str,
    one_of: OneOf | None = None,
    tracing: "Tracing | None" = None,
    inflow: Inflow | None = None,
) -> AsyncIterator[Desk]:
    """Everything that a verb needs, started; stopped in the reverse order, also what was started before something that
    could not be."""
    async with AsyncExitStack() as started:
        database = await asyncio.to_thread(Database.open, settings.database_url or settings.data_dir)
        started.callback(database.close)
        uploads, alone = settings.data_dir / "uploads", database.alone
        media = await Media.open(settings.blob_url or settings.data_dir / "media", uploads, alone)
        started.push_async_callback(media.close)
        journal = Journal(database, tracing.of_change if tracing else None)
        started.push_async_callback(journal.close)
        hub, calls = _live(settings, f"{socket.gethostname()} {public_url} {one_of.number if one_of else 0}")
        started.push_async_callback(calls.close)
        started.push_async_callback(hub.close)
        cores = share_of_cores(one_of.processes if one_of else 1)
        planner = Planner(cores, trace=tracing.of_plan if tracing else None)
        started.push_async_callback(planner.close)
        geocoder = geocoders.choose(settings.geocoder, settings.public_url, partial(calls.place, "geocoder", 1))
        started.push_async_callback(geocoder.close)
        acquaintances, guesses, tally = Acquaintances(), Guesses(), Tally()
        inflow = inflow or Inflow()
        inflow.open(journal, tally)
        hub.heed("revoked", acquaintances.forget)
        hub.heed("account", acquaintances.forget_account)
        hub.heed("doubt", lambda _: acquaintances.forget_all())
        hub.heed("guess", guesses.hear)
        hub.heed("upload", resumable.give_way)
        yield Desk(
            settings=settings,
            clock=clock,
            database=database,
            journal=journal,
            media=media,
            hub=hub,
            planner=planner,
            geocoder=geocoder,
            acquaintances=acquaintances,
            guesses=guesses,
            calls=calls,
            secret=settings.secret(),
            public_url=(settings.public_url or public_url).rstrip("/"),
            tally=tally,
            inflow=inflow,
            figure_files=FigureFiles(one_of.folder, one_of.number) if one_of else None,
        )


def _live(settings: Settings, place: str) -> tuple[Hub, Calls]:
    """Joined with those of other processes, where there is a Redis to join them. ``place`` is what a process has in
    common with the one that begins again after it."""
    if not settings.redis_url:
        return Hub(), Calls()
    try:
        from backend.live.fanout import JoinedHub
        from backend.live.fanout_calls import SharedCalls
    except ImportError as error:
        text = 'CODRIVER_REDIS_URL needs the library redis, which is not installed: pip install "codriver[scale]".'
        raise Refusal("ERR_SETTING_INVALID", text, "CODRIVER_REDIS_URL") from error
    mark = hmac.new(settings.secret(), b"live", hashlib.sha256).hexdigest()[:16]
    return JoinedHub(settings.redis_url, mark, place), SharedCalls(settings.redis_url)


def _tell_start(loaded_s: float, opened_s: float) -> None:
    """Where its time went: far more of it than on a processor means that the machine is busy with others, or the disk
    slow."""
    now_s = time.monotonic()
    parts = (loaded_s - BEGAN_S, opened_s - loaded_s, now_s - opened_s)
    text = "ready after %.2f s (%.2f s on a processor): %.2f to load, %.2f to open the stores, %.2f for the rest"
    log.info(text, now_s - BEGAN_S, time.process_time(), *parts)


CHORES = (
    leases.keep_watch,
    retention.keep_forgetting,
    retention.keep_clearing,
    compaction.keep_compacting,
    figures.keep_posting,
)


def create_app(
    settings: Settings,
    clock: Clock | None = None,
    public_url: str = "http://127.0.0.1:8000",
    one_of: OneOf | None = None,
    tracing: "Tracing | None" = None,
    serving: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Litestar:
    """The application, for a server to run. It opens its stores when it is started.

    ``serving()`` is entered once the stores are open and left before they are closed. ``state.inflow`` is what the
    application shares with the server's gate.
    """
    inflow = Inflow()

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        loaded_s = time.monotonic()
        async with open_desk(settings, clock or Clock(), public_url, one_of, tracing, inflow) as desk:
            opened_s = time.monotonic()
            app.state.desk = desk
            await leases.recover(desk)
            await desk.planner.start()
            chores = [asyncio.create_task(work(desk)) for work in CHORES]
            desk.hub.start(watch.Sources(desk, live.encode_event, recipient.encode_delivery))
            _tell_start(loaded_s, opened_s)
            with serving():
                yield
            for chore in chores:
                chore.cancel()

    app = Litestar(
        route_handlers=HANDLERS,
        lifespan=[lifespan],
        exception_handlers={
            Refusal: problems.on_refusal,
            MethodNotAllowedException: optimoroute.on_unknown_verb,
            HTTPException: problems.on_http_error,
            Exception: problems.on_bug,
        },
        request_max_body_size=body.JSON_LIMIT,
        openapi_config=schema.config(pages.reference),
        logging_config=None,
    )
    app.state.inflow = inflow
    schema.describe(app)
    return app
