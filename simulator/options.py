"""What to simulate, as the command line or the demo asks for it."""

from __future__ import annotations

import shlex
from pathlib import Path

from msgspec import Struct


class Options(Struct, frozen=True, kw_only=True):
    """What to simulate. ``seconds`` ends the day after so much wall time; ``drivers`` None takes all, or 25 in a new
    account. ``scenario`` is the text of the scenario, ``named`` what it was called on the command line.
    With 0 ``orders`` the drivers of a new account make rounds that nobody planned. ``part`` (0, 2) is the first half
    of the drivers, where two processes drive them.
    ``drawn`` drivers' journeys go into the report. ``whole`` is the command line of the run that this is a part of.
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
    named: str | None = None
    watch: int = 0
    part: tuple[int, int] = (0, 1)
    drawn: int = 0
    whole: str = ""

    def command(self) -> str:
        """The command line that repeats this run, with the key left to the environment."""
        if self.whole:
            return self.whole
        words = ["codriver", "simulate", "--url", self.url, "--date", self.date, "--seed", str(self.seed)]
        words += ["--speed", f"{self.speed:g}", "--transport", self.transport]
        for name in ("drivers", "orders", "named", "replay"):
            if (value := getattr(self, name)) is not None:
                words += [f"--{'scenario' if name == 'named' else name}", str(value)]
        words += ["--for", f"{self.seconds:g}"] if self.seconds is not None else []
        words += ["--watch", str(self.watch)] if self.watch else []
        words += ["--processes", str(self.part[1])] if self.part[1] > 1 else []
        return shlex.join([*words, *(["--verify"] if self.verify else [])])
