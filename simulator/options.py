"""What to simulate, as the command line or the demo asks for it."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct


class Options(Struct, frozen=True, kw_only=True):
    """What to simulate. ``seconds`` ends the day after so much wall time; ``drivers`` None takes all, or 25 in a new
    account.
    """

    url: str
    key: str
    date: str
    drivers: int | None = None
    orders: int | None = None
    speed: float = 10.0
    seed: int = 1
    transport: str = "http"
    scenario: str = ""
    replay: Path | None = None
    state: Path | None = None
    resume: bool = False
    verify: bool = False
    seconds: float | None = None
