"""Drivers, vehicles, locations, and the fleet document that declares them all at once."""

from typing import Any

import msgspec
from litestar import Request, Response, delete, get, patch, post, put

from backend.api import auth, body
from backend.api.office import answers, wire
from backend.domain.accounts import Role
from backend.domain.drivers import Driver
from backend.domain.errors import Refusal
from backend.service import fleet
from backend.service.fleet import Declared

Call = Request[Any, Any, Any]

_fleet = msgspec.json.Decoder(wire.FleetIn)
_driver = msgspec.json.Decoder(wire.DriverIn)
_vehicle = msgspec.json.Decoder(wire.VehicleIn)
_location = msgspec.json.Decoder(wire.LocationIn)


@put("/api/fleet", summary="Declare the fleet", takes=wire.FleetIn, gives=fleet.Counts)
async def put_fleet(request: Call) -> Response[bytes]:
    """Drivers, vehicles, skills, vehicle features and locations in one document. Updates what has the same
    `externalId` (`code`, `locationNo`), creates the rest, leaves what is not named."""
    caller = await auth.office(request)
    counts = await fleet.declare(auth.desk_of(request), caller, declared(await body.read(request, _fleet)))
    return body.reply(counts)


def declared(document: wire.FleetIn) -> Declared:
    """The fleet document in the house's own words."""
    for index, each in enumerate(document.drivers):
        if not each.name:
            raise Refusal("ERR_INVALID", "A driver needs a name.", f"drivers[{index}].name")
    return Declared(
        {each.code: each.name or each.code for each in document.skills},
        {each.code: each.name or each.code for each in document.vehicle_features},
        [each.fields() for each in document.vehicles],
        [each.fields() for each in document.drivers],
        [each.fields() for each in document.locations],
    )


@get("/api/drivers", summary="The drivers", query=body.PAGING, gives=body.Page[answers.DriverOut])
async def get_drivers(request: Call) -> Response[bytes]:
    """In pages of `limit`; the next begins behind `cursor`."""
    caller = await auth.office(request, Role.TENANT, Role.VIEWER, Role.SUBCONTRACTOR)
    limit = body.number(request, "limit", 100, 1, 500)
    desk = auth.desk_of(request)
    found = await fleet.drivers(desk, caller, request.query_params.get("cursor", ""), limit + 1)
    names = await fleet.vehicle_names(desk, caller, found)
    seen = [answers.driver_out(each, names, contact=caller.role is not Role.VIEWER) for each in found]
    return body.reply(body.page(seen, limit, found[limit - 1].id if len(found) > limit else ""))


@post("/api/drivers", summary="Create a driver", takes=wire.DriverIn, gives=answers.DriverOut)
async def post_driver(request: Call) -> Response[bytes]:
    """Without looking for an existing one: two drivers may share an `externalId` or a `serial`."""
    caller = await auth.office(request)
    given = (await body.read(request, _driver)).fields()
    if not given.get("name"):
        raise Refusal("ERR_INVALID", "A driver needs a name.", "name")
    return await _driver_reply(request, await fleet.add_driver(auth.desk_of(request), caller, given), 201)


@get("/api/drivers/{driver_id:str}", summary="A driver", gives=answers.DriverOut)
async def get_driver(request: Call, driver_id: str) -> Response[bytes]:
    caller = await auth.office(request, Role.TENANT, Role.VIEWER, Role.SUBCONTRACTOR)
    return await _driver_reply(request, await fleet.driver(auth.desk_of(request), caller, driver_id))


@patch("/api/drivers/{driver_id:str}", summary="Change a driver", takes=wire.DriverIn, gives=answers.DriverOut)
async def patch_driver(request: Call, driver_id: str) -> Response[bytes]:
    caller = await auth.office(request)
    given = (await body.read(request, _driver)).fields()
    return await _driver_reply(request, await fleet.change_driver(auth.desk_of(request), caller, driver_id, given))


@delete("/api/drivers/{driver_id:str}", status_code=204, summary="Take a driver out of the fleet")
async def delete_driver(request: Call, driver_id: str) -> None:
    """Signs the driver's phones out at once. What was driven stays in the history."""
    await fleet.remove_driver(auth.desk_of(request), await auth.office(request), driver_id)


@get("/api/vehicles", summary="The vehicles", query=body.PAGING, gives=body.Page[answers.FleetVehicleOut])
async def get_vehicles(request: Call) -> Response[bytes]:
    caller = await auth.office(request)
    limit = body.number(request, "limit", 100, 1, 500)
    found = await fleet.vehicles(auth.desk_of(request), caller, request.query_params.get("cursor", ""), limit + 1)
    cursor = found[limit - 1].id if len(found) > limit else ""
    return body.reply(body.page([answers.vehicle_out(each) for each in found], limit, cursor))


@post("/api/vehicles", summary="Create a vehicle", takes=wire.VehicleIn, gives=answers.FleetVehicleOut)
async def post_vehicle(request: Call) -> Response[bytes]:
    """Without looking for an existing one: two vehicles may share an `externalId`."""
    caller = await auth.office(request)
    given = (await body.read(request, _vehicle)).fields()
    if not any(given.get(name) for name in ("external_id", "registration", "label")):
        raise Refusal("ERR_INVALID", "A vehicle needs an externalId, a registration or a label.", "registration")
    return body.reply(answers.vehicle_out(await fleet.add_vehicle(auth.desk_of(request), caller, given)), 201)


@get("/api/vehicles/{vehicle_id:str}", summary="A vehicle", gives=answers.FleetVehicleOut)
async def get_vehicle(request: Call, vehicle_id: str) -> Response[bytes]:
    caller = await auth.office(request)
    return body.reply(answers.vehicle_out(await fleet.vehicle(auth.desk_of(request), caller, vehicle_id)))


@patch(
    "/api/vehicles/{vehicle_id:str}", summary="Change a vehicle", takes=wire.VehicleIn, gives=answers.FleetVehicleOut
)
async def patch_vehicle(request: Call, vehicle_id: str) -> Response[bytes]:
    caller = await auth.office(request)
    desk, given = auth.desk_of(request), await body.read(request, _vehicle)
    changed = await fleet.change_vehicle(desk, caller, vehicle_id, lambda old: given.fields(old.capacities))
    return body.reply(answers.vehicle_out(changed))


@delete("/api/vehicles/{vehicle_id:str}", status_code=204, summary="Take a vehicle out of the fleet")
async def delete_vehicle(request: Call, vehicle_id: str) -> None:
    await fleet.remove_vehicle(auth.desk_of(request), await auth.office(request), vehicle_id)


@get("/api/locations", summary="The locations", query=body.PAGING, gives=body.Page[answers.LocationOut])
async def get_locations(request: Call) -> Response[bytes]:
    caller = await auth.office(request)
    limit = body.number(request, "limit", 100, 1, 500)
    found = await fleet.locations(auth.desk_of(request), caller, request.query_params.get("cursor", ""), limit + 1)
    cursor = found[limit - 1].id if len(found) > limit else ""
    return body.reply(body.page([answers.location_out(each) for each in found], limit, cursor))


@post("/api/locations", summary="Create a location", takes=wire.LocationIn, gives=answers.LocationOut)
async def post_location(request: Call) -> Response[bytes]:
    """Without looking for an existing one. Valid for planning where it has coordinates."""
    caller = await auth.office(request)
    given = (await body.read(request, _location)).fields()
    if not any(given.get(name) for name in ("location_no", "name", "address")):
        raise Refusal("ERR_INVALID", "A location needs a locationNo, a locationName or an address.", "locationName")
    return body.reply(answers.location_out(await fleet.add_location(auth.desk_of(request), caller, given)), 201)


@get("/api/locations/{location_id:str}", summary="A location", gives=answers.LocationOut)
async def get_location(request: Call, location_id: str) -> Response[bytes]:
    caller = await auth.office(request)
    return body.reply(answers.location_out(await fleet.location(auth.desk_of(request), caller, location_id)))


@patch(
    "/api/locations/{location_id:str}", summary="Change a location", takes=wire.LocationIn, gives=answers.LocationOut
)
async def patch_location(request: Call, location_id: str) -> Response[bytes]:
    caller = await auth.office(request)
    given = (await body.read(request, _location)).fields()
    return body.reply(
        answers.location_out(await fleet.change_location(auth.desk_of(request), caller, location_id, given))
    )


@delete("/api/locations/{location_id:str}", status_code=204, summary="Delete a location")
async def delete_location(request: Call, location_id: str) -> None:
    """Refused while orders are for it."""
    await fleet.remove_location(auth.desk_of(request), await auth.office(request), location_id)


async def _driver_reply(request: Call, driver: Driver, status: int = 200) -> Response[bytes]:
    caller = await auth.office(request, *Role)
    names = await fleet.vehicle_names(auth.desk_of(request), caller, [driver])
    return body.reply(answers.driver_out(driver, names, contact=caller.role is not Role.VIEWER), status)


handlers = [
    put_fleet,
    get_drivers,
    post_driver,
    get_driver,
    patch_driver,
    delete_driver,
    get_vehicles,
    post_vehicle,
    get_vehicle,
    patch_vehicle,
    delete_vehicle,
    get_locations,
    post_location,
    get_location,
    patch_location,
    delete_location,
]
