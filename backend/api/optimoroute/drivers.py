"""What is different for drivers on a date."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from backend.api.optimoroute import wire
from backend.api.optimoroute.call import BULK, Answer, Call, convert, failure, method
from backend.domain.drafts import DriverName
from backend.domain.drivers import Place
from backend.domain.errors import Refusal
from backend.service import shifts
from backend.service.shifts import Change, VehicleName

Capacity = Annotated[float, Meta(ge=0, le=1e9)]
Latitude = Annotated[float, Meta(ge=-90, le=90)]
Longitude = Annotated[float, Meta(ge=-180, le=180)]


class Capacities(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    vehicle_capacity1: Capacity | UnsetType = UNSET
    vehicle_capacity2: Capacity | UnsetType = UNSET
    vehicle_capacity3: Capacity | UnsetType = UNSET
    vehicle_capacity4: Capacity | UnsetType = UNSET

    def all(self) -> tuple[float | UnsetType, float | UnsetType, float | UnsetType, float | UnsetType]:
        return self.vehicle_capacity1, self.vehicle_capacity2, self.vehicle_capacity3, self.vehicle_capacity4


class Single(Capacities, frozen=True, kw_only=True, rename="camel"):
    """The body of update_driver_parameters. Half of a pair of coordinates is ignored, and so is a lone address."""

    external_id: wire.Key
    date: str
    enabled: bool | UnsetType = UNSET
    work_time_from: wire.Clock | UnsetType = UNSET
    work_time_to: wire.Clock | UnsetType = UNSET
    assigned_vehicle: wire.Key | UnsetType = UNSET
    start_latitude: Latitude | UnsetType = UNSET
    start_longitude: Longitude | UnsetType = UNSET
    start_address: wire.Key = ""
    end_latitude: Latitude | UnsetType = UNSET
    end_longitude: Longitude | UnsetType = UNSET
    end_address: wire.Key = ""

    def change(self) -> Change:
        return Change(
            driver=DriverName(external_id=self.external_id),
            date=wire.date(self.date),
            enabled=self.enabled,
            work_from=self.work_time_from,
            work_to=self.work_time_to,
            vehicle=UNSET if self.assigned_vehicle is UNSET else VehicleName(external_id=self.assigned_vehicle),
            capacities=self.all(),
            usual_start=_place(self.start_latitude, self.start_longitude, self.start_address),
            usual_end=_place(self.end_latitude, self.end_longitude, self.end_address),
        )


class WorkTime(msgspec.Struct, frozen=True, rename={"first": "from", "last": "to"}):
    first: wire.Clock
    last: wire.Clock


class Vehicle(msgspec.Struct, frozen=True, rename="camel"):
    external_id: wire.Key | None = None
    registration: wire.Key | None = None


class Where(msgspec.Struct, frozen=True, kw_only=True):
    type: Literal["custom", "employeeDefault", "startLocation"]
    address: wire.Key = ""
    latitude: float | UnsetType = UNSET
    longitude: float | UnsetType = UNSET

    def place(self) -> Place:
        found = _place(self.latitude, self.longitude, self.address)
        if found is UNSET or abs(found.latitude) > 90 or abs(found.longitude) > 180:
            raise Refusal("ERR_LOC_NOT_VALID", "Location is not valid: custom needs latitude and longitude.")
        return found


class Update(Capacities, frozen=True, kw_only=True, rename="camel"):
    """One item of update_drivers_parameters."""

    driver: wire.Driver
    date: str
    enabled: bool | UnsetType = UNSET
    work_time: WorkTime | UnsetType = UNSET
    assigned_vehicle: wire.Key | Vehicle | UnsetType = UNSET
    start_location: Where | UnsetType = UNSET
    end_location: Where | UnsetType = UNSET

    def change(self) -> Change:
        return Change(
            driver=self.driver.name(),
            date=wire.date(self.date),
            enabled=self.enabled,
            work_from=UNSET if self.work_time is UNSET else self.work_time.first,
            work_to=UNSET if self.work_time is UNSET else self.work_time.last,
            vehicle=_vehicle(self.assigned_vehicle),
            capacities=self.all(),
            start=_start(self.start_location),
            end=_end(self.end_location),
        )


class Updates(msgspec.Struct, frozen=True):
    updates: Annotated[list[Update], Meta(min_length=1, max_length=BULK)]


@method("update_driver_parameters", "POST", takes=Single)
async def update_driver_parameters(call: Call) -> Answer:
    """Changes what holds for a driver on a `date`, and where the driver starts and ends from now on."""
    wire.no_nul(call.body)
    (refusal,) = await shifts.change(call.desk, call.office, [call.read(Single).change()])
    return {"success": True} if refusal is None else failure(refusal)


@method("update_drivers_parameters", "POST", takes=Updates)
async def update_drivers_parameters(call: Call) -> Answer:
    """Changes what holds for up to 500 drivers and dates. Body: `{"updates": [{"driver": {…}, "date", …}]}`."""
    items = call.items("updates")
    refusals = await shifts.change(call.desk, call.office, [_change(item) for item in items])
    parts = [
        ({"success": True} if refusal is None else failure(refusal)) | _echo(item)
        for item, refusal in zip(items, refusals, strict=True)
    ]
    return {"success": any(part["success"] for part in parts), "updates": parts}


def _change(item: object) -> Change | Refusal:
    try:
        wire.no_nul(item)
        return convert(item, Update).change()
    except Refusal as refusal:
        return refusal


def _echo(item: Any) -> Answer:
    driver = wire.echo(item.get("driver"), "externalId", "serial") if isinstance(item, dict) else {}
    return ({"driver": driver} if driver else {}) | wire.echo(item, "date")


def _vehicle(given: str | Vehicle | UnsetType) -> VehicleName | UnsetType:
    match given:
        case str():
            return VehicleName(external_id=given)
        case Vehicle(external_id=external_id, registration=registration):
            if not external_id and not registration:
                raise Refusal("ERR_INVALID_PARAM_FORMAT", "A vehicle is named by externalId or registration.")
            return VehicleName(external_id or None, registration or None)
    return UNSET


def _start(given: Where | UnsetType) -> Place | Literal["default"] | UnsetType:
    if given is UNSET:
        return UNSET
    if given.type == "startLocation":
        raise Refusal("ERR_INVALID_PARAM_FORMAT", "startLocation cannot start where it starts.")
    return "default" if given.type == "employeeDefault" else given.place()


def _end(given: Where | UnsetType) -> Place | Literal["default", "start"] | UnsetType:
    if given is UNSET:
        return UNSET
    match given.type:
        case "startLocation":
            return "start"
        case "employeeDefault":
            return "default"
    return given.place()


def _place(latitude: float | UnsetType, longitude: float | UnsetType, address: str) -> Place | UnsetType:
    if latitude is UNSET or longitude is UNSET:
        return UNSET
    return Place(latitude, longitude, address)
