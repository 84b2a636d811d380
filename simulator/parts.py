"""One fleet in several processes: each drives and verifies a part of the drivers, and their reports become one."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from msgspec.structs import replace
from rich.console import Console

from simulator.crew import prepare
from simulator.fleet import simulate
from simulator.histogram import Histogram
from simulator.options import Options
from simulator.report import LATE_MS
from simulator.verify import EXAMPLES

COUNTED = ("positions", "actions", "attachments", "orderStatuses", "live", "refused", "throughput", "injected")
MEASURED = ("acknowledgementMs", "mapMs", "latenessMs")


async def simulate_in_parts(options: Options, processes: int, console: Console) -> dict[str, Any]:
    """The report of a fleet that so many processes drive. Ctrl-C reaches each of them. Raises as ``simulate`` does."""
    if options.state is None or not options.state.exists():
        await prepare(options)
    console.print(f"{processes} processes drive …", style="dim")
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        parts = [_part(options, number, processes) for number in range(processes)]
        reports = await asyncio.gather(*(loop.run_in_executor(pool, drive, part) for part in parts))
    return merged(reports, options)


def drive(options: Options) -> dict[str, Any]:
    """One process's part of the fleet."""

    async def run() -> dict[str, Any]:
        ending = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, ending.set)
        return await simulate(options, Console(quiet=True), ending)

    return asyncio.run(run())


def merged(reports: Sequence[dict[str, Any]], options: Options) -> dict[str, Any]:
    """One report of the reports of all parts: counts are added, examples are the first of all."""
    whole = dict(reports[0])
    for name in ("drivers", "orders", "retries", "cpu", "driversOut", "driversPerCore", "memoryMb"):
        whole[name] = sum(report[name] for report in reports)
    whole["cpu"], whole["driversPerCore"] = round(whole["cpu"], 3), round(whole["driversPerCore"] / len(reports))
    for name in ("simulatedSeconds", "wallSeconds", "verifySeconds"):
        whole[name] = max(report[name] for report in reports)
    for name in COUNTED:
        total: Counter[str] = Counter()
        for report in reports:
            total.update(report[name])
        whole[name] = {key: total[key] for report in reports for key in report[name]}
    for name in MEASURED:
        together = Histogram()
        for report in reports:
            together = together.merged(Histogram(report["histograms"][name]))
        whole[name] = together.told()
        whole["histograms"] = {**whole["histograms"], name: dict(together.counts)}
    whole["keptUp"] = whole["latenessMs"]["p99"] <= LATE_MS
    if options.drawn:
        whole["journeys"] = [each for report in reports for each in report["journeys"]]
    whole["ok"] = all(report["ok"] for report in reports)
    whole["troubles"] = [trouble for report in reports for trouble in report["troubles"]]
    whole["faults"] = _faults([report["faults"] for report in reports])
    return whole


def _faults(parts: Sequence[dict[str, dict[str, list[str]]]]) -> dict[str, dict[str, list[str]]]:
    whole: dict[str, dict[str, list[str]]] = {}
    for part in parts:
        for thing, kinds in part.items():
            for kind, examples in kinds.items():
                named = whole.setdefault(thing, {}).setdefault(kind, [])
                named += examples[: EXAMPLES - len(named)]
    return whole


def _part(options: Options, number: int, parts: int) -> Options:
    state = options.state and options.state.with_name(f"{options.state.name}.{number}")
    watch = options.watch // parts + (number < options.watch % parts)
    drawn = -(-options.drawn // parts)
    again = options.command()
    return replace(options, part=(number, parts), state=state, watch=watch, drawn=drawn, whole=again)
