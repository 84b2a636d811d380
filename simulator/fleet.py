"""N phones on simulated time: prepares the account, logs every driver in, lets the day happen, and reports what came
of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from time import monotonic, process_time, time
from typing import Any

import httpx
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from simulator import replay
from simulator.account import Account, SetupFailed
from simulator.clock import SimClock
from simulator.crew import log_in
from simulator.day import day, recorded
from simulator.gallery import Gallery
from simulator.histogram import Measures
from simulator.journeys import journeys
from simulator.options import Options
from simulator.phone import Phone
from simulator.report import document
from simulator.scenario import digest, read
from simulator.steps import Step, Wait, Who
from simulator.transport import Http, Socket, Transport, TwoDevices, http_client
from simulator.truth import Diary, Run, Truth
from simulator.verify import Verdict, verify
from simulator.wire import unix

REFUSED_AHEAD_S = 240.0
"""Well before the five minutes at which a server refuses a stamp: a busy machine adds its part."""
PATIENCE_S = 30.0
"""How long nothing may be acknowledged once the day is over; what is left then counts as not acknowledged."""


async def simulate(options: Options, console: Console, ending: asyncio.Event | None = None) -> dict[str, Any]:
    """Run it, and return the report; ``ending`` set from outside ends the day early. Raises SetupFailed where it
    cannot begin.
    """
    async with http_client(options.url) as client:
        account = Account(client, options.key)
        truth = await log_in(options, account, client, console)
        gallery = Gallery(options.url, options.key, options.watch)
        try:
            return await _run(options, truth, account, gallery, console, ending or asyncio.Event())
        finally:
            await gallery.stop()
            truth.close()


async def _run(
    options: Options,
    truth: Truth,
    account: Account,
    gallery: Gallery,
    console: Console,
    ending: asyncio.Event,
) -> dict[str, Any]:
    """Drive what is left of the day, drain, compare, count."""
    days = {driver: _steps(diary, truth.run) for driver, diary in truth.diaries.items()}
    begun, spent = monotonic(), process_time()
    phones: list[Phone] = []
    measures = Measures()
    driven = 0.0
    troubles: list[str] = []
    if options.resume or not truth.last_at:
        troubles += await gallery.start(account, truth)
        firsts = {driver: next(steps) for driver, steps in days.items()}
        clock = _clock(options, truth, gallery.first.server_clock, firsts)
        phones = [
            _phone(truth, diary, index, clock, gallery, measures) for index, diary in enumerate(truth.diaries.values())
        ]
        running: dict[Phone, Iterator[Step]] = {
            phone: chain([firsts[d]], days[d]) for phone, d in zip(phones, truth.diaries, strict=True)
        }
        await _drive(running, clock, truth, options, console, ending)
        driven = max(phone.reached for phone in phones) - clock.start
        troubles += _undelivered(phones)
    else:
        for driver, steps in days.items():
            truth.diaries[driver].recall(steps)
    wall = monotonic() - begun
    cpu = (process_time() - spent) / wall
    verdict = await verify(account, truth) if options.verify else _counted(truth)
    if phones:
        every_event = not options.resume and not truth.run.drove_before
        troubles += await gallery.differences(truth, every_event)
    refused = _sum([diary.refused() for diary in truth.diaries.values()])
    troubles += [
        f"refused with {code}: {count}" for code, count in refused.items() if code not in _to_be_refused(truth)
    ]
    drawn = {"journeys": journeys(truth, options.drawn)} if options.drawn else {}
    return document(
        verdict,
        drivers=len(truth.diaries),
        orders=truth.run.orders,
        simulatedSeconds=round(driven),
        wallSeconds=round(wall, 1),
        acknowledgementMs=measures.acknowledged.told(),
        mapMs=gallery.latencies().told(),
        latenessMs=measures.lateness.told(),
        histograms={
            "acknowledgementMs": dict(measures.acknowledged.counts),
            "mapMs": dict(gallery.latencies().counts),
            "latenessMs": dict(measures.lateness.counts),
        },
        throughput=dict(measures.throughput),
        injected=dict(measures.injected),
        cpu=round(cpu, 3),
        driversPerCore=round(len(phones) / cpu) if cpu else 0,
        ok=verdict.clean and not troubles,
        verified=options.verify,
        retries=measures.retries,
        live=gallery.told(),
        refused=refused,
        troubles=troubles,
        seed=truth.run.seed,
        scenario=digest(read(truth.run.scenario)),
        command=options.command(),
        **drawn,
    )


def _undelivered(phones: list[Phone]) -> list[str]:
    """What phones could not hand in although they tried to the end."""
    turned = [f"{phone.diary.phone.key}: {phone.turned}" for phone in phones if phone.turned]
    left = [(phone.diary.phone.key, phone.queued) for phone in phones if phone.queued]
    return turned + [f"{key}: {count} messages never acknowledged" for key, count in left]


def _to_be_refused(truth: Truth) -> set[str]:
    """The codes that the scenario asks for: a phone whose clock is minutes ahead is refused what it stamps."""
    ahead = read(truth.run.scenario).clock.offset_s[1] > REFUSED_AHEAD_S
    return {"ERR_TIMESTAMP_FUTURE"} if ahead else set()


def _steps(diary: Diary, run: Run) -> Iterator[Step]:
    who, scenario = Who(diary.phone.key, run.date, run.seed), read(run.scenario)
    if run.replay is not None:
        return recorded(replay.load(Path(run.replay)), who, scenario)
    if diary.phone.route is None:
        raise SetupFailed(f"{diary.phone.key} has no route")
    return day(diary.phone.route, who, scenario)


def _clock(options: Options, truth: Truth, server: tuple[float, float] | None, firsts: dict[str, Step]) -> SimClock:
    """The server's own clock where it is simulated; else the day's beginning, or where the run was broken off."""
    if server is not None:
        return SimClock(*server)
    start = max(truth.last_at, min(step.until for step in firsts.values() if isinstance(step, Wait)))
    overtakes = options.speed > 1 and max(map(_ends, truth.diaries.values())) > time()
    if start > time() + 60 or overtakes:
        raise SetupFailed(
            f"phones would be ahead of the server's clock on {options.date} and be refused: take a date in the past, "
            "or a server with --clock START@SPEED"
        )
    return SimClock(start, options.speed)


def _ends(diary: Diary) -> float:
    """About when a driver's planned day ends; a recorded one is over already."""
    route = diary.phone.route
    if route is None:
        return 0.0
    planned = [route.end.time if route.end else None, *(stop.departureTime for stop in route.stops)]
    return max((unix(moment) for moment in planned if moment), default=0.0)


def _phone(truth: Truth, diary: Diary, index: int, clock: SimClock, gallery: Gallery, measures: Measures) -> Phone:
    run, scenario = truth.run, read(truth.run.scenario)
    who = Who(diary.phone.key, run.date, run.seed)
    transport = _transport(run, diary.phone.token, packed=index % 2 == 1)
    if diary.phone.second_token is not None:
        transport = TwoDevices(transport, _transport(run, diary.phone.second_token, packed=index % 2 == 0))
    return Phone(diary, truth, transport, clock, scenario.network, who.rng("phone"), gallery.noticed, measures)


def _transport(run: Run, token: str, packed: bool) -> Transport:
    def connect() -> httpx.AsyncClient:
        return http_client(run.url)

    return Socket(connect, run.url, token, packed) if run.transport == "ws" else Http(connect, token)


async def _drive(
    running: dict[Phone, Iterator[Step]],
    clock: SimClock,
    truth: Truth,
    options: Options,
    console: Console,
    ending: asyncio.Event,
) -> None:
    """Let all phones live, until their days are over or the run is to end; then until their outboxes are empty."""
    stops = sum(len(diary.phone.route.stops) for diary in truth.diaries.values() if diary.phone.route) or len(running)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total} stops"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("", total=stops)
        lives = [asyncio.create_task(phone.live(steps)) for phone, steps in running.items()]
        begun = monotonic()
        left = set(lives)
        while left and not ending.is_set() and (options.seconds is None or monotonic() - begun < options.seconds):
            _, left = await asyncio.wait(left, timeout=0.25)
            progress.update(bar, description=_where(clock, truth), completed=_finished(truth))
        for phone in running:
            phone.stop()
        await _drain(lives, truth)


async def _drain(lives: list[asyncio.Task[None]], truth: Truth) -> None:
    """Wait for the outboxes as long as they get emptier."""
    left, known = set(lives), -1
    while left and _acknowledged(truth) > known:
        known = _acknowledged(truth)
        _, left = await asyncio.wait(left, timeout=PATIENCE_S)
    for task in left:
        task.cancel()
    await asyncio.gather(*lives, return_exceptions=bool(left))


def _acknowledged(truth: Truth) -> int:
    return sum(len(diary.acknowledged) for diary in truth.diaries.values())


def _where(clock: SimClock, truth: Truth) -> str:
    now = clock.now()
    queued = sum(len(diary.messages) - len(diary.acknowledged) for diary in truth.diaries.values())
    return f"{int(now) // 3600 % 24:02}:{int(now) // 60 % 60:02} UTC, {max(0, queued)} queued"


def _finished(truth: Truth) -> int:
    return sum(
        sum(status in ("success", "failed", "rejected") for _, status, _ in diary.expectations)
        for diary in truth.diaries.values()
    )


def _counted(truth: Truth) -> Verdict:
    """Without verification: what was sent and acknowledged, nothing about what is stored."""
    verdict = Verdict()
    for diary in truth.diaries.values():
        fixes, actions, files = diary.fixes(), diary.actions(), diary.attachments()
        verdict.positions.sent += len(fixes)
        verdict.positions.acknowledged += sum(any(known for _, known in sent) for sent in fixes.values())
        verdict.actions.sent += len(actions)
        verdict.actions.acknowledged += sum(known for _, known in actions)
        verdict.attachments.sent += len(files)
        verdict.attachments.acknowledged += sum(known for _, known in files.values())
    return verdict


def _sum(counts: list[dict[str, int]]) -> dict[str, int]:
    codes = {code for count in counts for code in count}
    return {code: sum(count.get(code, 0) for count in counts) for code in sorted(codes)}
