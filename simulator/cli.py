"""The commands `simulate` and `demo`."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import click
import httpx
import msgspec
from rich.console import Console

from simulator import calibrate as calibration
from simulator import demo as demonstration
from simulator.account import SetupFailed
from simulator.fleet import simulate as run_fleet
from simulator.journeys import Journey
from simulator.options import Options
from simulator.parts import simulate_in_parts
from simulator.report import table
from simulator.scenario import PRESETS, digest, load
from simulator.scenario import read as read_scenario
from simulator.written import toml

EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)
MOST_DRAWN = 40
"""Drivers on the map of a report; more are a tangle."""
WIDE = 132
"""Columns where no terminal says how many it has."""
WRITABLE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option("--url", help="Address of the server, such as http://127.0.0.1:8000.")
@click.option("--key", envvar="CODRIVER_KEY", help="API key of the account, with the role tenant. [CODRIVER_KEY]")
@click.option("--date", type=click.DateTime(["%Y-%m-%d"]), help="Day to drive, YYYY-MM-DD.")
@click.option(
    "--drivers",
    type=click.IntRange(1, 10_000),
    help="Number of drivers; by default all that have a route, or 25 in a new account.",
)
@click.option(
    "--orders",
    type=click.IntRange(0, 100_000),
    help="Number of orders to create in a new account; by default 12.8 per driver. With 0, drivers just drive around.",
)
@click.option(
    "--speed",
    type=click.FloatRange(0.1, 1_000_000),
    default=10.0,
    show_default=True,
    help="Simulated seconds per second.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of all random choices.")
@click.option(
    "--transport",
    type=click.Choice(["http", "ws"]),
    default="http",
    show_default=True,
    help="How phones reach the server.",
)
@click.option("--scenario", help=f"What the day is like: {', '.join(PRESETS)}, or a TOML file.")
@click.option(
    "--calibrate",
    type=EXISTING,
    help="Only compare a simulated fleet (by default scenario city) with a recorded track; no server is needed.",
)
@click.option(
    "--print-scenario", is_flag=True, help="Only print the scenario with all its values, as TOML; no server is needed."
)
@click.option("--replay", type=EXISTING, help="Drive a recorded track (GPX, CSV, GeoJSON) instead.")
@click.option("--state", type=WRITABLE, help="Record everything that is done in this file, as it happens.")
@click.option("--resume", is_flag=True, help="Continue the run of the state file.")
@click.option(
    "--verify",
    is_flag=True,
    help="Compare the server's data with what was done; with a finished state file, only compare.",
)
@click.option(
    "--watch",
    type=click.IntRange(0, 2_000),
    default=0,
    help="Open this many maps and as many tracking pages, and check what they show.",
)
@click.option("--for", "seconds", type=click.FloatRange(0.5), help="End the day after this many seconds.")
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Number of processes that drive the fleet.",
)
@click.option("--report", type=WRITABLE, help="Write the report as JSON.")
@click.option("--html", type=WRITABLE, help="Write the report as one self-contained HTML page with charts.")
def simulate(
    report: Path | None,
    html: Path | None,
    scenario: str | None,
    calibrate: Path | None,
    processes: int,
    print_scenario: bool,
    **given: Any,
) -> None:
    """Drive a day with a simulated fleet of phones against a server, and check what the server holds afterwards."""
    if calibrate is not None:
        _calibrate(calibrate, scenario or "city", given["seed"], report)
    if print_scenario:
        _print(scenario)
    for name in ("url", "key", "date"):
        if not given[name]:
            raise click.UsageError(f"Missing option --{name}.")
    if given["resume"] and given["state"] is None:
        raise click.UsageError("--resume needs --state FILE.")
    for path in (report, html, given["state"]):
        _writable(path)
    try:
        text = load(scenario)
        read_scenario(text)
        given["date"] = given["date"].strftime("%Y-%m-%d")
        given["url"] = _address(given["url"])
        draw = _drawing() if html else None
        drawn = MOST_DRAWN if html else 0
        options = Options(scenario=text, named=scenario, part=(0, processes), drawn=drawn, **given)
        told = asyncio.run(_interruptible(options))
    except (SetupFailed, ValueError, OSError, httpx.HTTPError) as error:
        raise click.ClickException(str(error) or type(error).__name__) from error
    journeys = told.pop("journeys", [])
    _tell(told, report)
    if html and draw:
        _write(html, draw(told, journeys))
    sys.exit(0 if told["ok"] else 1)


@click.command()
@click.option(
    "--for", "seconds", type=click.FloatRange(0.5, 86_400), help="Drive for this many seconds, verify, and exit."
)
@click.option("--browser/--no-browser", default=True, help="Open the map in the browser.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8000,
    show_default=True,
    help="Port; another one is picked if it is in use.",
)
@click.option("--drivers", type=click.IntRange(1, 1000), default=25, show_default=True, help="Number of drivers.")
@click.option("--orders", type=click.IntRange(1, 20_000), default=320, show_default=True, help="Number of orders.")
@click.option(
    "--speed", type=click.FloatRange(1, 3600), default=60.0, show_default=True, help="Simulated seconds per second."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of all random choices.")
@click.option("--date", type=click.DateTime(["%Y-%m-%d"]), help="Day to drive; today by default.")
@click.option("--transport", type=click.Choice(["http", "ws"]), default="ws", show_default=True)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Data folder to use and keep; a temporary one by default.",
)
@click.option("--report", type=WRITABLE, help="Write the report as JSON.")
def demo(report: Path | None, **given: Any) -> None:
    """Start a server with a simulated fleet, watch a working day on the map in minutes, and verify it at the end."""
    given["date"] = (given["date"].date() if given["date"] else datetime.now(UTC).date()).isoformat()
    try:
        shown = demonstration.Demo(**given)
        clean = asyncio.run(demonstration.run(shown, _console(), lambda found: _tell(found, report)))
    except (SetupFailed, OSError, httpx.HTTPError) as error:
        raise click.ClickException(str(error) or type(error).__name__) from error
    sys.exit(0 if clean else 1)


def _drawing() -> Callable[[dict[str, Any], list[Journey]], str]:
    """The pictures' library is large, and only loaded where pictures are asked for."""
    from simulator.pictures import page

    return page


def _print(scenario: str | None) -> NoReturn:
    try:
        click.echo(toml(read_scenario(load(scenario))), nl=False)
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error
    sys.exit(0)


def _calibrate(path: Path, scenario: str, seed: int, report: Path | None) -> NoReturn:
    try:
        wanted = read_scenario(load(scenario))
        rows = calibration.compare(calibration.recorded(path), calibration.simulated(wanted, seed))
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error
    alike = all(row.alike is not False for row in rows)
    words = ["codriver", "simulate", "--calibrate", str(path), "--scenario", scenario, "--seed", str(seed)]
    names = {"seed": seed, "scenario": digest(wanted), "scenarioName": scenario, "command": shlex.join(words)}
    if report is not None:
        told = msgspec.json.encode({"ok": alike, **names, "rows": rows})
        report.write_bytes(msgspec.json.format(told, indent=1) + b"\n")
    console = _report_console()
    calibration.table(rows, console)
    console.print(f"seed {seed}, scenario {scenario} ({digest(wanted)})", style="dim", highlight=False)
    if not alike:
        console.print(f"again: {shlex.join(words)}", markup=False, highlight=False, soft_wrap=True)
    sys.exit(0 if alike else 1)


async def _interruptible(options: Options) -> dict[str, Any]:
    """Ctrl-C ends the day early; what was done is delivered, compared and reported all the same. A second one ends the
    program, whatever it waits for.
    """
    ending, loop, console = asyncio.Event(), asyncio.get_running_loop(), _console()

    def end(number: int, _frame: Any) -> None:
        if ending.is_set() or loop.is_closed():
            os.write(2, b"Ended at once, and told nothing.\n")
            os._exit(128 + number)
        loop.call_soon_threadsafe(ending.set)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    if (processes := options.part[1]) > 1:
        return await simulate_in_parts(options, processes, console, ending)
    return await run_fleet(options, console, ending)


def _address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url} is no address of a server, such as http://127.0.0.1:8000")
    return url.rstrip("/")


def _writable(path: Path | None) -> None:
    """A file that cannot be written is told before a day is driven for it."""
    if path is not None and not os.access(path if path.exists() else path.parent, os.W_OK):
        raise click.ClickException(f"{path} cannot be written")


def _tell(report: dict[str, Any], path: Path | None) -> None:
    table(report, _report_console())
    if path is not None:
        _write(path, json.dumps(report, indent=1) + "\n")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{path} was not written: {error}") from error


def _report_console() -> Console:
    return Console(width=None if sys.stdout.isatty() else WIDE)


def _console() -> Console:
    return Console(stderr=True)
