"""How long a search may go on, and how far it is.

Its seconds are those in which it has the processor: a planner that gives way to a busy server would else come back with
what it began with. It ends some seconds later by the clock all the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable

TICK_S = 0.05
"""How often a search looks up: a stop is noticed and progress told at this pace."""
LATE_S = 10.0
"""How much longer by the clock it takes at most, where it does not get the processor."""


class Watch:
    """Decides when a search has gone on long enough, and tells how far it is. One thread searches in its process."""

    def __init__(self, stop: Callable[[], bool], progress: Callable[[int], None], seconds: float) -> None:
        self._stop, self._progress, self._seconds = stop, progress, seconds
        self._began, self._worked = time.monotonic(), time.process_time()
        self._looked = self._began - TICK_S
        self._share = 0.0
        self._percent = 0

    def left_s(self) -> float:
        """Seconds by the clock until it is over in any case."""
        return max(0.0, self._began + self._seconds + LATE_S - time.monotonic())

    def elapsed(self) -> float:
        """The share of the budget that has passed, 1 from when the search was stopped."""
        now = time.monotonic()
        if self._share < 1 and now - self._looked >= TICK_S:
            self._looked = now
            spent = max(time.process_time() - self._worked, now - self._began - LATE_S)
            self._share = 1.0 if self._stop() else min(1.0, spent / self._seconds)
            percent = min(99, int(100 * self._share))
            if percent > self._percent:
                self._percent = percent
                self._progress(percent)
        return self._share
