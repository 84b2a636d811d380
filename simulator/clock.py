"""Simulated time: it starts at a moment and runs so many times as fast as the wall."""

from __future__ import annotations

import asyncio
from time import monotonic


class SimClock:
    """``now()`` in Unix seconds, the server's own time where it is ``of_server``; ``until(t)`` sleeps, and lets others
    run at least.
    """

    def __init__(self, start: float, speed: float, of_server: bool = False) -> None:
        self.start, self.speed, self.of_server = start, speed, of_server
        self.begin()

    def begin(self) -> None:
        """It is the start now."""
        self._begun = monotonic()

    def now(self) -> float:
        """The simulated time."""
        return self.start + (monotonic() - self._begun) * self.speed

    async def until(self, t: float) -> None:
        """Wait for a simulated time; one in the past is reached at once."""
        await asyncio.sleep(max(0.0, (t - self.now()) / self.speed))
