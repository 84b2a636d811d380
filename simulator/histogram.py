"""Times in milliseconds, counted in buckets that are two per cent wide: small however much is counted, and added up
easily.
"""

from __future__ import annotations

from collections import Counter
from math import exp, log
from time import monotonic

WIDTH = log(1.02)
LEAST_MS = 0.01


class Histogram:
    """``add`` times, ask for ``percentile`` or the ``most``."""

    def __init__(self, counts: dict[int, int] | None = None) -> None:
        self.counts: Counter[int] = Counter({int(bucket): count for bucket, count in (counts or {}).items()})

    def __len__(self) -> int:
        return self.counts.total()

    def add(self, milliseconds: float) -> None:
        """Count one time."""
        self.counts[int(log(max(LEAST_MS, milliseconds) / LEAST_MS) / WIDTH)] += 1

    def percentile(self, share: float) -> float:
        """The time in milliseconds below which this share of all lies, within two per cent; 0 where nothing was
        counted.
        """
        wanted, seen = share * len(self), 0
        for bucket, count in sorted(self.counts.items()):
            seen += count
            if seen > wanted or seen == len(self):
                return float(f"{_middle(bucket):.3g}")
        return 0.0

    def shares(self) -> list[tuple[float, float]]:
        """Times in milliseconds, each with the share of all that took no longer."""
        found, seen = [], 0
        for bucket, count in sorted(self.counts.items()):
            seen += count
            found.append((_middle(bucket), seen / len(self)))
        return found

    def told(self) -> dict[str, float]:
        """For the report."""
        return {"p50": self.percentile(0.50), "p99": self.percentile(0.99)}

    def merged(self, other: Histogram) -> Histogram:
        """Both together."""
        return Histogram(self.counts + other.counts)


class Measures:
    """What all phones of a process measure: from sending to the answer, how much too late they did what was due, how
    often they had to send again, how many positions were acknowledged in each second of the run, and what went wrong
    on purpose. ``queued`` messages were written and not acknowledged yet, ``finished`` orders are done with;
    drivers were out for ``out_s`` seconds together, as the clock that they go by shows real time, in ``simulated_s``
    seconds of the day.
    """

    def __init__(self) -> None:
        self.acknowledged, self.lateness = Histogram(), Histogram()
        self.retries = self.queued = self.finished = 0
        self.out_s = self.simulated_s = 0.0
        self.throughput: Counter[int] = Counter()
        self.injected: Counter[str] = Counter()
        self._begun = monotonic()

    def stored(self, positions: int) -> None:
        """So many positions were acknowledged now."""
        self.throughput[int(monotonic() - self._begun)] += positions


def _middle(bucket: int) -> float:
    return LEAST_MS * exp((bucket + 0.5) * WIDTH)
