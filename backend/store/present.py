"""The current state of a fleet, read when somebody subscribes to the live map, and of an order for its recipient."""

from collections.abc import Iterable

import msgspec
from sqlalchemy import Connection, select

from backend.domain.accounts import Account, Settings
from backend.domain.orders import Status
from backend.domain.progress import RouteState
from backend.store.standing import progress_of
from backend.store.tables import accounts, orders, routes

_settings = msgspec.json.Decoder(Settings)
_MANY = 500  # values in one IN list


class SentRoute(msgspec.Struct, frozen=True):
    """A route that a driver was sent, without its stops."""

    id: str
    driver_id: str
    date: str
    progress: RouteState


class Tracked(msgspec.Struct, frozen=True):
    """Whose order it is, and the driver and the date of the route it was sent on; None where it is on none now."""

    account: Account
    order_id: str
    driver_id: str | None = None
    date: str | None = None


def sent_routes(conn: Connection, account_id: str, dates: Iterable[str]) -> list[SentRoute]:
    """Of these dates, by date."""
    statement = (
        select(routes.c.id, routes.c.driver_id, routes.c.date, routes.c.progress)
        .where(routes.c.account_id == account_id, routes.c.date.in_(list(dates)))
        .where(routes.c.active.is_not(None))
        .order_by(routes.c.date)
    )
    return [SentRoute(row.id, row.driver_id, row.date, progress_of(row.progress)) for row in conn.execute(statement)]


def orders_under_way(conn: Connection, route_ids: Iterable[str]) -> dict[str, tuple[str, str]]:
    """By route the order, and its status, that the driver is at or else on the way to."""
    wanted = list(route_ids)
    found: dict[str, tuple[str, str]] = {}
    for start in range(0, len(wanted), _MANY):
        statement = (
            select(orders.c.active_route_id, orders.c.id, orders.c.status)
            .where(orders.c.active_route_id.in_(wanted[start : start + _MANY]))
            .where(orders.c.status.in_([Status.ON_ROUTE.value, Status.SERVICING.value]))
            .order_by(orders.c.status)  # on_route before servicing, which goes first
        )
        found |= {row.active_route_id: (row.id, row.status) for row in conn.execute(statement)}
    return found


def by_tracking(conn: Connection, tracking: str) -> Tracked | None:
    """An order by its code: the one look-up for which nobody signs in, since the code itself is the secret."""
    owner = (orders.c.account_id, accounts.c.name, accounts.c.settings)
    statement = (
        select(orders.c.id, *owner, routes.c.driver_id, routes.c.date)
        .join(accounts, accounts.c.id == orders.c.account_id)
        .outerjoin(routes, (routes.c.id == orders.c.active_route_id) & routes.c.active.is_not(None))
        .where(orders.c.tracking == tracking)
    )
    row = conn.execute(statement).first()
    if row is None:
        return None
    account = Account(row.account_id, row.name, _settings.decode(row.settings))
    return Tracked(account, row.id, row.driver_id, row.date)
