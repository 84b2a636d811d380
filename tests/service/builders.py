"""An account with a driver whose plan was sent, straight in the store."""

import itertools
import uuid
from datetime import UTC, datetime

import msgspec
from sqlalchemy import Connection, insert, select

from backend.domain.accounts import Account, Device, Settings
from backend.domain.events import Action, Form, Kind
from backend.domain.routes import Route, Stop
from backend.store import standing
from backend.store.tables import accounts, drivers, orders, routes

DAY = "2026-03-02"
MORNING_MS = round(datetime(2026, 3, 2, 6, tzinfo=UTC).timestamp() * 1000)
NOW_MS = round(datetime(2026, 3, 2, 20, tzinfo=UTC).timestamp() * 1000)
_count = itertools.count(1)


def new_id(word: str) -> str:
    return f"{word}{next(_count)}"


def name(number: int) -> str:
    """An id as an app makes it; they sort as their numbers do."""
    return str(uuid.UUID(int=number))


def add_account(conn: Connection, settings: Settings | None = None) -> Account:
    account = Account(new_id("account"), new_id("Company "), settings or Settings())
    document = msgspec.json.encode(account.settings)
    conn.execute(insert(accounts).values(id=account.id, name=account.name, created_ms=0, settings=document))
    return account


def add_device(conn: Connection, account: Account) -> Device:
    """A driver's phone."""
    driver_id = new_id("driver")
    row = {"id": driver_id, "account_id": account.id, "serial": "", "document": b"{}"}
    conn.execute(insert(drivers).values(row))
    return Device(new_id("phone"), account, driver_id)


def add_route(conn: Connection, device: Device, stops: int, date: str = DAY) -> list[str]:
    """A sent route of new orders: their ids in route order. Their numbers are ``ORD-`` and the id."""
    route_id, ids = new_id("route"), [new_id("order") for _ in range(stops)]
    for order_id in ids:
        add_order(conn, device.account, order_id, route_id, date)
    stop = {"latitude": 45.8, "longitude": 16.0, "travel_s": 60, "distance_m": 500}
    planned = Route(
        device.driver_id,
        date,
        None,
        tuple(Stop(n, id, arrival_s=0, start_s=0, departure_s=0, **stop) for n, id in enumerate(ids, 1)),
        distance_m=0,
        duration_s=0,
        start_s=0,
        end_s=0,
    )
    row = {"id": route_id, "account_id": device.account.id, "date": date, "driver_id": device.driver_id, "version": 1}
    conn.execute(insert(routes).values(**row, active=msgspec.json.encode(planned), sent_ms=1))
    return ids


def add_order(conn: Connection, account: Account, order_id: str, route_id: str | None = None, date: str = DAY) -> None:
    conn.execute(
        insert(orders).values(
            id=order_id,
            account_id=account.id,
            order_no=f"ORD-{order_id}",
            date=date,
            location_id="",
            document=b"{}",
            planned_route_id=route_id,
            active_route_id=route_id,
            own_status="scheduled" if route_id else "unscheduled",
            status="scheduled" if route_id else "unscheduled",
        )
    )


def action(number: int, kind: Kind | str, minute: float, order_id: str | None = None, **more: object) -> Action:
    """What the phone says happened so many minutes after 6 o'clock."""
    if isinstance(note := more.pop("note", None), str):
        more["form"] = Form(note=note)
    at_s = MORNING_MS / 1000 + minute * 60
    return Action(id=name(number), action=Kind(kind), timestamp=at_s, order_id=order_id, **more)


def statuses(conn: Connection, order_ids: list[str]) -> list[str]:
    rows = conn.execute(select(orders.c.id, orders.c.status).where(orders.c.id.in_(order_ids)))
    found = {row.id: row.status for row in rows}
    return [found[order_id] for order_id in order_ids]


def state(conn: Connection, order_id: str) -> standing.OrderState:
    return standing.standing_orders(conn, [order_id])[order_id].state


def progress(conn: Connection, order_id: str) -> standing.RouteState:
    route_id = standing.standing_orders(conn, [order_id])[order_id].active_route_id
    return standing.standing_routes(conn, [route_id or ""])[0].progress
