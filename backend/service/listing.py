"""Lists for the office: orders by day and by text, and the state of a day's plan."""

import msgspec

from backend.domain.accounts import Office
from backend.domain.errors import Refusal
from backend.domain.orders import Location, Order, Status
from backend.domain.routes import Stop
from backend.service import completions
from backend.service.completions import Completion
from backend.service.desk import Desk
from backend.store import fleet, routes
from backend.store import orders as store
from backend.store.database import Connection


class Listed(msgspec.Struct, frozen=True):
    """An order, its place, and where it stands on the plan that was made last (None where it has no place on it)."""

    order: Order
    location: Location
    status: str
    tracking: str | None
    driver_id: str | None = None
    driver_name: str | None = None
    stop: Stop | None = None


class Unscheduled(msgspec.Struct, frozen=True):
    """An order without a place on the plan, and why: a code and a sentence."""

    id: str
    order_no: str | None
    code: str
    text: str


class Plan(msgspec.Struct, frozen=True):
    date: str
    routes: int
    orders: int
    sent_ms: int | None
    unscheduled: list[Unscheduled]


async def orders(desk: Desk, caller: Office, date: str | None, words: str, after: str, limit: int) -> list[Listed]:
    """By id from behind ``after``; of one day, and with ``words`` in number, place or address, where given."""

    def read(conn: Connection) -> list[Listed]:
        found = store.search(conn, caller.account.id, caller.customer, date, words, after, limit)
        return _listed(conn, caller.account.id, found)

    return await desk.database.read(read)


async def order(desk: Desk, caller: Office, order_id: str) -> tuple[Listed, Completion]:
    """One order and what became of it. Refuses with ``ERR_NOT_FOUND`` what is not the caller's."""

    def read(conn: Connection) -> tuple[Listed, Completion]:
        found = list(store.by_ids(conn, caller.account.id, [order_id], caller.customer).values())
        if not found:
            raise Refusal("ERR_NOT_FOUND", "There is no such order.", "id")
        return _listed(conn, caller.account.id, found)[0], completions.of_records(conn, caller, found)[0]

    return await desk.database.read(read)


async def plan(desk: Desk, caller: Office, date: str) -> Plan:
    """How the plan of a day stands."""

    def read(conn: Connection) -> Plan:
        planned = [each for each in routes.on_dates(conn, caller.account.id, date, date) if each.planned]
        records = store.on_dates(conn, caller.account.id, date, date)
        without = [
            Unscheduled(
                each.order.id,
                each.order.order_no,
                each.unscheduled_code or "NOT_PLANNED",
                each.unscheduled_text or "No plan was made since the order came.",
            )
            for each in records
            if each.status == Status.UNSCHEDULED
        ]
        sent_ms = max((each.sent_ms for each in planned if each.sent_ms is not None), default=None)
        return Plan(date, len(planned), sum(1 for each in records if each.planned_route_id), sent_ms, without)

    return await desk.database.read(read)


def _listed(conn: Connection, account_id: str, records: list[store.Record]) -> list[Listed]:
    places = store.locations_by_ids(conn, {each.order.location_id for each in records})
    on_routes = routes.by_ids(conn, account_id, {each.planned_route_id for each in records if each.planned_route_id})
    drivers = {
        each.id: each for each in fleet.drivers_by_id(conn, account_id, {r.driver_id for r in on_routes.values()})
    }
    stops = {
        stop.order_id: stop
        for record in on_routes.values()
        if record.planned
        for stop in record.planned.stops
        if stop.order_id
    }
    listed = []
    for each in records:
        route = on_routes.get(each.planned_route_id or "")
        driver = drivers.get(route.driver_id) if route else None
        listed.append(
            Listed(
                each.order,
                places[each.order.location_id],
                each.status,
                each.tracking,
                driver.id if driver else None,
                driver.name if driver else None,
                stops.get(each.order.id),
            )
        )
    return listed
