"""Events for people and other systems: the log of facts, with order numbers and names in place of ids."""

import functools

import msgspec
import tzfpy

from backend.domain.accounts import Account
from backend.domain.drivers import Driver
from backend.domain.events import Fact
from backend.domain.orders import Location
from backend.domain.times import local_day_ms, zone
from backend.service.desk import Desk
from backend.store import facts, fleet, orders, people
from backend.store.database import Connection
from backend.store.facts import Arrived


class Event(msgspec.Struct, frozen=True):
    """Something that a driver reported. ``zone`` is the IANA time zone at the order's place, else the account's.

    ``status`` is the order's after it; ``driver`` and ``place`` are None where they are no longer known.
    """

    sequence: int
    fact: Fact
    zone: str
    driver: Driver | None = None
    order_id: str | None = None
    order_no: str | None = None
    place: Location | None = None
    route_id: str | None = None
    status: str | None = None
    out_of_order: bool = False


class Events(msgspec.Struct, frozen=True):
    """Events in order of arrival, the sequence that they reach to, and how many more there are after that."""

    items: list[Event]
    upto: int
    remaining: int


async def since(desk: Desk, account_id: str, after: int, limit: int, subcontractor: str | None = None) -> Events:
    """Up to ``limit`` events after the one numbered ``after``, which may be 0; of one subcontractor's drivers alone
    where given."""

    def read(conn: Connection) -> Events:
        page = facts.since(conn, account_id, after, limit, subcontractor=subcontractor)
        upto = page.facts[-1].sequence if page.facts else after
        return Events(named(conn, account_id, page.facts), upto, page.remaining)

    return await desk.database.read(read)


async def newest(desk: Desk, account: Account, limit: int, date: str | None = None) -> list[Event]:
    """The last events to arrive first; of one day in the account's time zone, by their own time, where given."""
    between = local_day_ms(date, account.settings.time_zone) if date is not None else (None, None)

    def read(conn: Connection) -> list[Event]:
        found = [each for each in facts.newest(conn, account.id, limit, *between) if each.fact.driver_id is not None]
        return named(conn, account.id, found)

    return await desk.database.read(read)


def named(conn: Connection, account_id: str, arrived: list[Arrived]) -> list[Event]:
    """These facts of the account with drivers, orders and places looked up."""
    if not arrived:
        return []
    account = people.account(conn, account_id)
    drivers = {
        each.id: each for each in fleet.drivers_by_id(conn, account_id, {f.fact.driver_id or "" for f in arrived})
    }
    ordered = orders.by_ids(conn, account_id, {each.order_id for each in arrived if each.order_id})
    places = orders.locations_by_ids(conn, {record.order.location_id for record in ordered.values()})
    made = []
    for each in arrived:
        record = ordered.get(each.order_id or "")
        place = places.get(record.order.location_id) if record else None
        made.append(
            Event(
                sequence=each.sequence,
                fact=each.fact,
                zone=zone_of(place, account),
                driver=drivers.get(each.fact.driver_id or ""),
                order_id=each.order_id,
                order_no=record.order.order_no if record else None,
                place=place,
                route_id=each.route_id,
                status=each.status,
                out_of_order=each.out_of_order,
            )
        )
    return made


def zone_of(place: Location | None, account: Account | None) -> str:
    """The time zone at a place, looked up offline; the account's where there is no place or it is at sea."""
    found = _zone_at(round(place.latitude, 3), round(place.longitude, 3)) if place is not None and place.valid else ""
    return found or (account.settings.time_zone if account else "UTC")


@functools.lru_cache(maxsize=20_000)
def _zone_at(latitude: float, longitude: float) -> str:
    name = tzfpy.get_tz(longitude, latitude)
    try:
        zone(name)
    except Exception:
        return ""
    return name
