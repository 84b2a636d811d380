"""The current state of orders and routes (the stored results of their folds), and to whom they belong."""

from collections.abc import Iterable, Mapping
from datetime import date as Day
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, or_, select, update

from backend.domain.orders import Status
from backend.domain.progress import OrderState, RouteState
from backend.domain.routes import Route
from backend.store.parts import parts
from backend.store.tables import orders, routes


class OwnOrder(msgspec.Struct, frozen=True):
    """An order on a route that a driver was sent."""

    id: str
    order_no: str | None
    route_id: str
    date: str


class OrderStanding(msgspec.Struct, frozen=True):
    """``state`` is what the order's own facts make of it, ``status`` what everybody sees."""

    id: str
    active_route_id: str | None
    planned_route_id: str | None
    status: str
    state: OrderState

    @property
    def planned(self) -> Status:
        """What it is while nothing is said of it: what the plan has of it, also before that is sent."""
        return Status.SCHEDULED if self.planned_route_id else Status.UNSCHEDULED

    @property
    def own(self) -> Status | None:
        """What is said of it. It was called unscheduled until a plan has it again: see ``completions.set_statuses``."""
        return None if self.state.status is Status.UNSCHEDULED and self.planned_route_id else self.state.status


class RouteStanding(msgspec.Struct, frozen=True):
    id: str
    date: str
    driver_id: str
    order_ids: tuple[str, ...]  # in the order in which they are driven
    progress: RouteState


_state = msgspec.json.Decoder(OrderState)
_progress = msgspec.json.Decoder(RouteState)
_route = msgspec.json.Decoder(Route)
_encode = msgspec.json.Encoder().encode


def own_orders(
    conn: Connection, account_id: str, driver_id: str, ids: Iterable[str], numbers: Iterable[str]
) -> list[OwnOrder]:
    """The orders with these ids or numbers that stand on a route of this driver; a number may fit several."""
    statement = (
        select(orders.c.id, orders.c.order_no, orders.c.active_route_id, routes.c.date)
        .join(routes, routes.c.id == orders.c.active_route_id)
        .where(orders.c.account_id == account_id, routes.c.driver_id == driver_id)
        .where(or_(orders.c.id.in_(list(ids)), orders.c.order_no.in_(list(numbers))))
    )
    return [OwnOrder(*row) for row in conn.execute(statement)]


def nearest_route(conn: Connection, account_id: str, driver_id: str, date: str) -> tuple[str, str] | None:
    """Date and id of the route that the driver was sent for this date, or else for the day nearest before, or after."""
    own = select(routes.c.date, routes.c.id).where(
        routes.c.account_id == account_id, routes.c.driver_id == driver_id, routes.c.active.is_not(None)
    )
    before = conn.execute(own.where(routes.c.date <= date).order_by(routes.c.date.desc()).limit(1)).first()
    if before and before.date == date:
        return tuple(before)
    after = conn.execute(own.where(routes.c.date > date).order_by(routes.c.date).limit(1)).first()
    found = [row for row in (before, after) if row]
    return min(((row.date, row.id) for row in found), key=lambda row: days_between(row[0], date), default=None)


def route_version(conn: Connection, account_id: str, driver_id: str, date: str) -> int:
    """The version of the route that the driver was sent for this date; 0 where there is none."""
    statement = select(routes.c.version).where(
        routes.c.account_id == account_id,
        routes.c.driver_id == driver_id,
        routes.c.date == date,
        routes.c.active.is_not(None),
    )
    return conn.execute(statement).scalar() or 0


def route_versions(conn: Connection, account_id: str, first_date: str) -> dict[str, dict[str, int]]:
    """By driver and date the version of each route that was sent, from a date on."""
    statement = select(routes.c.driver_id, routes.c.date, routes.c.version).where(
        routes.c.account_id == account_id, routes.c.date >= first_date, routes.c.active.is_not(None)
    )
    found: dict[str, dict[str, int]] = {}
    for driver_id, date, version in conn.execute(statement):
        found.setdefault(driver_id, {})[date] = version
    return found


def standing_routes(conn: Connection, route_ids: Iterable[str]) -> list[RouteStanding]:
    """Those of these routes that were sent."""
    columns = (routes.c.id, routes.c.date, routes.c.driver_id, routes.c.active, routes.c.progress)
    found = []
    for part in parts(route_ids):
        for row in conn.execute(select(*columns).where(routes.c.id.in_(part), routes.c.active.is_not(None))):
            stops = _route.decode(row.active).stops
            order_ids = tuple(stop.order_id for stop in stops if stop.order_id)
            found.append(RouteStanding(row.id, row.date, row.driver_id, order_ids, progress_of(row.progress)))
    return found


def standing_orders(
    conn: Connection, order_ids: Iterable[str] = (), route_ids: Iterable[str] = ()
) -> dict[str, OrderStanding]:
    """These orders, and all that stand on these sent routes."""
    names = ("id", "active_route_id", "planned_route_id", "status", "completion")
    chosen = select(*(orders.c[name] for name in names))
    found = {}
    for statement in (
        *(chosen.where(orders.c.id.in_(part)) for part in parts(order_ids)),
        *(chosen.where(orders.c.active_route_id.in_(part)) for part in parts(route_ids)),
    ):
        for row in conn.execute(statement):
            state = state_of(row.completion)
            found[row.id] = OrderStanding(row.id, row.active_route_id, row.planned_route_id, row.status, state)
    return found


def state_of(completion: bytes | None) -> OrderState:
    """What the column ``orders.completion`` holds."""
    return _state.decode(completion) if completion else OrderState()


def progress_of(progress: bytes | None) -> RouteState:
    """What the column ``routes.progress`` holds."""
    return _progress.decode(progress) if progress else RouteState()


def remember_orders(conn: Connection, shown: Mapping[str, tuple[OrderStanding, Status]]) -> None:
    """Writes state and status, by order."""
    rows = [
        {
            "key": order_id,
            "own_status": (order.own or order.planned).value,
            "status": status.value,
            "completion": _encode(order.state) if order.state != OrderState() else None,
        }
        for order_id, (order, status) in shown.items()
    ]
    _write(conn, orders, rows, ("own_status", "status", "completion"))


def remember_routes(conn: Connection, states: Mapping[str, RouteState]) -> None:
    rows = [{"key": route_id, "progress": _encode(state)} for route_id, state in states.items()]
    _write(conn, routes, rows, ("progress",))


def _write(conn: Connection, table: Any, rows: list[dict[str, Any]], names: tuple[str, ...]) -> None:
    if rows:
        statement = update(table).where(table.c.id == bindparam("key"))
        conn.execute(statement.values({name: bindparam(name) for name in names}), rows)


def days_between(date: str, other: str) -> int:
    return abs((Day.fromisoformat(date) - Day.fromisoformat(other)).days)
