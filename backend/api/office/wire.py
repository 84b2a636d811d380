"""The shapes of the office's API as they come in."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from backend.api.body import CLOCK
from backend.domain.accounts import Role
from backend.domain.drivers import Break, Place, breaks_overlap
from backend.domain.errors import Refusal

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Text = Annotated[str, Meta(max_length=2000)]
Key = Annotated[str, Meta(max_length=500)]  # what things are looked up by: no longer than an index takes in any script
Codes = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=64)], ...], Meta(max_length=200)]
Load = Annotated[float, Meta(ge=0, le=1e9)]
Cost = Annotated[float, Meta(ge=0, le=100_000)]
Latitude = Annotated[float, Meta(ge=-90, le=90)]
Longitude = Annotated[float, Meta(ge=-180, le=180)]
TimeOfDay = Annotated[str, Meta(pattern=CLOCK)]
Many = Meta(max_length=10_000)


class CodeIn(msgspec.Struct, frozen=True):
    code: Annotated[str, Meta(min_length=1, max_length=64)]
    name: Text | None = None


class PlaceIn(msgspec.Struct, frozen=True):
    latitude: Latitude
    longitude: Longitude
    address: Text = ""


class WorkTime(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    from_: TimeOfDay
    to: TimeOfDay


class BreakIn(msgspec.Struct, frozen=True, rename={"from_": "from", "duration_minutes": "durationMinutes"}):
    """One that ends before it begins ends on the next day."""

    from_: TimeOfDay
    to: TimeOfDay
    duration_minutes: Annotated[int, Meta(ge=1, le=720)]


class VehicleIn(msgspec.Struct, frozen=True, rename="camel"):
    external_id: Name | UnsetType | None = UNSET
    registration: Text | UnsetType = UNSET
    label: Text | UnsetType = UNSET
    features: Codes | UnsetType = UNSET
    capacity1: Load | UnsetType = UNSET
    capacity2: Load | UnsetType = UNSET
    capacity3: Load | UnsetType = UNSET
    capacity4: Load | UnsetType = UNSET
    cost_per_km: Cost | UnsetType | None = UNSET

    def fields(self, old: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)) -> dict[str, object]:
        """What was given, by the domain's names; a capacity that was not given is ``old``'s."""
        given = _given(self)
        loads = [given.pop(f"capacity{place + 1}", None) for place in range(4)]
        if any(load is not None for load in loads):
            given["capacities"] = tuple(was if now is None else now for now, was in zip(loads, old, strict=True))
        return given


class DriverIn(msgspec.Struct, frozen=True, rename="camel"):
    name: Name | UnsetType = UNSET
    external_id: Name | UnsetType | None = UNSET
    serial: Text | UnsetType = UNSET
    phone: Text | UnsetType = UNSET
    email: Text | UnsetType = UNSET
    skills: Codes | UnsetType = UNSET
    vehicle: Name | UnsetType | None = UNSET
    subcontractor: Name | UnsetType | None = UNSET
    work_time: WorkTime | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    start_location: PlaceIn | UnsetType | None = UNSET
    end_location: PlaceIn | UnsetType | None = UNSET
    breaks: Annotated[tuple[BreakIn, ...], Meta(max_length=5)] | UnsetType = UNSET
    overtime_minutes: Annotated[int, Meta(ge=0, le=720)] | UnsetType = UNSET
    cost_per_hour: Cost | UnsetType | None = UNSET

    def fields(self) -> dict[str, object]:
        """What was given, by the domain's names."""
        given = _given(self)
        if isinstance(hours := given.pop("work_time", None), WorkTime):
            given |= {"work_from": hours.from_, "work_to": hours.to}
        for wire, name in (("start_location", "start"), ("end_location", "end")):
            if wire in given:
                place = given.pop(wire)
                given[name] = Place(place.latitude, place.longitude, place.address) if place else None
        if "overtime_minutes" in given:
            given["overtime_min"] = given.pop("overtime_minutes")
        if "breaks" in given:
            given["breaks"] = _breaks(given["breaks"])
        return given


class LocationIn(msgspec.Struct, frozen=True, rename="camel"):
    location_no: Key | UnsetType = UNSET
    location_name: Text | UnsetType = UNSET
    address: Key | UnsetType = UNSET
    latitude: Latitude | UnsetType = UNSET
    longitude: Longitude | UnsetType = UNSET
    notes: Text | UnsetType = UNSET
    check_in_time: Annotated[int, Meta(ge=0, le=1440)] | UnsetType = UNSET

    def fields(self) -> dict[str, object]:
        """What was given, by the domain's names. Refuses one coordinate without the other."""
        given = _given(self)
        if ("latitude" in given) != ("longitude" in given):
            raise Refusal("ERR_INVALID", "latitude and longitude go together.", "latitude")
        for wire, name in (("location_name", "name"), ("check_in_time", "check_in_min")):
            if wire in given:
                given[name] = given.pop(wire)
        return given


class FleetIn(msgspec.Struct, frozen=True, rename="camel"):
    skills: Annotated[list[CodeIn], Many] = []
    vehicle_features: Annotated[list[CodeIn], Many] = []
    vehicles: Annotated[list[VehicleIn], Many] = []
    drivers: Annotated[list[DriverIn], Many] = []
    locations: Annotated[list[LocationIn], Many] = []


class KeyIn(msgspec.Struct, frozen=True):
    role: Role
    name: Name
    customer: Name | None = None
    subcontractor: Name | None = None


class MessageIn(msgspec.Struct, frozen=True):
    text: Annotated[str, Meta(min_length=1, max_length=2000)]


def _breaks(given: tuple[BreakIn, ...]) -> tuple[Break, ...]:
    """Refuses breaks that overlap, and one that is longer than the time between its ends."""
    found = tuple(Break(each.from_, each.to, each.duration_minutes) for each in given)
    for index, each in enumerate(found):
        if each.minutes > each.span_min:
            text = f"{each.minutes} minutes do not fit between {each.opens} and {each.closes}."
            raise Refusal("ERR_INVALID", text, f"breaks[{index}].durationMinutes")
    if breaks_overlap(found):
        raise Refusal("ERR_INVALID", "Breaks do not overlap.", "breaks")
    return tuple(sorted(found, key=lambda each: each.opens))


def _given(value: msgspec.Struct) -> dict[str, Any]:
    return {name: each for name, each in msgspec.structs.asdict(value).items() if each is not UNSET}
