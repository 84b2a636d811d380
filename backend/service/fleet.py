"""The fleet of an account: drivers, vehicles and locations."""

from collections.abc import Callable, Iterable
from typing import TypeVar

import msgspec

from backend.domain.accounts import Office
from backend.domain.drafts import DriverName
from backend.domain.drivers import Code, CodeKind, Driver, Vehicle
from backend.domain.errors import Refusal
from backend.domain.orders import Location
from backend.service.desk import Desk
from backend.service.locating import fresh_location, touch
from backend.store import codes, fleet, people
from backend.store.database import Connection

T = TypeVar("T", Driver, Vehicle, Location)
Fields = dict[str, object]


class Declared(msgspec.Struct, frozen=True):
    """A fleet document in our own words: for each thing the fields that were given, by the domain's names.

    A driver's ``vehicle`` is the external id of one; what is not named is left as it is.
    """

    skills: dict[str, str] = {}
    features: dict[str, str] = {}
    vehicles: list[Fields] = []
    drivers: list[Fields] = []
    locations: list[Fields] = []


class Count(msgspec.Struct, frozen=True):
    created: int = 0
    updated: int = 0
    unchanged: int = 0


class Counts(msgspec.Struct, frozen=True, rename="camel"):
    skills: Count
    vehicle_features: Count
    vehicles: Count
    drivers: Count
    locations: Count


async def declare(desk: Desk, caller: Office, document: Declared) -> Counts:
    """Make the fleet as the document says; what the document does not name stays as it is.

    All of it or nothing. Refuses unknown skills, features and vehicles, and an external id that two things share
    already (``ERR_MULTIPLE_DRV``, ``ERR_MULTIPLE_VEH``, ``ERR_LOC_MULTIPLE_LOC``): nobody can say which is meant.
    """
    account_id = caller.account.id

    def change(conn: Connection) -> tuple[Counts, list[tuple[str, str]]]:
        skills = _declare_codes(conn, desk, account_id, CodeKind.SKILL, document.skills)
        features = _declare_codes(conn, desk, account_id, CodeKind.VEHICLE_FEATURE, document.features)
        vehicles = _declare_vehicles(conn, desk, account_id, document.vehicles)
        drivers = _declare_drivers(conn, desk, account_id, document.drivers)
        locations, changed = _declare_locations(conn, desk, caller, document.locations)
        told = touch(conn, caller.account, desk.clock.now_ms(), changed)
        return Counts(skills, features, vehicles, drivers, locations), told

    counts, told = await desk.journal.transact(change)
    desk.hub.tell_fleet(account_id)
    _tell(desk, account_id, told)
    return counts


async def add_driver(desk: Desk, caller: Office, given: Fields) -> Driver:
    """One more driver, without looking for one like it."""

    def add(conn: Connection) -> Driver:
        _check_codes(given, "skills", codes.names(conn, caller.account.id, CodeKind.SKILL), "skills")
        made = _made(Driver, desk, _with_vehicle(conn, caller.account.id, given, "vehicle"))
        fleet.add_drivers(conn, caller.account.id, [made])
        return made

    made = await desk.journal.transact(add)
    desk.hub.tell_fleet(caller.account.id)
    return made


async def change_driver(desk: Desk, caller: Office, driver_id: str, given: Fields) -> Driver:
    """Change what is given of a driver."""

    def change(conn: Connection) -> Driver:
        found = _found(fleet.driver(conn, caller.account.id, driver_id), "driver")
        _check_codes(given, "skills", codes.names(conn, caller.account.id, CodeKind.SKILL), "skills")
        changed = msgspec.structs.replace(found, **_with_vehicle(conn, caller.account.id, given, "vehicle"))
        fleet.save_driver(conn, caller.account.id, changed)
        return changed

    changed = await desk.journal.transact(change)
    desk.hub.tell_fleet(caller.account.id)
    return changed


async def remove_driver(desk: Desk, caller: Office, driver_id: str) -> None:
    """Take a driver out of the fleet; the phones are signed out at once. What was driven stays in the history."""

    def remove(conn: Connection) -> list[str]:
        if not fleet.remove_driver(conn, caller.account.id, driver_id):
            raise Refusal("ERR_NOT_FOUND", "There is no such driver.", "id")
        return people.revoke_devices_of(conn, caller.account.id, driver_id, desk.clock.now_ms())

    for key in await desk.journal.transact(remove):
        desk.hub.tell_revoked(key)
    desk.hub.tell_fleet(caller.account.id)
    await desk.hub.spread()


async def add_vehicle(desk: Desk, caller: Office, given: Fields) -> Vehicle:
    """One more vehicle, without looking for one like it."""

    def add(conn: Connection) -> Vehicle:
        _check_codes(given, "features", codes.names(conn, caller.account.id, CodeKind.VEHICLE_FEATURE), "features")
        made = _made(Vehicle, desk, given)
        fleet.add_vehicles(conn, caller.account.id, [made])
        return made

    return await desk.journal.transact(add)


async def change_vehicle(
    desk: Desk, caller: Office, vehicle_id: str, change_of: Callable[[Vehicle], Fields]
) -> Vehicle:
    """Change what ``change_of`` says of the vehicle as it is."""

    def change(conn: Connection) -> Vehicle:
        found = _found(fleet.vehicle(conn, caller.account.id, vehicle_id), "vehicle")
        given = change_of(found)
        _check_codes(given, "features", codes.names(conn, caller.account.id, CodeKind.VEHICLE_FEATURE), "features")
        changed = msgspec.structs.replace(found, **given)
        fleet.save_vehicle(conn, caller.account.id, changed)
        return changed

    return await desk.journal.transact(change)


async def remove_vehicle(desk: Desk, caller: Office, vehicle_id: str) -> None:
    if not await desk.journal.transact(lambda conn: fleet.remove_vehicle(conn, caller.account.id, vehicle_id)):
        raise Refusal("ERR_NOT_FOUND", "There is no such vehicle.", "id")


async def add_location(desk: Desk, caller: Office, given: Fields) -> Location:
    """One more location; it is valid where both coordinates are given."""
    made = _placed(msgspec.structs.replace(fresh_location(desk, caller), **given), given)
    await desk.journal.transact(lambda conn: fleet.add_locations(conn, caller.account.id, [made]))
    return made


async def change_location(desk: Desk, caller: Office, location_id: str, given: Fields) -> Location:
    """Change what is given of a location; drivers who are sent there are told."""

    def change(conn: Connection) -> tuple[Location, list[tuple[str, str]]]:
        found = _found(fleet.location(conn, caller.account.id, location_id), "location")
        changed = _placed(msgspec.structs.replace(found, **given), given)
        fleet.save_location(conn, caller.account.id, changed)
        return changed, touch(conn, caller.account, desk.clock.now_ms(), [location_id])

    changed, told = await desk.journal.transact(change)
    _tell(desk, caller.account.id, told)
    return changed


async def remove_location(desk: Desk, caller: Office, location_id: str) -> None:
    """Refused with ``ERR_CONFLICT`` while orders are for it."""

    def remove(conn: Connection) -> None:
        if fleet.location_in_use(conn, caller.account.id, location_id):
            raise Refusal("ERR_CONFLICT", "Orders are for this location; delete or move them first.", "id")
        if not fleet.remove_location(conn, caller.account.id, location_id):
            raise Refusal("ERR_NOT_FOUND", "There is no such location.", "id")

    await desk.journal.transact(remove)


async def drivers(desk: Desk, caller: Office, after: str, limit: int) -> list[Driver]:
    """The account's drivers by id, from behind ``after``; a subcontractor sees its own."""
    return await desk.database.read(
        lambda conn: fleet.all_drivers(
            conn, caller.account.id, after=after, limit=limit, subcontractor=caller.subcontractor
        )
    )


async def vehicles(desk: Desk, caller: Office, after: str, limit: int) -> list[Vehicle]:
    return await desk.database.read(lambda conn: fleet.all_vehicles(conn, caller.account.id, after=after, limit=limit))


async def locations(desk: Desk, caller: Office, after: str, limit: int) -> list[Location]:
    return await desk.database.read(lambda conn: fleet.all_locations(conn, caller.account.id, after=after, limit=limit))


async def driver(desk: Desk, caller: Office, driver_id: str) -> Driver:
    """One driver. Refuses with ``ERR_NOT_FOUND``, also where it is another company's or another subcontractor's."""
    found = _found(await desk.database.read(lambda conn: fleet.driver(conn, caller.account.id, driver_id)), "driver")
    if caller.subcontractor is not None and found.subcontractor != caller.subcontractor:
        return _found(None, "driver")
    return found


async def vehicle(desk: Desk, caller: Office, vehicle_id: str) -> Vehicle:
    return _found(await desk.database.read(lambda conn: fleet.vehicle(conn, caller.account.id, vehicle_id)), "vehicle")


async def location(desk: Desk, caller: Office, location_id: str) -> Location:
    found = await desk.database.read(lambda conn: fleet.location(conn, caller.account.id, location_id))
    return _found(found, "location")


async def named(desk: Desk, caller: Office, names: Iterable[DriverName]) -> dict[DriverName, list[str]]:
    """The ids of the caller's drivers that each of these names fits: none, one, or several that share it."""
    wanted = list(names)
    return await desk.database.read(
        lambda conn: fleet.drivers_named(conn, caller.account.id, wanted, caller.subcontractor)
    )


async def vehicle_names(desk: Desk, caller: Office, of: Iterable[Driver]) -> dict[str, str]:
    """Vehicle id → external id, of these drivers' vehicles."""
    ids = {each.vehicle_id for each in of if each.vehicle_id}
    found = await desk.database.read(lambda conn: fleet.vehicles_by_id(conn, caller.account.id, ids))
    return {each.id: each.external_id or "" for each in found}


def _declare_codes(conn: Connection, desk: Desk, account_id: str, kind: CodeKind, given: dict[str, str]) -> Count:
    known = codes.names(conn, account_id, kind) if given else {}
    changed = {code: name for code, name in given.items() if code in known and known[code] != name}
    added = [Code(desk.new_id(), code, name) for code, name in given.items() if code not in known]
    codes.add(conn, account_id, kind, added)
    codes.rename(conn, account_id, kind, changed)
    return Count(len(added), len(changed), len(given) - len(added) - len(changed))


def _declare_vehicles(conn: Connection, desk: Desk, account_id: str, given: list[Fields]) -> Count:
    features = codes.names(conn, account_id, CodeKind.VEHICLE_FEATURE)
    known = fleet.vehicles_by_external_id(conn, account_id, _names(given, "external_id"))
    for index, each in enumerate(given):
        _check_codes(each, "features", features, f"vehicles[{index}].features")
    added, changed, count = _merge(Vehicle, desk, given, known, "external_id", "ERR_MULTIPLE_VEH", "vehicles")
    fleet.add_vehicles(conn, account_id, added)
    for vehicle in changed:
        fleet.save_vehicle(conn, account_id, vehicle)
    return count


def _declare_drivers(conn: Connection, desk: Desk, account_id: str, given: list[Fields]) -> Count:
    skills = codes.names(conn, account_id, CodeKind.SKILL)
    known = fleet.drivers_by_external_id(conn, account_id, _names(given, "external_id"))
    vehicles: dict[str, str] = {}
    for vehicle in fleet.vehicles_by_external_id(conn, account_id, _names(given, "vehicle")):
        if vehicle.external_id in vehicles:
            raise Refusal("ERR_MULTIPLE_VEH", f"Two vehicles have the external id {vehicle.external_id!r}.", "drivers")
        vehicles[vehicle.external_id or ""] = vehicle.id
    resolved = []
    for index, each in enumerate(given):
        _check_codes(each, "skills", skills, f"drivers[{index}].skills")
        named = each.get("vehicle")
        if named is not None and named not in vehicles:
            raise Refusal("ERR_VEH_NOT_FOUND", f"There is no vehicle {named!r}.", f"drivers[{index}].vehicle")
        fields = {name: value for name, value in each.items() if name != "vehicle"}
        if "vehicle" in each:
            fields["vehicle_id"] = vehicles[str(named)] if named is not None else None
        resolved.append(fields)
    added, changed, count = _merge(Driver, desk, resolved, known, "external_id", "ERR_MULTIPLE_DRV", "drivers")
    fleet.add_drivers(conn, account_id, added)
    for driver in changed:
        fleet.save_driver(conn, account_id, driver)
    return count


def _tell(desk: Desk, account_id: str, routes_of: Iterable[tuple[str, str]]) -> None:
    """The phones of these routes, each named by date and driver."""
    for date, driver_id in routes_of:
        desk.hub.tell_routes(account_id, date, [driver_id])


def _declare_locations(conn: Connection, desk: Desk, caller: Office, given: list[Fields]) -> tuple[Count, list[str]]:
    """Also the ids of those that were there and are different now."""
    account_id = caller.account.id
    known = fleet.locations_by_number(conn, account_id, _names(given, "location_no"))
    numbers = {each.location_no for each in known}
    usual: Fields = {"check_in_min": caller.account.settings.default_check_in_minutes, "valid": False}
    placed = [
        (usual if each.get("location_no") not in numbers else {})
        | ({"valid": True} if "latitude" in each and "longitude" in each else {})
        | each
        for each in given
    ]
    added, changed, count = _merge(Location, desk, placed, known, "location_no", "ERR_LOC_MULTIPLE_LOC", "locations")
    fleet.add_locations(conn, account_id, added)
    for each in changed:
        fleet.save_location(conn, account_id, each)
    return count, [each.id for each in changed]


def _merge(
    kind: type[T], desk: Desk, given: list[Fields], known: list[T], key: str, multiple: str, where: str
) -> tuple[list[T], list[T], Count]:
    """What is new, what is changed, and how many: each given thing against the known one with the same key."""
    found: dict[object, T] = {}
    for each in known:
        if getattr(each, key) in found:
            raise Refusal(
                multiple, f"Two of the {where} have the {key.replace('_', ' ')} {getattr(each, key)!r}.", where
            )
        found[getattr(each, key)] = each
    added, changed, unchanged = [], [], 0
    seen: set[object] = set()
    for index, fields in enumerate(given):
        name = fields.get(key)
        if name in seen:
            raise Refusal("ERR_INVALID", f"{name!r} stands twice in this document.", f"{where}[{index}]")
        if name:
            seen.add(name)
        old = found.get(name) if name else None
        if old is None:
            added.append(_made(kind, desk, fields))
        elif (new := msgspec.structs.replace(old, **fields)) != old:
            changed.append(new)
        else:
            unchanged += 1
    return added, changed, Count(len(added), len(changed), unchanged)


def _check_codes(fields: Fields, name: str, known: Iterable[str], where: str) -> None:
    given = fields.get(name)
    for code in given if isinstance(given, (list, tuple)) else ():
        if code not in known:
            raise Refusal(
                "ERR_SK_NOT_EXISTS" if name == "skills" else "ERR_VF_NOT_EXISTS", f"{code!r} is not known.", where
            )


def _with_vehicle(conn: Connection, account_id: str, given: Fields, where: str) -> Fields:
    """The same fields with the vehicle's id in place of its external id."""
    if "vehicle" not in given:
        return given
    fields = {name: value for name, value in given.items() if name != "vehicle"}
    named = given["vehicle"]
    if named is None:
        return {**fields, "vehicle_id": None}
    found = fleet.vehicles_by_external_id(conn, account_id, [str(named)])
    if not found:
        raise Refusal("ERR_VEH_NOT_FOUND", f"There is no vehicle {named!r}.", where)
    if len(found) > 1:
        raise Refusal("ERR_MULTIPLE_VEH", f"Two vehicles have the external id {named!r}.", where)
    return {**fields, "vehicle_id": found[0].id}


def _names(given: list[Fields], key: str) -> list[str]:
    return [str(each[key]) for each in given if each.get(key)]


def _made(kind: Callable[..., T], desk: Desk, fields: Fields) -> T:
    return kind(id=desk.new_id(), **fields)


def _found(value: T | None, noun: str) -> T:
    if value is None:
        raise Refusal("ERR_NOT_FOUND", f"There is no such {noun}.", "id")
    return value


def _placed(location: Location, given: Fields) -> Location:
    if "latitude" in given and "longitude" in given:
        return msgspec.structs.replace(location, valid=True)
    return location if location.latitude or location.longitude else msgspec.structs.replace(location, valid=False)
