"""Drivers, vehicles and locations.

Each ``…_by_…`` look-up answers lists, since two drivers may share a serial number; what that means is for the verbs.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import Column, Connection, Table, delete, insert, select, union, update

from backend.domain.drafts import DriverName
from backend.domain.drivers import Driver, DriverDay, Vehicle
from backend.domain.orders import Location
from backend.store.parts import parts
from backend.store.tables import (
    devices,
    driver_days,
    drivers,
    former_drivers,
    locations,
    orders,
    vehicles,
)

_driver = msgspec.json.Decoder(Driver)
_vehicle = msgspec.json.Decoder(Vehicle)
_day = msgspec.json.Decoder(DriverDay)
_EVER = (
    (select(drivers.c.id), drivers.c.account_id),
    (select(former_drivers.c.id), former_drivers.c.account_id),
    (select(devices.c.driver_id), devices.c.account_id),  # of those who were taken out before the table above was
)
_MANY = 500  # values in one IN list, well under SQLite's limit of variables


def driver(conn: Connection, account_id: str, driver_id: str) -> Driver | None:
    chosen = (drivers.c.id == driver_id) & (drivers.c.account_id == account_id)
    body = conn.execute(select(drivers.c.document).where(chosen)).scalar()
    return _driver.decode(body) if body else None


def driver_ids(conn: Connection, account_id: str) -> list[str]:
    """Of all who drive, and of all who once did."""
    return list(conn.execute(union(*(each.where(of == account_id) for each, of in _EVER))).scalars())


def all_driver_ids(conn: Connection) -> list[str]:
    """Of all accounts, as ``driver_ids``."""
    return list(conn.execute(union(*(each for each, _ in _EVER))).scalars())


def vehicle(conn: Connection, account_id: str, vehicle_id: str) -> Vehicle | None:
    chosen = (vehicles.c.id == vehicle_id) & (vehicles.c.account_id == account_id)
    body = conn.execute(select(vehicles.c.document).where(chosen)).scalar()
    return _vehicle.decode(body) if body else None


def location(conn: Connection, account_id: str, location_id: str) -> Location | None:
    found = _in(conn, locations, locations.c.id, account_id, [location_id])
    return _location(found[0]) if found else None


def all_drivers(
    conn: Connection, account_id: str, *, after: str = "", limit: int = 1_000_000, subcontractor: str | None = None
) -> list[Driver]:
    """By id, from behind ``after``."""
    chosen = (drivers.c.account_id == account_id) & (drivers.c.id > after)
    if subcontractor is not None:
        chosen &= drivers.c.subcontractor == subcontractor
    rows = conn.execute(select(drivers.c.document).where(chosen).order_by(drivers.c.id).limit(limit))
    return [_driver.decode(body) for body in rows.scalars()]


def all_vehicles(conn: Connection, account_id: str, *, after: str = "", limit: int = 1_000_000) -> list[Vehicle]:
    chosen = (vehicles.c.account_id == account_id) & (vehicles.c.id > after)
    rows = conn.execute(select(vehicles.c.document).where(chosen).order_by(vehicles.c.id).limit(limit))
    return [_vehicle.decode(body) for body in rows.scalars()]


def all_locations(conn: Connection, account_id: str, *, after: str = "", limit: int = 1_000_000) -> list[Location]:
    chosen = (locations.c.account_id == account_id) & (locations.c.id > after)
    rows = conn.execute(select(locations).where(chosen).order_by(locations.c.id).limit(limit))
    return [_location(row) for row in rows]


def drivers_by_external_id(conn: Connection, account_id: str, ids: Iterable[str]) -> list[Driver]:
    return [_driver.decode(row.document) for row in _in(conn, drivers, drivers.c.external_id, account_id, ids)]


def drivers_by_serial(conn: Connection, account_id: str, serials: Iterable[str]) -> list[Driver]:
    return [_driver.decode(row.document) for row in _in(conn, drivers, drivers.c.serial, account_id, serials)]


def drivers_by_id(conn: Connection, account_id: str, ids: Iterable[str]) -> list[Driver]:
    return [_driver.decode(row.document) for row in _in(conn, drivers, drivers.c.id, account_id, ids)]


def drivers_named(
    conn: Connection, account_id: str, names: Iterable[DriverName], subcontractor: str | None = None
) -> dict[DriverName, list[str]]:
    """The ids of the drivers that each of these names fits; of the one subcontractor alone where given."""
    wanted = list(names)
    external_ids = {name.external_id for name in wanted} - {None}
    serials = {name.serial for name in wanted} - {None}
    statement = select(drivers.c.id, drivers.c.external_id, drivers.c.serial).where(drivers.c.account_id == account_id)
    if subcontractor is not None:
        statement = statement.where(drivers.c.subcontractor == subcontractor)
    by_external: dict[str, list[Any]] = {}
    by_serial: dict[str, list[Any]] = {}
    for part in parts(external_ids):
        for row in conn.execute(statement.where(drivers.c.external_id.in_(part))):
            by_external.setdefault(row.external_id, []).append(row)
    for part in parts(serials):
        for row in conn.execute(statement.where(drivers.c.serial.in_(part))):
            by_serial.setdefault(row.serial, []).append(row)
    found = {}
    for name in wanted:
        if name.external_id is not None:
            rows = by_external.get(name.external_id, [])
        else:
            rows = by_serial.get(name.serial or "", [])
        found[name] = [row.id for row in rows if name.serial is None or row.serial == name.serial]
    return found


def driver_names(conn: Connection, ids: Iterable[str]) -> dict[str, DriverName]:
    """How other systems name these drivers, by id."""
    statement = select(drivers.c.id, drivers.c.external_id, drivers.c.serial).where(drivers.c.id.in_(list(ids)))
    return {row.id: DriverName(row.external_id, row.serial) for row in conn.execute(statement)}


def days(conn: Connection, account_id: str, first: str, last: str) -> dict[tuple[str, str], DriverDay]:
    """What is different on the dates from ``first`` to ``last``, by driver and date."""
    chosen = (driver_days.c.account_id == account_id) & driver_days.c.date.between(first, last)
    rows = conn.execute(select(driver_days.c.driver_id, driver_days.c.date, driver_days.c.document).where(chosen))
    return {(row.driver_id, row.date): _day.decode(row.document) for row in rows}


def save_days(conn: Connection, account_id: str, changed: dict[tuple[str, str], DriverDay]) -> None:
    """In place of what was there for these drivers and dates."""
    for driver_id, date in changed:
        conn.execute(delete(driver_days).where(driver_days.c.driver_id == driver_id, driver_days.c.date == date))
    rows = [
        {"account_id": account_id, "driver_id": driver_id, "date": date, "document": msgspec.json.encode(day)}
        for (driver_id, date), day in changed.items()
    ]
    if rows:
        conn.execute(insert(driver_days), rows)


def vehicles_by_registration(conn: Connection, account_id: str, registrations: Iterable[str]) -> list[Vehicle]:
    rows = _in(conn, vehicles, vehicles.c.registration, account_id, registrations)
    return [_vehicle.decode(row.document) for row in rows]


def vehicles_by_id(conn: Connection, account_id: str, ids: Iterable[str]) -> list[Vehicle]:
    return [_vehicle.decode(row.document) for row in _in(conn, vehicles, vehicles.c.id, account_id, ids)]


def vehicles_by_external_id(conn: Connection, account_id: str, ids: Iterable[str]) -> list[Vehicle]:
    return [_vehicle.decode(row.document) for row in _in(conn, vehicles, vehicles.c.external_id, account_id, ids)]


def places_among(
    conn: Connection, account_id: str, wanted: Iterable[tuple[float, float, str]]
) -> set[tuple[float, float, str]]:
    """Those of these places (latitude, longitude, address) that are locations of the account already."""
    found = set()
    for latitude, longitude, address in wanted:
        same = (locations.c.latitude == latitude) & (locations.c.longitude == longitude)
        chosen = (locations.c.account_id == account_id) & (locations.c.address == address) & same
        if conn.execute(select(locations.c.id).where(chosen).limit(1)).first():
            found.add((latitude, longitude, address))
    return found


def locations_by_number(conn: Connection, account_id: str, numbers: Iterable[str]) -> list[Location]:
    return [_location(row) for row in _in(conn, locations, locations.c.location_no, account_id, numbers)]


def add_drivers(conn: Connection, account_id: str, added: list[Driver]) -> None:
    if added:
        conn.execute(insert(drivers), [{"account_id": account_id, **_driver_row(each)} for each in added])


def save_driver(conn: Connection, account_id: str, changed: Driver) -> None:
    chosen = (drivers.c.account_id == account_id) & (drivers.c.id == changed.id)
    conn.execute(update(drivers).where(chosen).values(_driver_row(changed)))


def add_vehicles(conn: Connection, account_id: str, added: list[Vehicle]) -> None:
    if added:
        conn.execute(insert(vehicles), [{"account_id": account_id, **_vehicle_row(each)} for each in added])


def save_vehicle(conn: Connection, account_id: str, changed: Vehicle) -> None:
    chosen = (vehicles.c.account_id == account_id) & (vehicles.c.id == changed.id)
    conn.execute(update(vehicles).where(chosen).values(_vehicle_row(changed)))


def add_locations(conn: Connection, account_id: str, added: list[Location]) -> None:
    if added:
        rows = [{"account_id": account_id, **msgspec.structs.asdict(each)} for each in added]
        conn.execute(insert(locations), rows)


def save_location(conn: Connection, account_id: str, changed: Location) -> None:
    chosen = (locations.c.account_id == account_id) & (locations.c.id == changed.id)
    conn.execute(update(locations).where(chosen).values(msgspec.structs.asdict(changed)))


def remove_driver(conn: Connection, account_id: str, driver_id: str) -> bool:
    """What the driver's positions are found by stays."""
    if not _remove(conn, drivers, account_id, driver_id):
        return False
    conn.execute(insert(former_drivers).values(id=driver_id, account_id=account_id))
    return True


def remove_vehicle(conn: Connection, account_id: str, vehicle_id: str) -> bool:
    return _remove(conn, vehicles, account_id, vehicle_id)


def remove_location(conn: Connection, account_id: str, location_id: str) -> bool:
    return _remove(conn, locations, account_id, location_id)


def location_in_use(conn: Connection, account_id: str, location_id: str) -> bool:
    chosen = (orders.c.location_id == location_id) & (orders.c.account_id == account_id)
    return conn.execute(select(orders.c.id).where(chosen).limit(1)).first() is not None


def _in(conn: Connection, table: Table, column: Column[Any], account_id: str, values: Iterable[str]) -> list[Any]:
    wanted = list(dict.fromkeys(values))
    found: list[Any] = []
    for start in range(0, len(wanted), _MANY):
        chosen = (table.c.account_id == account_id) & column.in_(wanted[start : start + _MANY])
        found.extend(conn.execute(select(table).where(chosen).order_by(table.c.id)))
    return found


def _remove(conn: Connection, table: Table, account_id: str, row_id: str) -> bool:
    chosen = (table.c.account_id == account_id) & (table.c.id == row_id)
    return conn.execute(delete(table).where(chosen)).rowcount > 0


def _driver_row(value: Driver) -> dict[str, object]:
    return {
        "id": value.id,
        "external_id": value.external_id,
        "serial": value.serial,
        "subcontractor": value.subcontractor,
        "document": msgspec.json.encode(value),
    }


def _vehicle_row(value: Vehicle) -> dict[str, object]:
    return {
        "id": value.id,
        "external_id": value.external_id,
        "registration": value.registration,
        "document": msgspec.json.encode(value),
    }


def _location(row: Any) -> Location:
    return Location(
        row.id,
        row.location_no,
        row.name,
        row.address,
        row.latitude,
        row.longitude,
        row.notes,
        row.check_in_min,
        row.valid,
    )
