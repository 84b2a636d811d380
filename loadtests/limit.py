"""Where the limit is: what arrives by itself, counted step by step, and the last step that was held."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from loadtests.generator import LATE_MS as GENERATOR_LATE_MS
from loadtests.generator import Own
from loadtests.shapes import FIXES, STEP_S, step, step_rate
from simulator.histogram import Histogram

LATE_MS = 500.0
"""A step is beyond the limit where one of a hundred requests takes longer,"""
REFUSED_SHARE = 0.01
"""or one of a hundred is refused,"""
SENT_SHARE = 0.9
"""or the requests that were due could not even be sent."""
ENOUGH, ENOUGH_OF_LATE = 2, 4
"""So many such steps in a row are the end, for one may be a hiccup; more where the generator was late itself."""


class Steps:
    """Counts what arrives by itself, step by step to the limit; workers report theirs to the master."""

    def __init__(self) -> None:
        self.times: dict[int, Histogram] = defaultdict(Histogram)
        self.failed: dict[int, int] = defaultdict(int)

    def count(self, elapsed: float, milliseconds: float, error: Any) -> None:
        """One request, by the step in which it was due."""
        number = step(max(0.0, elapsed - milliseconds / 1000))
        if number < 0:
            return
        self.times[number].add(milliseconds)
        self.failed[number] += error is not None

    def take(self) -> dict[str, Any]:
        """What was counted since the last time, for the master."""
        told = {str(n): [dict(times.counts), self.failed[n]] for n, times in self.times.items()}
        self.times.clear()
        self.failed.clear()
        return told

    def add(self, told: dict[str, Any]) -> None:
        """What a worker counted."""
        for number, (counts, failed) in told.items():
            self.times[int(number)] = self.times[int(number)].merged(Histogram(counts))
            self.failed[int(number)] += failed

    def beyond(self, number: int, scale: float = 1.0) -> list[str]:
        """Why a step is beyond the limit; empty where it was held."""
        times = self.times[number]
        wanted = step_rate(number) * scale * STEP_S
        why = []
        if len(times) < SENT_SHARE * wanted:
            why.append("unanswered")
        if times.percentile(0.99) > LATE_MS:
            why.append("late")
        if self.failed[number] > REFUSED_SHARE * len(times):
            why.append("refused")
        return why

    def passed(self, number: int, own: Own, scale: float = 1.0) -> bool:
        """Whether the limit was passed for good with this step."""
        row = 0
        while row <= number and self.beyond(number - row, scale):
            row += 1
        late = any(own.late_ms(each) > GENERATOR_LATE_MS for each in range(number - ENOUGH + 1, number + 1))
        return row >= (ENOUGH_OF_LATE if late else ENOUGH)

    def knee(self, until: int, own: Own, scale: float = 1.0) -> dict[str, Any]:
        """All steps before ``until``, the last that was held before the limit was passed, and what made it the last:
        ``server``, ``generator`` where that was late itself by then, or ``nothing`` where the test ended first.
        """
        steps = [
            {
                "requestsPerSecond": round(step_rate(number) * scale, 1),
                "answered": len(self.times[number]),
                "p50": self.times[number].percentile(0.5),
                "p99": self.times[number].percentile(0.99),
                "failed": self.failed[number],
                "generatorLateMs": own.late_ms(number),
                "beyond": self.beyond(number, scale),
            }
            for number in range(until)
        ]
        end = next((number for number in range(until) if self.passed(number, own, scale)), None)
        held = [number for number in range(until if end is None else end) if not self.beyond(number, scale)]
        rate = round(step_rate(held[-1]) * scale, 1) if held else 0.0
        late = any(own.late_ms(number) > GENERATOR_LATE_MS for number in range((held or [-1])[-1] + 1, (end or -1) + 1))
        return {
            "limit": {"requestsPerSecond": rate, "positionsPerSecond": round(rate * FIXES)},
            "endedBy": "nothing" if end is None else "generator" if late else "server",
            "steps": steps,
        }


def write_knee(told: dict[str, Any], path: Path) -> list[str]:
    """Write the limit down, and say it: a line for each step, and a sentence."""
    path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    lines = [" requests/s  answered     p50 ms     p99 ms  failed  generator late ms"]
    for each in told["steps"]:
        lines.append(
            f"{each['requestsPerSecond']:>11} {each['answered']:>9} {each['p50']:>10} {each['p99']:>10} "
            f"{each['failed']:>7} {each['generatorLateMs']:>18}  {', '.join(each['beyond'])}"
        )
    limit, ended = told["limit"], told["endedBy"]
    lines.append(f"held {limit['requestsPerSecond']} requests ({limit['positionsPerSecond']} positions) a second")
    if ended == "generator":
        lines.append("GENERATOR: it was late itself beyond that, so the server may hold more")
    if ended == "nothing":
        lines.append("the last step was held: the limit is higher (--scale)")
    return [*lines, f"written to {path}"]
