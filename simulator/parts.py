"""One fleet in several processes: each drives and verifies a part of the drivers, and their reports become one."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from rich.console import Console

from simulator.account import SetupFailed
from simulator.crew import prepare, unless
from simulator.fleet import simulate
from simulator.histogram import Histogram
from simulator.options import Options
from simulator.report import LATE_MS
from simulator.tally import EXAMPLES

COUNTED = ("positions", "actions", "attachments", "orderStatuses", "live", "refused", "throughput", "injected")
MEASURED = ("acknowledgementMs", "mapMs", "pageMs", "latenessMs")


_line: list[Connection] = []
"""In a process that drives a part: whence it hears that the day is to end."""


async def simulate_in_parts(
    options: Options, processes: int, console: Console, ending: asyncio.Event
) -> dict[str, Any]:
    """The report of a fleet that so many processes drive; ``ending`` ends the day of all of them, as does the failure
    of one. Raises as ``simulate`` does.
    """
    parts = [_part(options, number, processes) for number in range(processes)]
    _same_parts(options, [part.state for part in parts if part.state and part.state.exists()])
    if parts[0].state is None or not parts[0].state.exists():
        await unless(ending, prepare(options))
    console.print(f"{processes} processes drive …", style="dim")
    context, loop = multiprocessing.get_context("spawn"), asyncio.get_running_loop()
    heard, told = context.Pipe(duplex=False)
    with ProcessPoolExecutor(processes, context, _begin, (heard,)) as pool:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # which who is begun here inherits
        driving = [loop.run_in_executor(pool, drive, part) for part in parts]
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        stopped = asyncio.create_task(ending.wait())
        while not (stopped.done() or all(each.done() for each in driving) or any(map(_failed, driving))):
            left: list[asyncio.Future[Any]] = [each for each in driving if not each.done()]
            await asyncio.wait([stopped, *left], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        told.close()
        reports = await asyncio.gather(*driving, return_exceptions=True)
    heard.close()
    return merged([_report(each) for each in reports], options)


def _same_parts(options: Options, held: list[Path]) -> None:
    """A run that goes on, or is compared, must have been driven in as many processes."""
    if options.state is None or not (options.resume or options.verify):
        return
    known = [int(path.suffix[1:]) + 1 for path in options.state.parent.glob(f"{options.state.name}.[0-9]*")]
    if options.state.exists() or len(known) > len(held):
        driven = 1 if options.state.exists() else max(known)
        raise SetupFailed(f"{options.state} is of a run in {driven} processes: go on with --processes {driven}")


def _failed(driving: asyncio.Future[Any]) -> bool:
    return driving.done() and driving.exception() is not None


def _report(outcome: dict[str, Any] | BaseException) -> dict[str, Any]:
    if isinstance(outcome, BrokenProcessPool):
        raise SetupFailed("a process that drove a part of the fleet was killed") from outcome
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


def _begin(heard: Connection) -> None:
    _line.append(heard)


def drive(options: Options) -> dict[str, Any]:
    """One process's part of the fleet. It hears of Ctrl-C from the process that began it, and ends with that one at
    once, whatever ended it: nobody may write a state file that somebody else goes on with.
    """

    async def run() -> dict[str, Any]:
        ending, loop = asyncio.Event(), asyncio.get_running_loop()
        if (parent := multiprocessing.parent_process()) is not None:
            loop.add_reader(parent.sentinel, os._exit, 1)

        def told() -> None:
            loop.remove_reader(heard)
            ending.set()

        for heard in (line.fileno() for line in _line):
            loop.add_reader(heard, told)
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
    for name in ("ok", "verified"):
        whole[name] = all(report[name] for report in reports)
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
