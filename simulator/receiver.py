"""What a GPS receiver in a van makes of where it is: an error that wanders, its own estimate of it, and reflections
between tall buildings.
"""

from __future__ import annotations

from math import cos, floor, radians, sin, tau
from random import Random

from msgspec import Struct

from simulator.chance import Wander, normal_share, quantile
from simulator.driving import Motion
from simulator.geography import EARTH_M, moved
from simulator.scenario import Gps

TALL_CELL_M = 160.0
"""About a block of houses."""
AXIS_SHARE = 1 / 1.515
"""A receiver's accuracy is the radius of the circle that holds 68 % of its fixes: 1.515 deviations of one axis where
both err alike (the Rayleigh distribution)."""
SKY_MEMORY = 4.0
"""How many times as long as an error its size lasts: satellites come and go more slowly than an error turns."""


class Measured(Struct, frozen=True):
    """A fix: degrees, ``accuracy`` in metres, ``speed`` in m/s."""

    latitude: float
    longitude: float
    accuracy: float
    speed: float


class Receiver:
    """``fix(t, truth)`` for times that do not go back. The accuracy follows the scenario's distribution, and the error
    is of the size that the accuracy says: neighbours in time err alike.
    """

    def __init__(self, rng: Random, gps: Gps, place_seed: str) -> None:
        self._rng, self._gps, self._place_seed = rng, gps, place_seed
        self._sky = Wander(rng, gps.correlation_s * SKY_MEMORY)
        self._north, self._east = Wander(rng, gps.correlation_s), Wander(rng, gps.correlation_s)
        self._tall: dict[tuple[int, int], tuple[float, float] | None] = {}

    def fix(self, t: float, truth: Motion) -> Measured:
        """What is measured at time t (Unix seconds)."""
        reflected = self.reflection(truth.latitude, truth.longitude)
        sky = self._sky.at(t) + (self._gps.tall_worse if reflected else 0.0)
        accuracy = quantile(self._gps.accuracy_m, normal_share(sky))
        deviation = accuracy * AXIS_SHARE
        north, east = self._north.at(t) * deviation, self._east.at(t) * deviation
        if reflected:
            north, east = north + reflected[0], east + reflected[1]
        latitude, longitude = moved((truth.latitude, truth.longitude), north, east)
        speed = max(0.0, truth.speed + self._rng.gauss(0.0, 0.15)) if truth.speed > 0.3 else 0.0
        return Measured(latitude, longitude, accuracy, speed)

    def reflection(self, latitude: float, longitude: float) -> tuple[float, float] | None:
        """Where a block is tall, the way in which its walls push every fix (metres north and east): the same for all
        receivers of a town. None where no walls are.
        """
        if not self._gps.tall_share:
            return None
        north = radians(latitude) * EARTH_M
        east = radians(longitude) * EARTH_M * cos(radians(round(latitude, 1)))
        cell = floor(north / TALL_CELL_M), floor(east / TALL_CELL_M)
        if cell not in self._tall:
            drawn = Random(f"{self._place_seed}/tall/{cell[0]}/{cell[1]}")
            tall, towards, far = drawn.random(), drawn.uniform(0.0, tau), drawn.uniform(0.3, 1.0)
            push = far * self._gps.tall_m
            self._tall[cell] = (push * cos(towards), push * sin(towards)) if tall < self._gps.tall_share else None
        return self._tall[cell]
