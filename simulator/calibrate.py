"""How like a real van's record the simulated ones are: percentiles side by side.

Nothing is sent: a fleet is generated as for a new account, its stops driven in a plausible order, and each message
given the time at which it would reach a server that answers at once.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from io import StringIO
from itertools import pairwise
from pathlib import Path

from msgspec import Struct
from rich.console import Console
from rich.table import Table

from simulator import replay
from simulator.chance import percentile
from simulator.day import day
from simulator.handset import battery_of, clock_of
from simulator.rounds import around
from simulator.scenario import Scenario
from simulator.steps import Send, Wait, Who
from simulator.trouble import without_signal
from simulator.wire import Position, Positions, Route

DATE = "2026-03-02"
DRIVERS, STOPS = 240, 13
SHARES = (0.25, 0.5, 0.75, 0.95, 0.99)
ALIKE = 0.15
"""The difference up to which a percentile counts as alike."""
FEWEST = 100
"""Of fewer values the far percentiles say nothing."""
LAG_S = {0.5: 1.8, 0.95: 16.0, 0.99: 229.0}
"""The same van's lag over a longer time, by percentile; taken where a record has too few times of the server."""
MOVING_MPS = 1.5
"""Above it a van moves. How long it stands is the day's plan, not the motion."""


class Sample(Struct):
    """What was measured: seconds between fixes, accuracy in metres, speed in m/s while moving, seconds from a fix to
    the server.
    """

    interval_s: list[float]
    accuracy_m: list[float]
    speed_mps: list[float]
    lag_s: list[float]


class Row(Struct, frozen=True):
    """One percentile of one quantity; ``alike`` is None where the record has too few values to say."""

    name: str
    share: float
    recorded: float
    simulated: float
    alike: bool | None


def recorded(path: Path) -> Sample:
    """The sample of a recorded track; lag only where a CSV has ``server_unix_time``. Raises as replay does."""
    fixes = replay.load(path)
    lag = []
    if path.suffix.lower() == ".csv":
        for row in csv.DictReader(StringIO(path.read_text(encoding="utf-8-sig"))):
            if row.get("server_unix_time"):
                lag.append(float(row["server_unix_time"]) - float(row["unix_time"]))
    return _sample([fixes], lag)


def simulated(scenario: Scenario, seed: int) -> Sample:
    """The sample of a whole simulated fleet."""
    tracks, lag = [], []
    for number in range(DRIVERS):
        who = Who(f"DRV{number + 1:03}", DATE, seed)
        fixes = []
        for fix, late_s in _arriving(who, scenario, around(seed, DATE, number, STOPS, ordered=True)):
            fixes.append(fix)
            lag.append(late_s)
        tracks.append(sorted(fixes, key=lambda fix: fix.timestamp))
    return _sample(tracks, lag)


def compare(real: Sample, made: Sample) -> list[Row]:
    """All percentiles of all quantities that both have."""
    rows = []
    for name in Sample.__struct_fields__:
        ours, theirs = sorted(getattr(made, name)), sorted(getattr(real, name))
        for share in SHARES if ours and theirs else ():
            wanted, found = percentile(theirs, share), percentile(ours, share)
            near = abs(found - wanted) <= ALIKE * abs(wanted)
            rows.append(Row(name, share, wanted, found, near if len(theirs) >= FEWEST else None))
    if len(real.lag_s) < FEWEST:
        ours = sorted(made.lag_s)
        rows = [row for row in rows if row.name != "lag_s"]
        for share, wanted in LAG_S.items():
            found = percentile(ours, share)
            rows.append(Row("lag_s (known)", share, wanted, found, abs(found - wanted) <= ALIKE * wanted))
    return rows


def table(rows: Iterable[Row], console: Console) -> None:
    """Print the percentiles side by side."""
    grid = Table(title="simulated against recorded", title_justify="left")
    for name in ("", "percentile", "recorded", "simulated", "difference", ""):
        grid.add_column(name, justify="left" if not name else "right")
    for row in rows:
        difference = f"{(row.simulated / row.recorded - 1) * 100:+.0f} %" if row.recorded else ""
        verdict = {True: "[green]alike", False: "[red]differs", None: "[dim]too few"}[row.alike]
        shown = f"{row.share * 100:.0f}", f"{row.recorded:.2f}", f"{row.simulated:.2f}"
        grid.add_row(row.name, *shown, difference, verdict)
    console.print(grid)


def _sample(tracks: list[list[Position]], lag: list[float]) -> Sample:
    fixes = [fix for track in tracks for fix in track]
    return Sample(
        [after.timestamp - before.timestamp for track in tracks for before, after in pairwise(track)],
        [fix.accuracy for fix in fixes if fix.accuracy is not None],
        [fix.speed for fix in fixes if fix.speed is not None and fix.speed > MOVING_MPS],
        lag,
    )


def _arriving(who: Who, scenario: Scenario, route: Route) -> Iterator[tuple[Position, float]]:
    """Every fix of a day, and how many seconds after it was taken it reaches the server."""
    now = begins = 0.0
    silent: list[tuple[float, float]] = []
    coming: Iterator[tuple[float, float]] = iter(())
    offset = clock_of(who, scenario)
    for step in day(route, who, scenario):
        match step:
            case Wait(until=now):
                if not begins:
                    begins = now
                    battery = battery_of(who, scenario, begins)
                    coming = without_signal(who, scenario, begins)
                    silent = [next(coming, (float("inf"), float("inf")))]
                    if battery.dies is not None:
                        silent.append((battery.dies, battery.back))
            case Send(message=Positions(positions=fixes, device=0)):
                while silent[0][1] < now:
                    silent[0] = next(coming, (float("inf"), float("inf")))
                ready = now
                for low, high in silent:
                    ready = high if low <= ready < high else ready
                yield from ((fix, ready - (fix.timestamp - offset)) for fix in fixes)
