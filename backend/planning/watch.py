"""How long a search may go on, and how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable

TICK_S = 0.05
"""How often a search looks up: a stop is noticed and progress told at this pace."""


class Watch:
    """Decides when a search has gone on long enough, and tells how far it is."""

    def __init__(self, stop: Callable[[], bool], progress: Callable[[int], None], seconds: float) -> None:
        self._stop, self._progress, self._seconds = stop, progress, seconds
        self._began = time.monotonic()
        self._looked = self._began - TICK_S
        self._share = 0.0
        self._percent = 0

    def left_s(self) -> float:
        return self._seconds * (1 - self.elapsed())

    def elapsed(self) -> float:
        """The share of the budget that has passed, 1 from when the search was stopped."""
        now = time.monotonic()
        if self._share < 1 and now - self._looked >= TICK_S:
            self._looked = now
            self._share = 1.0 if self._stop() else min(1.0, (now - self._began) / self._seconds)
            percent = min(99, int(100 * self._share))
            if percent > self._percent:
                self._percent = percent
                self._progress(percent)
        return self._share
