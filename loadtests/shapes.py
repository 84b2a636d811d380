"""The loads there are: how many users when, how many requests arrive by themselves, when the network is gone.

Pure functions of the seconds since the test began, so that every worker of a distributed run knows the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

FIXES = 10
"""Positions in a request that arrives by itself."""
ARRIVING = "arriving positions"
"""What these requests are called in the statistics."""
STEP_S = 12.0
"""How long a step to the limit lasts."""
WARM_UP_S = 15.0
"""Before the first step: drivers log in."""
STEP_FACTOR = 1.35
LANES = 8
"""So many users send what arrives by itself, so that several processes share it evenly."""
FIRST_STEP = 100.0


@dataclass(frozen=True)
class Shape:
    """``users`` of all kinds together and ``arrivals`` (requests a second that come whether or not those before are
    answered) at a time, which are of ``arriving`` drivers; ``dark`` while no phone has signal; ``proofs`` while
    everybody sends photos. ``patience`` is so many times as long as everything may take as on a quiet forenoon.
    """

    seconds: float
    users: Callable[[float], int]
    arrivals: Callable[[float], float]
    spawn_rate: float = 20.0
    dark: Callable[[float], bool] = lambda _: False
    proofs: Callable[[float], bool] = lambda _: False
    arriving: int = 96
    patience: float = 1.0


def between(begin: float, end: float) -> Callable[[float], bool]:
    """True from a time until before another."""
    return lambda t: begin <= t < end


def step(t: float) -> int:
    """The number of the step to the limit that a time lies in; below 0 in the warm-up."""
    return int((t - WARM_UP_S) // STEP_S)


def step_rate(number: int) -> float:
    """The requests a second of a step to the limit."""
    return FIRST_STEP * STEP_FACTOR ** max(0, number)


SHAPES = {
    # A quiet forenoon.
    "steady": Shape(120, lambda _: 60, lambda _: 30),
    # Everybody begins within a minute, and stays.
    "morning": Shape(180, lambda t: min(300, 10 + int(t * 5)), lambda t: min(60, 10 + t), spawn_rate=50, patience=4),
    # The network is gone for 40 s and back for all at one moment, with all that was kept.
    "storm": Shape(150, lambda _: 200, lambda _: 20, spawn_rate=50, dark=between(50, 90), patience=8),
    # A quarter of a minute in which everybody hands in photos.
    "proofs": Shape(90, lambda _: 60, lambda _: 20, proofs=between(40, 55), patience=4),
    # More and more requests, until they are late or refused.
    "limit": Shape(WARM_UP_S + STEP_S * 20, lambda _: 20, lambda t: step_rate(step(t)), arriving=400),
}
