"""The desk: everything that a verb needs, in one object; and the clock."""

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backend.live.calls import Calls
    from backend.live.hub import Hub
    from backend.places.geocoder import Geocoder
    from backend.planning.worker import Planner
    from backend.service.callers import Acquaintances, Guesses
    from backend.service.figurefiles import FigureFiles
    from backend.service.inflow import Inflow
    from backend.service.tally import Tally
    from backend.settings import Settings
    from backend.store.database import Database
    from backend.store.journal import Journal
    from backend.store.media import Media


class Clock:
    """The server's idea of now; may run from a given moment at a given speed, for demonstrations and tests."""

    def __init__(self, start_s: float | None = None, speed: float = 1.0) -> None:
        self._base = time.time() if start_s is None else start_s
        self._origin = time.monotonic()
        self.speed = speed
        self._real = start_s is None

    def now_s(self) -> float:
        """Unix seconds, UTC."""
        return time.time() if self._real else self._steady_s()

    def latest_s(self) -> float:
        """The latest time that it may be: now, or what it would be if the machine's clock had not been set back since
        the process began. Phones never resend what was refused as being of the future, so nothing before this time is.
        """
        return max(self.now_s(), self._steady_s())

    def earliest_s(self) -> float:
        """The earliest time that it may be, had the machine's clock not been set forward. Retention goes by it."""
        return min(self.now_s(), self._steady_s())

    def now_ms(self) -> int:
        """Unix milliseconds, UTC."""
        return int(self.now_s() * 1000)

    def _steady_s(self) -> float:
        return self._base + (time.monotonic() - self._origin) * self.speed


@dataclass(frozen=True, slots=True)
class Desk:
    settings: "Settings"
    clock: Clock
    database: "Database"
    journal: "Journal"
    media: "Media"
    hub: "Hub"
    planner: "Planner"
    geocoder: "Geocoder"
    acquaintances: "Acquaintances"
    guesses: "Guesses"
    calls: "Calls"
    secret: bytes  # signs links
    public_url: str  # without a slash at the end
    tally: "Tally"
    inflow: "Inflow"
    figure_files: "FigureFiles | None"  # metrics of the processes of this machine; None where there is only one

    def new_id(self) -> str:
        """A unique id: 32 hex digits, of which the first 12 are the millisecond and the others are random."""
        return new_id(self.clock.now_ms())


def new_id(now_ms: int) -> str:
    return f"{now_ms:012x}{os.urandom(10).hex()}"
