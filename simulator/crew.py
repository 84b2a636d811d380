"""Before anybody drives: the account has what it needs, and every driver is logged in with a route."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from contextlib import aclosing
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console

from simulator.account import Account, SetupFailed
from simulator.handset import has_second
from simulator.options import Options
from simulator.progress import progress
from simulator.replay import load
from simulator.rounds import around
from simulator.scenario import read
from simulator.steps import Who
from simulator.transport import Client, phone_client
from simulator.truth import FINISHED, Before, Phone, Run, Truth
from simulator.verify import day_range, event_driver
from simulator.wire import Route, Stop, decode_route, encode

T = TypeVar("T")
PAIRING_AT_ONCE = 32
ORDERS_PER_DRIVER = 12.8
ROUND_STOPS = 13


class Ended(SetupFailed):
    """It was to end before anybody drove."""


async def prepare(options: Options) -> None:
    """Give the account what it lacks: fleet, orders, a plan that was sent; only a fleet where nothing is planned."""
    async with aclosing(phone_client(options.url)) as client:
        count = options.drivers or (1 if options.replay else 25)
        orders = options.orders if options.orders is not None else round(count * ORDERS_PER_DRIVER)
        account = Account(client, options.key)
        if _planned(options):
            await account.prepare(options.date, options.seed, count, orders)
        else:
            await account.staff(options.seed, options.date, count)


async def unless(ending: asyncio.Event, work: Coroutine[Any, Any, T]) -> T:
    """Do it, or leave it where the end comes first: then raises Ended."""
    working, ended = asyncio.create_task(work), asyncio.create_task(ending.wait())
    try:
        await asyncio.wait({working, ended}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Ended("ended before anybody drove")
        return working.result()
    finally:
        working.cancel()
        ended.cancel()
        await asyncio.wait({working, ended})


async def log_in(options: Options, account: Account, client: Client, console: Console) -> Truth:
    """The truth to go on with, or a new one with every driver logged in."""
    held = options.state is not None and options.state.exists() and options.state.stat().st_size > 0
    if held and options.state is not None:
        if not options.resume and not options.verify:
            raise SetupFailed(f"{options.state} holds a run already: --resume goes on with it, --verify compares")
        if (truth := _known(options.state, options.resume)) is not None:
            return truth
    if options.resume and options.state is not None and options.state.with_name(f"{options.state.name}.0").exists():
        raise SetupFailed(f"{options.state} is of a run in several processes: go on with as many --processes")
    console.print("preparing the account …", style="dim")
    await prepare(options)
    routes = [route for route in await account.routes(options.date) if route.sent] if _planned(options) else []
    chosen = await _chosen(options, account, {route.driverId for route in routes})
    mine = {driver["id"] for _, driver in chosen}
    first = options.part[0] == 0
    unscheduled = await account.unscheduled(options.date) if _planned(options) and first else []
    stops = sum(1 for route in routes if route.driverId in mine for stop in route.stops if stop.orderId)
    events = await account.events()
    names = {_named(driver) for _, driver in chosen}
    run = Run(
        options.url,
        options.date,
        options.seed,
        options.transport,
        options.scenario,
        str(options.replay) if options.replay else None,
        stops + len(unscheduled),
        tuple(unscheduled),
        len(events),
        any(event_driver(event) in names for event in events),
        options.named or ("" if options.scenario else "default"),
        options.command(),
        len(chosen),
        _before([stop for route in routes if route.driverId in mine for stop in route.stops], events),
    )
    phones: dict[int, Phone] = {}
    left = iter(chosen)
    with progress(console, "logging in", "drivers", len(chosen)) as show:

        async def some() -> None:
            for number, driver in left:
                rounds = number if not _planned(options) and options.replay is None else None
                phones[number] = await _pair(account, client, driver, run, rounds)
                show(len(phones), "")

        await asyncio.gather(*(some() for _ in range(PAIRING_AT_ONCE)))
    truth = Truth.begin(run, options.state)
    for number, _ in chosen:
        truth.paired(phones[number])
    return truth


def _planned(options: Options) -> bool:
    """Whether drivers drive what the server planned, not a record and not rounds of their own."""
    return options.replay is None and options.orders != 0


async def _chosen(options: Options, account: Account, routed: set[str]) -> list[tuple[int, dict[str, Any]]]:
    """The drivers of this process, with their numbers among all."""
    staff = [driver async for driver in account.drivers()]
    wanted = [driver for driver in staff if not _planned(options) or driver["id"] in routed]
    all_of_them = list(enumerate(wanted))[: options.drivers or (1 if options.replay else None)]
    if not all_of_them:
        raise SetupFailed(f"no driver has a route on {options.date}")
    part, parts = options.part
    return all_of_them[part::parts]


def _before(stops: list[Stop], events: list[dict[str, Any]]) -> dict[str, Before]:
    """The orders that were begun, ended or cancelled before anybody drove here."""
    ended: dict[str, float] = {}
    for event in events:
        if event["event"] in FINISHED and "orderId" in event:
            ended[event["orderId"]] = max(ended.get(event["orderId"], 0.0), float(event["unixTimestamp"]))
    return {
        stop.orderId: Before(stop.status, ended.get(stop.orderId))
        for stop in stops
        if stop.orderId and stop.status != "scheduled"
    }


def _known(path: Path, anew: bool) -> Truth | None:
    """The run of a file; None, and an empty file, where it ends before anybody drove and may begin ``anew``."""
    truth = Truth.read(path)
    if len(truth.diaries) == truth.run.drivers:
        return truth
    truth.close()
    if not anew:
        raise SetupFailed(f"{path} ends before all drivers had logged in: --resume begins it anew")
    os.truncate(path, 0)
    return None


async def _pair(account: Account, client: Client, driver: dict[str, Any], run: Run, rounds: int | None) -> Phone:
    """Log one driver in as its app would, and fetch its route, or make the round of this number."""
    key = driver.get("externalId") or driver["id"]
    token = await _token(account, client, driver, "Phone")
    second = None
    if has_second(Who(key, run.date, run.seed), read(run.scenario)):
        second = await _token(account, client, driver, "Tablet")
    route = None
    if rounds is not None:
        route = around(run.seed, run.date, rounds, ROUND_STOPS, ordered=False)
    elif run.replay is None:
        route = await fetch_route(client, token, run.date)
        if route is None:
            raise SetupFailed(f"{driver.get('externalId')} is given no route on {run.date}")
    recorded = [fix.at_ms for fix in load(Path(run.replay))] if run.replay is not None else []  # maybe of another day
    held = await account.track(driver["id"], *day_range(run.date, recorded))
    return Phone(driver["id"], key, _named(driver), token, route, tuple(fix.at_ms for fix in held), second)


def _named(driver: dict[str, Any]) -> str:
    """How events name this driver."""
    return str(driver.get("externalId") or driver.get("serial") or driver["name"])


async def _token(account: Account, client: Client, driver: dict[str, Any], model: str) -> str:
    """Pair one device of a driver."""
    device = {"platform": "simulator", "model": model, "appVersion": "1.0"}
    code = await account.pairing_code(driver["id"])
    content, headers = encode({"code": code, "device": device}), {"Content-Type": "application/json"}
    answer = await client.request("POST", "/driver/v1/pair", content=content, headers=headers)
    if not answer.is_success:
        raise SetupFailed(f"pairing {driver.get('externalId')}: HTTP {answer.status_code} {answer.content[:200]!r}")
    return str(answer.json()["token"])


async def fetch_route(client: Client, token: str, date: str) -> Route | None:
    """The active plan's route as the phone gets it; asked for again with its ETag it must answer 304."""
    headers = {"Authorization": f"Bearer {token}"}
    address = f"/driver/v1/route?date={date}"
    answer = await client.request("GET", address, headers=headers)
    if not answer.is_success:
        raise SetupFailed(f"route: HTTP {answer.status_code} {answer.content[:200]!r}")
    again = {"If-None-Match": answer.headers["etag"]} if "etag" in answer.headers else {}
    unchanged = await client.request("GET", address, headers=headers | again)
    if again and unchanged.status_code not in (200, 304):
        raise SetupFailed(f"route with If-None-Match: HTTP {unchanged.status_code}")
    return decode_route(answer.content).route
