"""Where the limit is: what arrives by itself, counted step by step, and the last step that was held."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from loadtests.shapes import FIXES, STEP_S, step, step_rate
from simulator.histogram import Histogram

LATE_MS = 500.0
"""A step is beyond the limit where one of a hundred requests takes longer,"""
REFUSED_SHARE = 0.01
"""or one of a hundred is refused,"""
SENT_SHARE = 0.9
"""or the requests that were due could not even be sent."""


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

    def beyond(self, number: int) -> bool:
        """Whether a step is beyond the limit: late, refused, or not even sent."""
        times = self.times[number]
        wanted = step_rate(number) * STEP_S
        short = len(times) < SENT_SHARE * wanted
        return short or times.percentile(0.99) > LATE_MS or self.failed[number] > REFUSED_SHARE * len(times)

    def knee(self, until: int) -> dict[str, Any]:
        """All steps before ``until``, and the last that was held."""
        steps = [
            {
                "requestsPerSecond": round(step_rate(number), 1),
                "answered": len(self.times[number]),
                "p50": self.times[number].percentile(0.5),
                "p99": self.times[number].percentile(0.99),
                "failed": self.failed[number],
                "held": not self.beyond(number),
            }
            for number in range(until)
        ]
        held = [each for each in steps if each["held"]]
        rate = held[-1]["requestsPerSecond"] if held else 0.0
        return {"limit": {"requestsPerSecond": rate, "positionsPerSecond": round(rate * FIXES)}, "steps": steps}


def write_knee(steps: Steps, until: int, path: Path) -> str:
    """Write the limit down, and say it in a sentence."""
    told = steps.knee(until)
    path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    limit = told["limit"]
    return f"held {limit['requestsPerSecond']} requests ({limit['positionsPerSecond']} positions) a second; see {path}"
