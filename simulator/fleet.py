"""N phones on simulated time: prepares the account, logs every driver in, lets the day happen, and reports what came
of it.
"""

from __future__ import annotations

import asyncio
import gc
import resource
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import aclosing
from itertools import chain
from math import inf
from time import monotonic, process_time, time
from typing import Any

import httpx
from msgspec import Struct
from rich.console import Console

from simulator.account import Account, SetupFailed
from simulator.clock import SimClock
from simulator.crew import log_in, unless
from simulator.gallery import Gallery
from simulator.handset import ahead_of
from simulator.histogram import Measures
from simulator.journeys import journeys
from simulator.office import Office, ended, settle
from simulator.options import Options
from simulator.phone import Phone
from simulator.progress import progress
from simulator.report import document
from simulator.scenario import digest, read
from simulator.steps import Step, Wait, Who
from simulator.tally import Verdict
from simulator.transport import Client, Http, Transport, TwoDevices, phone_client
from simulator.truth import Diary, Run, Truth
from simulator.verify import verify
from simulator.websocket import Socket
from simulator.wire import unix

REFUSED_AHEAD_S = 240.0
"""Well before the five minutes at which a server refuses a stamp: a busy machine adds its part."""
PATIENCE_S = 120.0
BROKEN_OFF_PATIENCE_S = 30.0
"""How long nothing may be acknowledged once the day is over, or was broken off; what is left then counts as not
acknowledged."""
SHOWN_EVERY_S = 0.5
PHONE_CONNECTIONS = 2
"""Of one phone over HTTP: a photo that takes long holds up no position."""
AHEAD = "ERR_TIMESTAMP_FUTURE"
GONE = "ERR_ORDER_NOT_FOUND"
EXAMPLES = 10


class Driven(Struct):
    """What driving took until the day ended: wall time, processor time, and for how long drivers were out, together;
    and the processor time until all that they did was delivered, too.
    """

    wall_s: float = 0.0
    cpu_s: float = 0.0
    out_s: float = 0.0
    whole_cpu_s: float = 0.0


async def simulate(options: Options, console: Console, ending: asyncio.Event | None = None) -> dict[str, Any]:
    """Run it, and return the report; ``ending`` set from outside ends the day early. Raises SetupFailed where it
    cannot begin.
    """
    async with aclosing(phone_client(options.url)) as client:
        account = Account(client, options.key)
        ending = ending or asyncio.Event()
        truth = await unless(ending, log_in(options, account, client, console))
        gallery = Gallery(options.url, options.key, options.watch)
        try:
            return await _run(options, truth, account, gallery, console, ending)
        finally:
            await gallery.stop()
            truth.close()


async def _run(
    options: Options, truth: Truth, account: Account, gallery: Gallery, console: Console, ending: asyncio.Event
) -> dict[str, Any]:
    """Drive what is left of the day, drain, compare, count."""
    driven, measures, troubles = Driven(), Measures(), list[str]()
    begun = monotonic()
    if truth.diaries and (options.resume or not truth.continued):
        driven, troubles = await _day(options, truth, account, gallery, measures, console, ending)
    else:
        for diary in truth.diaries.values():
            diary.recall()
    wall, verified = monotonic() - begun, options.verify
    refused = sum((diary.refused() for diary in truth.diaries.values()), Counter[str]())
    try:
        await settle(account, truth)
        verdict = await verify(account, truth, console) if options.verify else _counted(truth)
        if driven.wall_s:
            every_event = not options.resume and not truth.run.drove_before
            troubles += await gallery.differences(truth, every_event)
        troubles += await _refusals(truth, account, refused)
    except (SetupFailed, httpx.HTTPError, OSError, TimeoutError) as error:
        verdict, verified = _counted(truth), False
        troubles.append(f"could not be compared: {error or type(error).__name__}")
    verifying = monotonic() - begun - wall
    return document(
        verdict,
        drivers=len(truth.diaries),
        orders=truth.run.orders,
        simulatedSeconds=round(measures.simulated_s),
        wallSeconds=round(wall, 1),
        verifySeconds=round(verifying, 1),
        ok=verdict.clean and not troubles,
        verified=verified,
        live=gallery.told(),
        refused=dict(sorted(refused.items())),
        troubles=troubles,
        **_cost(driven),
        **_measured(measures, gallery),
        **_names(options, truth.run),
        **({"journeys": journeys(truth, options.drawn)} if options.drawn else {}),
    )


async def _day(
    options: Options,
    truth: Truth,
    account: Account,
    gallery: Gallery,
    measures: Measures,
    console: Console,
    ending: asyncio.Event,
) -> tuple[Driven, list[str]]:
    """Let every phone live its day; what that took, and what could not be handed in."""
    days = {diary: diary.steps() for diary in truth.diaries.values()}
    firsts = {diary: next(steps) for diary, steps in days.items()}
    troubles = await gallery.start(account, truth)
    clock = _clock(options, truth, gallery.first.server_clock, firsts)
    running: dict[Phone, Iterator[Step]] = {
        _phone(options.url, truth, diary, clock, gallery, measures): chain([firsts[diary]], steps)
        for diary, steps in days.items()
    }
    usual = gc.get_threshold()
    gc.collect()
    gc.freeze()  # what lives as long as the fleet is not looked through again and again: a second each time
    gc.set_threshold(10_000, 10, 200)
    if gallery.first.server_clock is None:
        clock.begin()
    office = Office(account, truth, read(truth.run.scenario), clock, measures)
    working = asyncio.create_task(office.run(_morning(firsts), options.part[1]))
    try:
        driven = await _drive(running, clock, measures, truth, options, console, ending)
    finally:
        gc.unfreeze()  # who drives another day in this process gets the memory of this one back
        gc.set_threshold(*usual)
        troubles += await ended(working)
    for phone in running:
        if truth.continued and not phone.whole:  # it may not have come as far as it was before
            phone.diary.recall()
    measures.simulated_s = max(phone.reached for phone in running) - clock.start
    return driven, troubles + _undelivered(list(running))


def _cost(driven: Driven) -> dict[str, Any]:
    """What this program used of the machine, and how many such drivers one core could drive at this speed: counted are
    those who were out, not those who were still or already at home; and what it took to deliver what was left over.
    """
    cpu = driven.cpu_s / driven.wall_s if driven.wall_s else 0.0
    return {
        "cpu": round(cpu, 3),
        "driversOut": round(driven.out_s / driven.wall_s) if driven.wall_s else 0,
        "driversPerCore": round(driven.out_s / driven.whole_cpu_s) if driven.whole_cpu_s else 0,
        "memoryMb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def _measured(measures: Measures, gallery: Gallery) -> dict[str, Any]:
    times = {
        "acknowledgementMs": measures.acknowledged,
        "mapMs": gallery.latencies(),
        "pageMs": gallery.page_latencies(),
        "latenessMs": measures.lateness,
    }
    return {
        **{name: histogram.told() for name, histogram in times.items()},
        "histograms": {name: dict(histogram.counts) for name, histogram in times.items()},
        "throughput": dict(measures.throughput),
        "injected": dict(measures.injected),
        "retries": measures.retries,
    }


def _names(options: Options, run: Run) -> dict[str, Any]:
    """By what a run is known, and made again; one that goes on, or is only compared, by how it was begun."""
    return {
        "seed": run.seed,
        "scenario": digest(read(run.scenario)),
        "scenarioName": run.named,
        "command": run.command or options.command(),
    }


def _undelivered(phones: list[Phone]) -> list[str]:
    """What phones could not hand in although they tried to the end; the first few, and how many more."""
    told = []
    for what, wrong in (
        ("turned away", [f"{phone.diary.phone.key}: {phone.turned}" for phone in phones if phone.turned]),
        (
            "not heard out",
            [f"{p.diary.phone.key}: {p.queued} messages never acknowledged" for p in phones if p.queued],
        ),
    ):
        told += wrong[:EXAMPLES]
        if len(wrong) > EXAMPLES:
            told.append(f"{len(wrong) - EXAMPLES} more drivers were {what}")
    return told


async def _refusals(truth: Truth, account: Account, refused: Counter[str]) -> list[str]:
    """What was refused and should not have been. A phone whose clock is minutes ahead is refused what it stamps, one
    that did not see in time that an order went to another driver what it says of it.
    """
    expected, found = {AHEAD}, list[str]()
    for diary in truth.diaries.values():
        if (count := diary.refused()[AHEAD]) and not _ahead(diary):
            found.append(f"{diary.phone.key} was refused {count} times with {AHEAD}, and no clock of it is ahead")
    changes = truth.changes
    if refused[GONE] and changes:
        expected.add(GONE)
        has = {route.driverId: {stop.orderId for stop in route.stops} for route in await account.routes(truth.run.date)}
        for driver, diary in truth.diaries.items():
            always = has.get(driver, set()) - changes.cancels.keys() - changes.moved
            for order in sorted(diary.refused_orders(GONE) & always):
                found.append(f"{diary.phone.key} was refused order {order}, which is on the route")
    found += [f"refused with {code}: {count}" for code, count in sorted(refused.items()) if code not in expected]
    return found[:EXAMPLES]


def _ahead(diary: Diary) -> bool:
    """Whether a driver has a device whose clock is so far ahead that a server refuses what it stamps."""
    who, scenario = Who(diary.phone.key, diary.run.date, diary.run.seed), read(diary.run.scenario)
    return ahead_of(who, scenario) > REFUSED_AHEAD_S


def _clock(options: Options, truth: Truth, server: tuple[float, float] | None, firsts: dict[Diary, Step]) -> SimClock:
    """The server's own clock where it is simulated; else the day's beginning, or where the run was broken off."""
    if server is not None:
        return SimClock(*server, of_server=True)
    start = max(truth.last_at, _morning(firsts))
    overtakes = options.speed > 1 and max(map(_ends, truth.diaries.values())) > time()
    if start > time() + 60 or overtakes:
        raise SetupFailed(
            f"phones would be ahead of the server's clock on {options.date} and be refused: take a date in the past, "
            "or a server with --clock START@SPEED"
        )
    return SimClock(start, options.speed)


def _morning(firsts: dict[Diary, Step]) -> float:
    """When the first driver's day begins."""
    return min(step.until for step in firsts.values() if isinstance(step, Wait))


def _ends(diary: Diary) -> float:
    """About when a driver's planned day ends; a recorded one is over already."""
    route = diary.phone.route
    if route is None:
        return 0.0
    planned = [route.end.time if route.end else None, *(stop.departureTime for stop in route.stops)]
    return max((unix(moment) for moment in planned if moment), default=0.0)


def _phone(url: str, truth: Truth, diary: Diary, clock: SimClock, gallery: Gallery, measures: Measures) -> Phone:
    run = truth.run
    who = Who(diary.phone.key, run.date, run.seed)
    packed = who.rng("frames").random() < 0.5

    def changed() -> None:
        phone.stale = planned

    planned = run.replay is None and bool(diary.phone.route and diary.phone.route.driverId)
    transport = _transport(url, run.transport, diary.phone.token, packed, changed)
    if diary.phone.second_token is not None:
        second = _transport(url, run.transport, diary.phone.second_token, not packed, changed)
        transport = TwoDevices(transport, second)
    phone = Phone(diary, truth, transport, clock, who.rng("phone"), gallery.noticed, measures)
    phone.asks = planned and run.transport == "http"
    phone.stale = planned and truth.last_at > 0  # it may have changed while nobody listened
    return phone


def _transport(url: str, how: str, token: str, packed: bool, changed: Callable[[], None]) -> Transport:
    def connect() -> Client:
        return phone_client(url, PHONE_CONNECTIONS)

    return Socket(connect, url, token, packed, changed) if how == "ws" else Http(connect, token)


async def _drive(
    running: dict[Phone, Iterator[Step]],
    clock: SimClock,
    measures: Measures,
    truth: Truth,
    options: Options,
    console: Console,
    ending: asyncio.Event,
) -> Driven:
    """Let all phones live, until their days are over or the run is to end; then until their outboxes are empty."""
    stops = sum(len(diary.phone.route.stops) for diary in truth.diaries.values() if diary.phone.route) or len(running)
    lives = [asyncio.create_task(phone.live(steps)) for phone, steps in running.items()]
    home = asyncio.gather(*lives)
    begun, spent = monotonic(), process_time()
    with progress(console, "driving", "stops", stops) as show:
        broken_off = False
        while not (broken_off or home.done() or all(phone.over for phone in running)):
            await asyncio.wait([home], timeout=SHOWN_EVERY_S)
            show(measures.finished, _where(clock, measures))
            broken_off = ending.is_set() or monotonic() - begun >= (options.seconds or inf)
        for phone in running:
            phone.stop()
        await asyncio.sleep(0)  # they note how long they were out
        driven = Driven(wall_s=monotonic() - begun, cpu_s=process_time() - spent, out_s=measures.out_s)
        await _drain(home, measures, broken_off, ending, lambda: show(measures.finished, _where(clock, measures)))
    driven.whole_cpu_s = process_time() - spent
    for task in lives:
        task.cancel()
    await asyncio.gather(home, return_exceptions=not home.done())
    return driven


async def _drain(
    home: asyncio.Future[Any], measures: Measures, broken_off: bool, ending: asyncio.Event, show: Callable[[], None]
) -> None:
    """Wait while outboxes grow emptier, until all are empty."""
    heard, since = len(measures.acknowledged), monotonic()
    while not home.done() and monotonic() - since < (
        BROKEN_OFF_PATIENCE_S if broken_off or ending.is_set() else PATIENCE_S
    ):
        await asyncio.wait([home], timeout=SHOWN_EVERY_S)
        show()
        if len(measures.acknowledged) > heard:
            heard, since = len(measures.acknowledged), monotonic()


def _where(clock: SimClock, measures: Measures) -> str:
    now = clock.now()
    return f"{int(now) // 3600 % 24:02}:{int(now) // 60 % 60:02} UTC, {max(0, measures.queued)} queued"


def _counted(truth: Truth) -> Verdict:
    """Without verification: what was sent and acknowledged, nothing about what is stored."""
    verdict = Verdict()
    for diary in truth.diaries.values():
        actions, files = diary.actions(), diary.attachments()
        verdict.positions.sent += diary.fixes_sent
        verdict.positions.acknowledged += diary.fixes_acknowledged
        verdict.actions.sent += len(actions)
        verdict.actions.acknowledged += sum(known for _, known in actions)
        verdict.attachments.sent += len(files)
        verdict.attachments.acknowledged += sum(known for _, known in files.values())
    return verdict
