"""Chance that is told as it is measured: distributions as tables of percentiles, and values that wander in time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import erf, exp, sqrt
from random import Random
from typing import Annotated

from msgspec import Meta

Share = Annotated[float, Meta(ge=0, le=1)]
Table = tuple[tuple[Share, float], ...]
"""A distribution by its percentiles: ``(share, value)`` from share 0 to share 1, straight lines between them."""
Spread = float | Table
"""One value, or the distribution it is drawn from."""


def quantile(spread: Spread, share: float) -> float:
    """The value below which this share (0 to 1) of all values lies; a table's lines are straight between its points."""
    if not isinstance(spread, tuple):
        return spread
    for (low, least), (high, most) in pairwise(spread):
        if share <= high:
            return least + (most - least) * (share - low) / (high - low)
    return spread[-1][1]


def draw(spread: Spread, rng: Random) -> float:
    """One value of the distribution; takes from ``rng`` once, also where there is nothing to draw."""
    return quantile(spread, rng.random())


def flaw(spread: Spread, least: float, most: float) -> str | None:
    """What is wrong with a distribution whose values go from ``least`` to ``most``; None where nothing is."""
    if not isinstance(spread, tuple):
        return None if least <= spread <= most else f"is {spread:g}, not {least:g} to {most:g}"
    shares = [share for share, _ in spread]
    values = [value for _, value in spread]
    if len(spread) < 2 or shares[0] != 0 or shares[-1] != 1 or any(a >= b for a, b in pairwise(shares)):
        return "is a table whose shares do not rise from 0 to 1"
    if any(a > b for a, b in pairwise(values)):
        return "is a table whose values fall"
    if values[0] < least or values[-1] > most:
        return f"goes from {values[0]:g} to {values[-1]:g}, outside {least:g} to {most:g}"
    return None


class Wander:
    """A normal value (mean 0, deviation 1) that keeps to what it was: an Ornstein-Uhlenbeck process, whose memory
    fades to 1/e in ``correlation_s`` seconds. Times must not go back.
    """

    def __init__(self, rng: Random, correlation_s: float) -> None:
        self._rng, self._correlation = rng, correlation_s
        self._value = rng.gauss(0.0, 1.0)
        self._last: float | None = None

    def at(self, t: float) -> float:
        """The value at time t."""
        kept = 1.0 if self._last is None else exp(-(t - self._last) / self._correlation)
        if kept < 1.0:
            self._value = self._value * kept + self._rng.gauss(0.0, sqrt(1.0 - kept * kept))
        self._last = t
        return self._value


def normal_share(value: float) -> float:
    """The share of a normal distribution that lies below a value."""
    return 0.5 * (1.0 + erf(value / sqrt(2.0)))


def percentile(ordered: Sequence[float], share: float) -> float:
    """The nearest rank of sorted values; there must be one."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
