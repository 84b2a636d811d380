"""Day after day, one server and one simulator: what they take up in a day they give back. `make soak` drives a week.

The baseline is what is held after the first day, which warms up: allocators, caches, pools. After the last day each
of the two, with the processes that it began, may hold ``GROWTH`` times the memory of that and ``SLACK_BYTES`` more,
and ``MORE_FILES`` more open files; what leaks by the day is beyond that in a week, and told day by day. The days pass
as fast as the machine allows: faster while the simulator is on time, slower where it is late.
"""

import asyncio
import contextlib
import multiprocessing
import os
import re
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace
from rich.console import Console

from simulator.fleet import simulate
from simulator.options import Options
from simulator.scenario import load
from tests.serving import Server, eventually

FIRST = date(2026, 3, 2)
DRIVERS, ORDERS = 8, 80
FEW, SHORT = 4, 2
"""So many drivers where no more than so many days are driven, which every run of the tests waits for."""
GROWTH, SLACK_BYTES, MORE_FILES = 1.2, 24 << 20, 2
FIRST_SPEED, FASTEST = 4000.0, 20_000.0
ON_TIME_MS = 250.0
SOCKETS = 8
"""The server's own: where it listens, the loop's, its planner's, and one of this test's client."""
DATABASE_FILES = 16
"""Two of each of its connections, of which one writes and up to six read: as many as ever read at once, which one day
may need and another not. And its index and its lock."""
DAY_WITHIN_S = 900


class Held(NamedTuple):
    """What a process and those that it began hold."""

    bytes: int
    files: Counter[str]

    def __str__(self) -> str:
        return f"{self.bytes >> 20} MB and {self.files.total()} files"


def drive(options: Options) -> dict[str, Any]:
    """One day, in the process of the simulator, which lives through all of them."""
    return asyncio.run(simulate(options, Console(quiet=True)))


def held(pid: int) -> Held:
    processes = family(pid)
    return Held(sum(map(resident_bytes, processes)), sum((open_files(each) for each in processes), Counter()))


def family(pid: int) -> list[int]:
    """A process and all that came of it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            children.setdefault(int(entry.read_text().rpartition(") ")[2].split()[1]), []).append(
                int(entry.parent.name)
            )
    found = [pid]
    for each in found:
        found += children.get(each, [])
    return found


def open_files(pid: int) -> Counter[str]:
    """How many, by what they are: connections, database, pipes."""
    found: Counter[str] = Counter()
    with contextlib.suppress(FileNotFoundError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                found[re.sub(r"\W.*", "", Path(os.readlink(entry)).name)] += 1
    return found


def resident_bytes(pid: int) -> int:
    with contextlib.suppress(OSError):
        status = Path(f"/proc/{pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) * 1024
    return 0


def given_back(before: dict[str, Held], after: dict[str, Held]) -> None:
    for name, baseline in before.items():
        said = f"the {name} held {baseline} after the first day and {after[name]} after the last"
        assert after[name].bytes < GROWTH * baseline.bytes + SLACK_BYTES, said
        more = after[name].files - baseline.files
        assert counted(after[name].files) <= counted(baseline.files) + MORE_FILES, f"{said}: {dict(more)}"


def counted(files: Counter[str]) -> int:
    """Without those of the database that may be open at any time."""
    return files.total() - min(files["codriver"], DATABASE_FILES)


@pytest.mark.timeout(7200)
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads what a process holds from /proc")
def test_memory_and_files_are_given_back_day_after_day(tmp_path: Path, seed: int, request: pytest.FixtureRequest):
    server = Server(tmp_path / "data").start()
    assert server.process is not None
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as simulator:
        try:
            few = FEW if request.config.option.days <= SHORT else DRIVERS
            orders = ORDERS * few // DRIVERS
            base = Options(url=server.url, key=server.account().key, date="", drivers=few, orders=orders, watch=4)
            base = replace(base, scenario=load("city"), named="city", speed=FIRST_SPEED, verify=True)
            pids = {"server": server.process.pid, "simulator": simulator.submit(os.getpid).result(60)}
            days: list[dict[str, Held]] = []
            for number in range(request.config.option.days):
                day, transport = (FIRST + timedelta(days=number)).isoformat(), ("ws", "http")[number % 2]
                base = replace(base, date=day, transport=transport, seed=seed + number)
                report = simulator.submit(drive, base).result(DAY_WITHIN_S)
                assert report["ok"], f"{report['faults']} {report['troubles']} {server.tail()}"
                eventually(
                    lambda: open_files(pids["server"])["socket"] <= SOCKETS, within_s=90, what="idle sockets' end"
                )
                days.append({name: held(pid) for name, pid in pids.items()})
                told = ", ".join(f"{name} {each}" for name, each in days[-1].items())
                print(f"{day} x{base.speed:.0f}: {report['positions']['stored']} positions; {told}", flush=True)
                late = report["latenessMs"]["p99"] > ON_TIME_MS
                base = replace(
                    base, speed=max(FIRST_SPEED / 4, base.speed / 1.5) if late else min(FASTEST, base.speed * 1.5)
                )
            given_back(days[0], days[-1])
        finally:
            server.kill()
