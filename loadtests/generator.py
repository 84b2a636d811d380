"""Whether the load generator itself keeps up: a locust that is short of processor measures itself, not the server."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from simulator.histogram import Histogram

TICK_S = 0.02
LATE_MS = 100.0
"""A generator that does every hundredth thing later than this cannot tell how quick a server is."""
BUSY_AFTER_S = 5.0


class Own:
    """How late this process's greenlets run, in all and by the step of a shape, and how much of a core it uses; workers
    report theirs to the master.

    A greenlet wants to be woken every 20 ms. One that was held up for a second counts as fifty that were late, as the
    requests do that were due meanwhile.
    """

    def __init__(self) -> None:
        self.late: dict[int, Histogram] = defaultdict(Histogram)
        self.busiest = 0.0
        self._since = (0.0, 0.0)

    def watch(
        self,
        sleep: Callable[[float], None],
        step: Callable[[], int | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Measure, until there is no step any more."""
        due = clock()
        self._since = due, time.process_time()
        while (number := step()) is not None:
            sleep(max(0.0, due + TICK_S - clock()))
            now = clock()
            while due + TICK_S <= now:
                due += TICK_S
                self.late[number].add((now - due) * 1000)
            if now - self._since[0] >= BUSY_AFTER_S:
                spent = time.process_time()
                self.busiest = max(self.busiest, (spent - self._since[1]) / (now - self._since[0]))
                self._since = now, spent

    def take(self) -> dict[str, Any]:
        """What was measured since the last time, for the master."""
        told = {"late": {number: dict(times.counts) for number, times in self.late.items()}, "busiest": self.busiest}
        self.late.clear()
        return told

    def add(self, told: dict[str, Any]) -> None:
        """What a worker measured."""
        for number, counts in told["late"].items():
            self.late[int(number)] = self.late[int(number)].merged(Histogram(counts))
        self.busiest = max(self.busiest, told["busiest"])

    @property
    def measured(self) -> bool:
        return any(self.late.values())

    def late_ms(self, number: int | None = None) -> float:
        """How late every hundredth thing was done at least, in one step or in all."""
        chosen = self.late.values() if number is None else [self.late[number]]
        together = Histogram()
        for times in chosen:
            together = together.merged(times)
        return together.percentile(0.99)

    def said(self) -> str:
        """For people."""
        late = f"the generator was {self.late_ms():.0f} ms late itself (99 of 100)"
        return f"{late}, its busiest process used {self.busiest:.0%} of a core"
