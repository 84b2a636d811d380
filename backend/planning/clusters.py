"""Routes that keep apart: how far a stop is from the middle of the area of each vehicle.

The areas are found by Lloyd's algorithm ("Least squares quantization in PCM", 1982) from routes that are there already,
so that each area is in the reach of its vehicle. They are a wish: capacities, windows and skills come first.
"""

from __future__ import annotations

from collections.abc import Sequence

from backend.planning.matrix import leg
from backend.planning.problem import Place, Problem, Seconds

Strays = Sequence[Sequence[Seconds]]
"""For each vehicle what each stop costs in it, as seconds of travel; empty without clustering."""
ROUNDS = 20
"""Most areas have settled after fewer."""


def strays(problem: Problem, orders: Sequence[Sequence[int]]) -> Strays:
    """For each vehicle the travel seconds between each stop and the middle of the vehicle's area. One that
    ``orders`` do not use has no area: it is as far from each stop as the farthest of the others."""
    served = [[i for i in order if i < len(problem.stops)] for order in orders]
    middles = {vehicle: _middle(problem, stops) for vehicle, stops in enumerate(served) if stops}
    every = [i for stops in served for i in stops]
    for _ in range(ROUNDS):
        areas: dict[int, list[int]] = {vehicle: [] for vehicle in middles}
        for i in every:
            nearest = min(middles, key=lambda vehicle: leg(middles[vehicle], problem.stops[i].place, problem.options))
            areas[nearest].append(i)
        moved = {vehicle: _middle(problem, area) if area else middles[vehicle] for vehicle, area in areas.items()}
        if moved == middles:
            break
        middles = moved
    far_s = {
        vehicle: [leg(middle, stop.place, problem.options)[1] for stop in problem.stops]
        for vehicle, middle in middles.items()
    }
    farthest_s = [max(each) for each in zip(*far_s.values(), strict=True)] or [0] * len(problem.stops)
    return [far_s.get(vehicle, farthest_s) for vehicle in range(len(problem.vehicles))]


def astray(areas: Strays, orders: Sequence[Sequence[int]]) -> Seconds:
    """What all stops of these orders cost in their vehicles."""
    return sum(far_s[i] for far_s, order in zip(areas, orders, strict=False) for i in order if i < len(far_s))


def _middle(problem: Problem, stops: list[int]) -> Place:
    places = [problem.stops[i].place for i in stops]
    return Place(sum(p.latitude for p in places) / len(places), sum(p.longitude for p in places) / len(places))
