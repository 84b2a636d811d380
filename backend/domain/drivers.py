"""Drivers and their vehicles."""

from enum import StrEnum

import msgspec


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
    """``capacities`` in the account's own four load units."""

    id: str
    external_id: str | None = None
    registration: str = ""
    label: str = ""
    features: tuple[str, ...] = ()
    capacities: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)


class Driver(msgspec.Struct, frozen=True):
    """``work_from`` and ``work_to`` are "HH:MM" in the account's time zone; where ``work_to`` is the earlier one, it
    is on the next day."""

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
