"""Routes and days for the simulator's tests."""

import asyncio

from simulator.clock import SimClock
from simulator.day import day
from simulator.scenario import Scenario, read
from simulator.steps import Step, Who
from simulator.wire import Place, Route, Stop, Window

DATE = "2026-03-02"
LEAVES = 1_772_434_800.0
"""2026-03-02T07:00:00Z"""
WHO = Who("DRV001", DATE, 7)
QUIET = read(
    """
    gps = {accuracy_m = 0, dropouts_per_hour = 0}
    network = {gaps_per_hour = 0, duplicates = 0, reordering = 0, lost_answers = 0}
    clock = {offset_s = [0, 0]}
    outcome = {failed = 0, rejected = 0}
    app = {restarts_per_day = 0}
    devices = {dying = 0}
    habits = {forgotten_start = 0, early_success = 0, late_start = 0, breaks_per_day = 0}
    """
)


class StepClock(SimClock):
    """Shows the latest time that anybody has waited for, so that a day does not run ahead of a process that stands
    still, nor leave out what was to happen meanwhile.
    """

    def begin(self) -> None:
        self._reached = self.start

    def now(self) -> float:
        return self._reached

    async def until(self, t: float) -> None:
        await asyncio.sleep(max(0.0, (t - self._reached) / self.speed))
        self._reached = max(self._reached, t)


def route(stops: int = 8) -> Route:
    """A round trip from a depot over so many stops, about a kilometre apart."""
    return Route(
        id="R1",
        driverId="D1",
        date=DATE,
        externalId="DRV001",
        sent=True,
        start=Place(45.7925, 16.0362, "Depot", "2026-03-02T07:00:00.000Z"),
        end=Place(45.7925, 16.0362, "Depot"),
        stops=tuple(
            Stop(
                stopNumber=number,
                latitude=45.795 + 0.004 * number,
                longitude=16.02 - 0.006 * number + 0.004 * (number % 2),
                orderId=f"order-{number}",
                orderNo=f"ZG{number:03}",
                travelTime=240,
                duration=300,
                barcodes=("2670789721397",) if number % 2 else (),
                timeWindows=(Window("2026-03-02T07:30:00.000Z", "2026-03-02T12:00:00.000Z"),) if number == 1 else (),
            )
            for number in range(1, stops + 1)
        ),
    )


def steps(stops: int = 8, scenario: Scenario | None = None, who: Who = WHO) -> list[Step]:
    """A whole day, step by step."""
    return list(day(route(stops), who, scenario or Scenario()))
