"""A driver's settings for one date (working time, availability), and where the driver starts and ends."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from backend.domain.accounts import Office
from backend.domain.drafts import DriverName
from backend.domain.drivers import Driver, DriverDay, Place, Vehicle
from backend.domain.errors import Refusal
from backend.domain.orders import BEGUN, Location
from backend.service import settle
from backend.service.desk import Desk
from backend.store import fleet, routes
from backend.store import orders as store
from backend.store.database import Connection
from backend.store.routes import RouteRecord


class VehicleName(msgspec.Struct, frozen=True):
    external_id: str | None = None
    registration: str | None = None


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What shall be different for a driver on a date; what is UNSET stays as it is on that date.

    ``start`` and ``end`` hold on the date alone: a place, "default" for the driver's own, or for the end "start", where
    the day starts. ``usual_start`` and ``usual_end`` hold from now on, on this date too.
    """

    driver: DriverName
    date: str
    enabled: bool | UnsetType = UNSET
    work_from: str | UnsetType = UNSET
    work_to: str | UnsetType = UNSET
    vehicle: VehicleName | UnsetType = UNSET
    capacities: tuple[float | UnsetType, float | UnsetType, float | UnsetType, float | UnsetType] = (UNSET,) * 4
    start: Place | Literal["default"] | UnsetType = UNSET
    end: Place | Literal["default", "start"] | UnsetType = UNSET
    usual_start: Place | UnsetType = UNSET
    usual_end: Place | UnsetType = UNSET


async def change(desk: Desk, office: Office, changes: Sequence[Change | Refusal]) -> list[Refusal | None]:
    """Changes drivers' dates and takes their routes of those dates off the plan; one answer per change, in order.

    A change that is a refusal already stays one. Refusals: ``ERR_DRIVER_NOT_FOUND``, ``ERR_MULTIPLE_DRV``,
    ``ERR_VEH_NOT_FOUND``, ``ERR_MULTIPLE_VEH``.
    """

    def settle_all(conn: Connection) -> tuple[list[Refusal | None], list[RouteRecord]]:
        book = _Book(conn, desk, office, [each for each in changes if isinstance(each, Change)])
        answers = [each if isinstance(each, Refusal) else _try(book, each) for each in changes]
        return answers, book.write()

    answers, unplanned = await desk.journal.transact(settle_all)
    for record in unplanned:
        desk.hub.tell_routes(office.account.id, record.date, [record.driver_id])
    return answers


def _try(book: "_Book", given: Change) -> Refusal | None:
    try:
        book.settle(given)
    except Refusal as refusal:
        return refusal
    return None


class _Book:
    """The drivers, dates and vehicles that one call names, and what the call has changed of them so far."""

    def __init__(self, conn: Connection, desk: Desk, office: Office, changes: Sequence[Change]) -> None:
        self._conn, self._desk, self._office = conn, desk, office
        account_id = office.account.id
        self._named = fleet.drivers_named(conn, account_id, {each.driver for each in changes}) if changes else {}
        ids = {driver_id for found in self._named.values() for driver_id in found}
        self._drivers = {each.id: each for each in fleet.drivers_by_id(conn, account_id, ids)}
        dates = [each.date for each in changes]
        self._days = fleet.days(conn, account_id, min(dates), max(dates)) if dates else {}
        self._vehicles = _vehicles(conn, account_id, [each.vehicle for each in changes if each.vehicle is not UNSET])
        self._changed: dict[tuple[str, str], DriverDay] = {}
        self._moved: dict[str, Driver] = {}
        self._places: list[Place] = []

    def settle(self, given: Change) -> None:
        driver = self._driver(given.driver)
        key = (driver.id, given.date)
        day = self._days.get(key, DriverDay())
        fields: dict[str, Any] = {
            name: value for name in ("enabled", "work_from", "work_to") if (value := getattr(given, name)) is not UNSET
        }
        limits = day.capacities
        if given.vehicle is not UNSET:
            fields["vehicle_id"] = self._vehicle(given.vehicle).id
            limits = (None, None, None, None)
        if given.usual_start is not UNSET:
            fields["start"] = None
        if given.usual_end is not UNSET:
            fields["end"], fields["end_at_start"] = None, False
        if given.start is not UNSET:
            fields["start"] = given.start if isinstance(given.start, Place) else None
        if given.end is not UNSET:
            fields["end"] = given.end if isinstance(given.end, Place) else None
            fields["end_at_start"] = given.end == "start"
        fields["capacities"] = tuple(
            old if new is UNSET else new for old, new in zip(limits, given.capacities, strict=True)
        )
        usual = msgspec.structs.replace(
            driver,
            start=driver.start if given.usual_start is UNSET else given.usual_start,
            end=driver.end if given.usual_end is UNSET else given.usual_end,
        )
        if usual != driver:
            self._drivers[driver.id] = self._moved[driver.id] = usual
        self._places += [each for each in (given.start, given.end) if isinstance(each, Place)]
        self._days[key] = self._changed[key] = msgspec.structs.replace(day, **fields)

    def write(self) -> list[RouteRecord]:
        """The routes that are no longer planned."""
        account_id = self._office.account.id
        fleet.save_days(self._conn, account_id, self._changed)
        for driver in self._moved.values():
            fleet.save_driver(self._conn, account_id, driver)
        self._add_places()
        return unplan(self._conn, self._office, self._changed)

    def _driver(self, name: DriverName) -> Driver:
        found = self._named[name]
        if not found:
            raise Refusal("ERR_DRIVER_NOT_FOUND", "Could not find a driver with the matching id.")
        if len(found) > 1:
            raise Refusal("ERR_MULTIPLE_DRV", "Found multiple drivers with matching external id or serial number.")
        return self._drivers[found[0]]

    def _vehicle(self, name: VehicleName) -> Vehicle:
        found = [
            each
            for each in self._vehicles
            if (name.external_id is None or each.external_id == name.external_id)
            and (name.registration is None or each.registration == name.registration)
        ]
        if not found:
            raise Refusal("ERR_VEH_NOT_FOUND", "Could not find a vehicle with the matching id.")
        if len(found) > 1:
            raise Refusal("ERR_MULTIPLE_VEH", "Found multiple vehicles with matching external id or registration.")
        return found[0]

    def _add_places(self) -> None:
        """A place that a date was given becomes a location of the account, where it is not one already."""
        account_id = self._office.account.id
        new = dict.fromkeys((each.latitude, each.longitude, each.address) for each in self._places)
        known = fleet.places_among(self._conn, account_id, new)
        fleet.add_locations(
            self._conn,
            account_id,
            [
                Location(self._desk.new_id(), "", address or f"{lat}, {lon}", address, lat, lon)
                for lat, lon, address in new
                if (lat, lon, address) not in known
            ],
        )


def unplan(conn: Connection, office: Office, days: Iterable[tuple[str, str]]) -> list[RouteRecord]:
    """Takes the planned routes of these drivers and dates off the plan, save the stops that have begun."""
    account_id = office.account.id
    wanted = set(days)
    dates = [date for _, date in wanted]
    found = routes.on_dates(conn, account_id, min(dates), max(dates)) if dates else []
    chosen = [record for record in found if record.planned and (record.driver_id, record.date) in wanted]
    standing = store.on_routes(conn, account_id, [record.id for record in chosen])
    kept = {record.order.id for record in standing if record.status in BEGUN}
    for record in chosen:
        left = record.planned and routes.without(record.planned, lambda order_id, _date: order_id in kept)
        empty = not left or not any(stop.order_id for stop in left.stops)
        routes.update_routes(conn, [msgspec.structs.replace(record, planned=None if empty else left)])
    ids = {record.id for record in chosen}
    off = [record for record in standing if record.planned_route_id in ids and record.order.id not in kept]
    store.place_orders(conn, [msgspec.structs.replace(record, planned_route_id=None) for record in off])
    settle.refold(conn, office.account, [record.order.id for record in off])
    return chosen


def _vehicles(conn: Connection, account_id: str, names: Sequence[VehicleName]) -> list[Vehicle]:
    external_ids = {name.external_id for name in names if name.external_id is not None}
    registrations = {name.registration for name in names if name.registration is not None}
    found = fleet.vehicles_by_external_id(conn, account_id, external_ids)
    found += fleet.vehicles_by_registration(conn, account_id, registrations)
    return list({vehicle.id: vehicle for vehicle in found}.values())
