"""Where a van is at time t: motion along a line with acceleration, rounded corners and halts.

Pure: no clock, no I/O. Metres, seconds, degrees.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from math import radians, sqrt, tan

from msgspec import Struct

from simulator.geography import Point, bearing, between, metres_between

ACCELERATION = 1.6
"""m/s², a loaded van that is not in a hurry; what fleets report as harsh begins at about 3."""
BRAKING = 2.2
CORNERING = 2.0
"""m/s² to the side, at which nothing falls over in the back."""
CORNER_M = 8.0
"""Metres before and after a corner in which a van turns, where its line is long enough."""
SLOWEST_CORNER = 2.5
"""m/s around a hairpin."""
NO_CORNER = 8.0
"""Degrees up to which a bend is driven as it is drawn."""


class Motion(Struct, frozen=True):
    """Where the van truly is: speed in m/s, heading in degrees from north (the last one while it stands)."""

    latitude: float
    longitude: float
    speed: float
    heading: float


class Halt(Struct, frozen=True):
    """A place along the line that is passed no faster than at this speed; where that is 0, the van stands there for
    some seconds, as at a red light.
    """

    at_m: float
    for_s: float
    speed: float = 0.0


class _Phase(Struct, frozen=True):
    start_s: float
    from_m: float
    speed: float
    acceleration: float


class Drive:
    """One drive along a line from standstill to standstill: ``at(t)`` for t in seconds from its start, ``duration``
    in seconds.
    """

    def __init__(self, line: Sequence[Point], cruise: float, halts: Sequence[Halt] = ()) -> None:
        self._points, self._bends = _rounded(_distinct(line))
        self._along = [0.0]
        for a, b in pairwise(self._points):
            self._along.append(self._along[-1] + metres_between(a, b))
        self.length = self._along[-1]
        self.cruise = cruise
        self._phases, self.duration = self._profile(cruise, sorted(halts, key=lambda halt: halt.at_m))
        self._starts = [phase.start_s for phase in self._phases]

    def at(self, t: float) -> Motion:
        """The true motion t seconds after departure; before and after the drive it stands at its ends."""
        if not self._phases:
            return Motion(*self._points[0], 0.0, 0.0)
        t = min(max(t, 0.0), self.duration)
        phase = self._phases[bisect_right(self._starts, t) - 1]
        elapsed = t - phase.start_s
        speed = max(0.0, phase.speed + phase.acceleration * elapsed)
        metres = phase.from_m + phase.speed * elapsed + 0.5 * phase.acceleration * elapsed * elapsed
        return self._place(min(max(metres, 0.0), self.length), speed)

    def _place(self, metres: float, speed: float) -> Motion:
        leg = min(bisect_right(self._along, metres), len(self._points) - 1) - 1
        a, b = self._points[leg], self._points[leg + 1]
        share = (metres - self._along[leg]) / (self._along[leg + 1] - self._along[leg])
        latitude, longitude = between(a, b, share)
        return Motion(latitude, longitude, speed, bearing(a, b))

    def _profile(self, cruise: float, halts: Sequence[Halt]) -> tuple[list[_Phase], float]:
        """Speed over distance as a chain of constant accelerations: limits at corners, then a pass in each
        direction.
        """
        if self.length < 0.5:
            return [], 0.0
        marks = [[metres, min(cruise, bend), 0.0] for metres, bend in zip(self._along, self._bends, strict=True)]
        along = [halt for halt in halts if 5.0 < halt.at_m < self.length - 5.0]
        marks += [[halt.at_m, min(cruise, halt.speed), halt.for_s] for halt in along]
        marks.sort()
        for before, after in pairwise(marks):
            after[1] = min(after[1], sqrt(before[1] ** 2 + 2 * ACCELERATION * (after[0] - before[0])))
        for after, before in zip(marks[::-1], marks[-2::-1], strict=False):
            before[1] = min(before[1], sqrt(after[1] ** 2 + 2 * BRAKING * (after[0] - before[0])))
        phases: list[_Phase] = []
        clock = 0.0
        for before, after in pairwise(marks):
            if before[2] > 0.0:
                phases.append(_Phase(clock, before[0], 0.0, 0.0))
                clock += before[2]
            clock = _stretch(phases, clock, before[0], after[0], before[1], after[1], cruise)
        return phases, clock


def paced(line: Sequence[Point], seconds: float, fastest: float, halts: Sequence[Halt] = ()) -> Drive:
    """The drive along a line that takes about so many seconds, with a cruising speed of 3 m/s to ``fastest``."""
    low, high = min(3.0, fastest), fastest
    drive = Drive(line, high, halts)
    if drive.duration >= seconds:
        return drive
    for _ in range(12):
        middle = (low + high) / 2
        drive = Drive(line, middle, halts)
        low, high = (middle, high) if drive.duration > seconds else (low, middle)
    return drive


def _stretch(
    phases: list[_Phase], clock: float, start_m: float, end_m: float, start_v: float, end_v: float, cruise: float
) -> float:
    """Append the phases between two marks: up to the highest speed that still allows the end's, along, and down; the
    new clock.
    """
    length = end_m - start_m
    if length < 1e-6:
        return clock
    peak = sqrt(
        (2 * ACCELERATION * BRAKING * length + BRAKING * start_v**2 + ACCELERATION * end_v**2)
        / (ACCELERATION + BRAKING)
    )
    peak = max(min(peak, cruise), start_v, end_v)
    up_m = (peak**2 - start_v**2) / (2 * ACCELERATION)
    down_m = (peak**2 - end_v**2) / (2 * BRAKING)
    steps = (
        ((peak - start_v) / ACCELERATION, start_m, start_v, ACCELERATION),
        (max(0.0, length - up_m - down_m) / peak, start_m + up_m, peak, 0.0),
        ((peak - end_v) / BRAKING, end_m - down_m, peak, -BRAKING),
    )
    for lasts, from_m, speed, acceleration in steps:
        if lasts > 1e-9:
            phases.append(_Phase(clock, from_m, speed, acceleration))
            clock += lasts
    return clock


def _rounded(points: Sequence[Point]) -> tuple[list[Point], list[float]]:
    """The line with its corners rounded, and how fast each of its points can be passed (m/s): as fast as a circle that
    touches both legs is driven with ``CORNERING`` to the side. The ends are stood at.
    """
    if len(points) < 2:
        return list(points), [0.0]
    line, limits = [points[0]], [0.0]
    for a, b, c in zip(points, points[1:], points[2:], strict=False):
        turn = abs((bearing(b, c) - bearing(a, b) + 180.0) % 360.0 - 180.0)
        before, after = metres_between(a, b), metres_between(b, c)
        reach = min(CORNER_M, before / 2, after / 2)
        limit = max(SLOWEST_CORNER, sqrt(CORNERING * reach / max(1e-6, tan(radians(min(turn, 179.0) / 2)))))
        begin, end = between(b, a, reach / before), between(b, c, reach / after)
        shares = (0.0, 0.25, 0.5, 0.75, 1.0) if turn > NO_CORNER else ()
        arc = [between(between(begin, b, share), between(b, end, share), share) for share in shares] or [b]
        line += arc
        limits += [limit] * len(arc)
    return [*line, points[-1]], [*limits, 0.0]


def _distinct(line: Sequence[Point]) -> list[Point]:
    kept = [line[0]]
    for point in line[1:]:
        if metres_between(kept[-1], point) > 0.05:
            kept.append(point)
    return kept
