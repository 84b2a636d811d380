"""The demo: a server of its own on this machine, an account, a planned day, and a fleet that drives it fast.

The server runs twice: first at ordinary speed while the day is planned, then with a clock that begins when most vans
have left and runs fast, so that nobody waits and ages, arrival estimates and windows on the map are right.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import tempfile
import webbrowser
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
from msgspec import Struct
from rich.console import Console

from simulator.account import Account, SetupFailed
from simulator.crew import Ended, prepare, unless
from simulator.fleet import simulate
from simulator.options import Options
from simulator.transport import http_client
from simulator.wire import Route, iso, unix

READY_WITHIN_S = 60.0
STOPPED_WITHIN_S = 15.0
ALREADY_OUT = 0.6
"""The share of vans that are to be on the road when the clock begins; what they did before comes in first."""


class Demo(Struct, frozen=True, kw_only=True):
    """What to show; ``seconds`` None drives the whole day and serves until Ctrl-C."""

    date: str
    seconds: float | None = None
    browser: bool = True
    port: int = 8000
    drivers: int = 25
    orders: int = 320
    speed: float = 60.0
    seed: int = 1
    transport: str = "ws"
    data: Path | None = None


async def run(demo: Demo, console: Console, tell: Callable[[dict[str, Any]], None]) -> bool:
    """The whole demo; False where something was lost. The report is told as soon as the day is over. Ctrl-C ends the
    planning, the day or the serving, whichever it meets, never the verification.
    """
    ending = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    try:
        return await _run(demo, console, tell, ending)
    except Ended as told:
        console.print(str(told))
        return True


async def _run(demo: Demo, console: Console, tell: Callable[[dict[str, Any]], None], ending: asyncio.Event) -> bool:
    with tempfile.TemporaryDirectory(prefix="codriver-demo-") as scratch:
        data = demo.data or Path(scratch)
        data.mkdir(parents=True, exist_ok=True)
        log = data / "demo.log"
        port = _free_port(demo.port)
        key = await _new_account(data, log, fresh=demo.data is None)
        options = Options(
            url=f"http://127.0.0.1:{port}",
            key=key,
            date=demo.date,
            drivers=demo.drivers,
            orders=demo.orders,
            speed=demo.speed,
            seed=demo.seed,
            transport=demo.transport,
            seconds=demo.seconds,
            verify=True,
        )
        early = (datetime.fromisoformat(demo.date) + timedelta(hours=4)).replace(tzinfo=UTC).timestamp()
        console.print(f"planning {demo.orders} orders for {demo.drivers} drivers …", style="dim")
        async with _server(data, port, log, f"{iso(early)}@1"):
            await unless(ending, prepare(options))
            leaves = sorted(map(_leaves, await _routes(options)))
        async with _server(data, port, log, f"{iso(leaves[int(ALREADY_OUT * (len(leaves) - 1))])}@{demo.speed:g}"):
            await _show(options, console, demo.browser)
            report = await simulate(options, console, ending)
            tell(report)
            if demo.seconds is None and not ending.is_set():
                console.print("the day is over; the map is still served. Ctrl-C ends.")
                await ending.wait()
        return bool(report["ok"])


async def _show(options: Options, console: Console, browser: bool) -> None:
    """Say where to look: the map, and one recipient's page."""
    address = f"{options.url}/map#key={options.key}"
    console.print(f"map        {address}", soft_wrap=True, highlight=False, markup=False)
    async with http_client(options.url) as client:
        account = Account(client, options.key)
        second = next(
            (stop.orderId for route in await account.routes(options.date) for stop in route.stops[1:2] if stop.orderId),
            None,
        )
        if second is not None:
            tracking = (await account.completions([second])).get(second, {}).get("tracking_url")
            if tracking:
                console.print(f"recipient  {tracking}", soft_wrap=True, highlight=False, markup=False)
    if browser:
        await asyncio.to_thread(webbrowser.open, address)


async def _routes(options: Options) -> list[Route]:
    async with http_client(options.url) as client:
        routes = [
            route for route in await Account(client, options.key).routes(options.date) if route.sent and route.stops
        ]
    if not routes:
        raise SetupFailed("the plan has no routes")
    return routes


def _leaves(route: Route) -> float:
    known = [route.start.time if route.start else None, route.stops[0].arrivalTime, route.stops[0].scheduledAt]
    return unix(next((time for time in known if time), f"{route.date}T07:00:00Z"))


async def _new_account(data: Path, log: Path, *, fresh: bool) -> str:
    """An account of this demo's own; returns its key, which is printed this once. A folder that was used before has
    one of that name already."""
    name = "Demo Deliveries" if fresh else f"Demo Deliveries {datetime.now(UTC):%Y-%m-%d %H:%M:%S}"
    with log.open("ab") as trouble:
        made = await asyncio.create_subprocess_exec(
            *_codriver("account", "create", name),
            env=_environment(data),
            stdout=asyncio.subprocess.PIPE,
            stderr=trouble,
            start_new_session=True,
        )
        out, _ = await made.communicate()
    words = out.decode().split()
    if made.returncode or not words:
        raise SetupFailed(f"the account could not be made:\n{_tail(log)}")
    return words[-1]


@asynccontextmanager
async def _server(data: Path, port: int, log: Path, clock: str) -> AsyncIterator[None]:
    """A server while the block runs. It has a session of its own, so that Ctrl-C reaches the demo alone and the
    server ends last. Its input is held open, so that it ends with a demo that is killed.
    """
    where = ("--host", "127.0.0.1", "--port", str(port), "--data", str(data))
    arguments = ("serve", "--ends-with-input", *where, "--clock", clock)
    with log.open("ab") as out:
        server = await asyncio.create_subprocess_exec(
            *_codriver(*arguments),
            env=_environment(data),
            stdin=asyncio.subprocess.PIPE,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        await _ready(server, port, log)
        yield
    finally:
        await asyncio.shield(_stop(server))


async def _ready(server: asyncio.subprocess.Process, port: int, log: Path) -> None:
    deadline = monotonic() + READY_WITHIN_S
    async with httpx.AsyncClient(trust_env=False) as client:
        while monotonic() < deadline:
            if server.returncode is not None:
                raise SetupFailed(f"the server ended with {server.returncode}:\n{_tail(log)}")
            try:
                if (await client.get(f"http://127.0.0.1:{port}/readyz")).is_success:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)
    raise SetupFailed(f"the server was not ready within {READY_WITHIN_S:.0f} s:\n{_tail(log)}")


async def _stop(server: asyncio.subprocess.Process) -> None:
    if server.returncode is None:
        server.terminate()
        try:
            async with asyncio.timeout(STOPPED_WITHIN_S):
                await server.wait()
        except TimeoutError:
            server.kill()
            await server.wait()


def _codriver(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "backend.cli", *arguments)


def _environment(data: Path) -> dict[str, str]:
    """This process's environment, without settings that would lead the demo to somebody's real stores."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CODRIVER_")}
    return kept | {"CODRIVER_DATA_DIR": str(data)}


def _free_port(wanted: int) -> int:
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise SetupFailed("no port is free on 127.0.0.1")


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
