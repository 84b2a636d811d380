"""Drivers and their vehicles."""

import msgspec


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
