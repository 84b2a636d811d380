"""Drivers and their vehicles."""

from collections.abc import Sequence
from enum import StrEnum
from itertools import combinations

import msgspec

_DAY_MIN = 1440


class CodeKind(StrEnum):
    SKILL = "skill"
    VEHICLE_FEATURE = "vehicle feature"


class Code(msgspec.Struct, frozen=True):
    """A skill or a vehicle feature. Orders, drivers and vehicles name it by its code."""

    id: str
    code: str
    name: str


class Place(msgspec.Struct, frozen=True):
    """Where a working day starts or ends, degrees."""

    latitude: float
    longitude: float
    address: str = ""


class Vehicle(msgspec.Struct, frozen=True):
    """``capacities`` in the account's own four load units, ``cost_per_km`` in its currency."""

    id: str
    external_id: str | None = None
    registration: str = ""
    label: str = ""
    features: tuple[str, ...] = ()
    capacities: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    cost_per_km: float | None = None


class Break(msgspec.Struct, frozen=True):
    """``minutes`` in one piece between two times of the day, "HH:MM" in the account's time zone; where ``closes`` is
    the earlier one, it is on the next day."""

    opens: str
    closes: str
    minutes: int

    @property
    def span_min(self) -> int:
        """How much time is between its ends."""
        return (_minute(self.closes) - _minute(self.opens)) % _DAY_MIN


class Driver(msgspec.Struct, frozen=True):
    """``work_from`` and ``work_to`` are "HH:MM" in the account's time zone; where ``work_to`` is the earlier one, it
    is on the next day. ``breaks`` do not overlap. ``overtime_min`` may be added for what would otherwise stay behind.
    """

    id: str
    name: str
    external_id: str | None = None
    serial: str = ""
    phone: str = ""
    email: str = ""
    skills: tuple[str, ...] = ()
    vehicle_id: str | None = None
    subcontractor: str | None = None
    work_from: str = "08:00"
    work_to: str = "17:00"
    enabled: bool = True
    start: Place | None = None
    end: Place | None = None
    breaks: tuple[Break, ...] = ()
    overtime_min: int = 0
    cost_per_hour: float | None = None


class DriverDay(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is different for a driver on one date; None is as usual.

    ``end_at_start`` ends the day where it starts, wherever that is. ``capacities`` override the vehicle's one by one.
    """

    enabled: bool | None = None
    work_from: str | None = None
    work_to: str | None = None
    vehicle_id: str | None = None
    capacities: tuple[float | None, float | None, float | None, float | None] = (None, None, None, None)
    start: Place | None = None
    end: Place | None = None
    end_at_start: bool = False


def breaks_overlap(breaks: Sequence[Break]) -> bool:
    """Whether two of these breaks, of every day, share some time."""
    times = [(_minute(each.opens), each.span_min) for each in breaks]
    return any(
        (b - a) % _DAY_MIN < a_span or (a - b) % _DAY_MIN < b_span
        for (a, a_span), (b, b_span) in combinations(times, 2)
    )


def on_date(driver: Driver, day: DriverDay | None) -> Driver:
    """The driver as of that date."""
    if day is None:
        return driver
    start = day.start or driver.start
    return msgspec.structs.replace(
        driver,
        enabled=driver.enabled if day.enabled is None else day.enabled,
        work_from=day.work_from or driver.work_from,
        work_to=day.work_to or driver.work_to,
        vehicle_id=day.vehicle_id or driver.vehicle_id,
        start=start,
        end=start if day.end_at_start else day.end or driver.end,
    )


def loaded(vehicle: Vehicle | None, day: DriverDay | None) -> Vehicle | None:
    """The vehicle with the capacities of that date."""
    if vehicle is None or day is None:
        return vehicle
    limits = tuple(
        usual if given is None else given for usual, given in zip(vehicle.capacities, day.capacities, strict=True)
    )
    return msgspec.structs.replace(vehicle, capacities=limits)


def _minute(clock: str) -> int:
    hours, minutes = clock.split(":")
    return 60 * int(hours) + int(minutes)
