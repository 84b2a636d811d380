"""Routes: the planned one of each driver and date, and the one that was sent."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, RowMapping, Select, bindparam, delete, insert, select, update

from backend.domain.routes import Route, Stop
from backend.store.parts import parts
from backend.store.tables import drivers, routes


class RouteRecord(msgspec.Struct, frozen=True):
    """A driver's day; ``planned`` and ``active`` are as in the table, ``standing.progress_of`` reads ``progress``."""

    id: str
    date: str
    driver_id: str
    version: int = 0
    planned: Route | None = None
    active: Route | None = None
    sent_ms: int | None = None
    progress: bytes | None = None


_route = msgspec.json.Decoder(Route)
_encode = msgspec.json.Encoder().encode
_COLUMNS = [routes.c[name] for name in RouteRecord.__struct_fields__]


def on_dates(
    conn: Connection, account_id: str, first: str, last: str, driver_id: str | None = None
) -> list[RouteRecord]:
    """Of the dates from ``first`` to ``last``, both included."""
    statement = _of(account_id).where(routes.c.date >= first, routes.c.date <= last)
    if driver_id is not None:
        statement = statement.where(routes.c.driver_id == driver_id)
    return [_record(row) for row in conn.execute(statement.order_by(routes.c.date, routes.c.driver_id)).mappings()]


def by_ids(conn: Connection, account_id: str, ids: Iterable[str]) -> dict[str, RouteRecord]:
    found = {}
    for part in parts(ids):
        for row in conn.execute(_of(account_id).where(routes.c.id.in_(part))).mappings():
            found[row["id"]] = _record(row)
    return found


def last_sent(conn: Connection, account_id: str) -> str | None:
    """The date whose plan was sent last, of those that drivers have; None where there is none."""
    sent = select(routes.c.date).where(routes.c.account_id == account_id, routes.c.active.is_not(None))
    return conn.execute(sent.order_by(routes.c.sent_ms.desc(), routes.c.date.desc()).limit(1)).scalar()


def of_subcontractor(conn: Connection, account_id: str, ids: Iterable[str], subcontractor: str) -> set[str]:
    """Those of these routes that are driven by drivers of this subcontractor."""
    statement = (
        select(routes.c.id)
        .join(drivers, drivers.c.id == routes.c.driver_id)
        .where(routes.c.account_id == account_id, routes.c.id.in_(list(ids)), drivers.c.subcontractor == subcontractor)
    )
    return set(conn.execute(statement).scalars())


def insert_routes(conn: Connection, account_id: str, records: Iterable[RouteRecord]) -> None:
    rows = [_row(record) | {"account_id": account_id} for record in records]
    if rows:
        conn.execute(insert(routes), rows)


def update_routes(conn: Connection, records: Iterable[RouteRecord]) -> None:
    """All but the progress of these routes, by id; that is written by whoever folds the facts."""
    rows = [_row(record) for record in records]
    for row in rows:
        row["key"] = row.pop("id")
        del row["progress"]
    if rows:
        names = [name for name in RouteRecord.__struct_fields__ if name not in ("id", "progress")]
        statement = update(routes).where(routes.c.id == bindparam("key"))
        conn.execute(statement.values({name: bindparam(name) for name in names}), rows)


def take_out(
    conn: Connection, account_id: str, stays: Callable[[str, str], bool], route_ids: Iterable[str]
) -> list[RouteRecord]:
    """Leaves in these routes only the stops whose order ``stays(order_id, date)``; answers the changed ones.

    The others are numbered anew and keep their times; an active route that changed has a higher version.
    """
    changed = []
    for record in by_ids(conn, account_id, route_ids).values():
        planned, active = without(record.planned, stays), without(record.active, stays)
        if planned != record.planned or active != record.active:
            version = record.version + (active != record.active)
            changed.append(msgspec.structs.replace(record, planned=planned, active=active, version=version))
    update_routes(conn, changed)
    return changed


def touch(conn: Connection, account_id: str, route_ids: Iterable[str]) -> list[tuple[str, str]]:
    """Gives those of these routes that were sent a higher version; answers the date and the driver of each."""
    touched: list[tuple[str, str]] = []
    for part in parts(route_ids):
        sent = (routes.c.account_id == account_id) & routes.c.id.in_(part) & routes.c.active.is_not(None)
        statement = update(routes).where(sent).values(version=routes.c.version + 1)
        touched += map(tuple, conn.execute(statement.returning(routes.c.date, routes.c.driver_id)))
    return touched


def leave_plan(conn: Connection, account_id: str, route_ids: Iterable[str], order_ids: Collection[str]) -> None:
    """Takes these orders off these planned routes; what was sent stays as it is."""

    def left(route: Route | None) -> Route | None:
        return without(route, lambda order_id, _date: order_id not in order_ids)

    found = by_ids(conn, account_id, route_ids).values()
    update_routes(conn, [msgspec.structs.replace(each, planned=left(each.planned)) for each in found])


def delete_routes(conn: Connection, account_id: str, date: str | None) -> int:
    """Those of one date, or all where it is None."""
    statement = delete(routes).where(routes.c.account_id == account_id)
    return conn.execute(statement if date is None else statement.where(routes.c.date == date)).rowcount


def without(route: Route | None, stays: Callable[[str, str], bool]) -> Route | None:
    """The route with those of its stops alone whose order stays; where one goes, without visits to the depot that have
    become idle (before all orders, or one after the other), and without what is behind the last order."""
    if route is None:
        return None
    if all(stop.order_id is None or stays(stop.order_id, route.date) for stop in route.stops):
        return route
    kept: list[Stop] = []
    for stop in route.stops:
        loaded = any(each.order_id for each in kept[_last_depot(kept) :])
        if stays(stop.order_id, route.date) if stop.order_id else stop.type != "depot" or loaded:
            kept.append(stop)
    while kept and kept[-1].order_id is None:
        kept.pop()
    stops = tuple(msgspec.structs.replace(stop, number=number) for number, stop in enumerate(kept, 1))
    return msgspec.structs.replace(route, stops=stops, cut=True)


def _last_depot(stops: Sequence[Stop]) -> int:
    return max((position for position, stop in enumerate(stops) if stop.type == "depot"), default=0)


def _of(account_id: str) -> Select[Any]:
    return select(*_COLUMNS).where(routes.c.account_id == account_id)


def _record(row: RowMapping) -> RouteRecord:
    planned = _route.decode(row["planned"]) if row["planned"] else None
    active = _route.decode(row["active"]) if row["active"] else None
    return RouteRecord(**(dict(row) | {"planned": planned, "active": active}))


def _row(record: RouteRecord) -> dict[str, Any]:
    row = msgspec.structs.asdict(record)
    row["planned"] = _encode(record.planned) if record.planned else None
    row["active"] = _encode(record.active) if record.active else None
    return row
