"""Orders and locations. Every function takes the connection first and is synchronous."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    Connection,
    RowMapping,
    Select,
    and_,
    bindparam,
    delete,
    exists,
    insert,
    or_,
    select,
    tuple_,
    update,
)

from backend.domain.orders import Location, Order
from backend.store.tables import locations, orders

MANY = 5_000


class Record(msgspec.Struct, frozen=True):
    """An order with where it stands. ``completion`` is what ``standing.state_of`` decodes."""

    order: Order
    planned_route_id: str | None = None
    active_route_id: str | None = None
    tracking: str | None = None
    own_status: str = "unscheduled"
    status: str = "unscheduled"
    completion: bytes | None = None
    unscheduled_code: str | None = None
    unscheduled_text: str | None = None


_order = msgspec.json.Decoder(Order)
_encode = msgspec.json.Encoder().encode
_ORDER_COLUMNS = [column for column in orders.c if column.name != "account_id"]
_LOCATION_COLUMNS = [column for column in locations.c if column.name != "account_id"]


def by_ids(conn: Connection, account_id: str, ids: Iterable[str], customer: str | None = None) -> dict[str, Record]:
    """By id; of the one customer alone where given."""
    found: dict[str, Record] = {}
    for some in _batches(ids):
        for row in conn.execute(_of(account_id, customer).where(orders.c.id.in_(some))).mappings():
            found[row["id"]] = _record(row)
    return found


def by_numbers(
    conn: Connection, account_id: str, numbers: Iterable[str], customer: str | None = None
) -> dict[str, list[Record]]:
    """By order number, which need not be unique; each list in the order in which they were made."""
    statement = _of(account_id, customer).where(orders.c.order_no.in_(list(numbers))).order_by(orders.c.id)
    found: dict[str, list[Record]] = {}
    for row in conn.execute(statement).mappings():
        found.setdefault(row["order_no"], []).append(_record(row))
    return found


def on_dates(conn: Connection, account_id: str, first: str, last: str, customer: str | None = None) -> list[Record]:
    """Of the dates from ``first`` to ``last``, both included."""
    statement = _of(account_id, customer).where(orders.c.date >= first, orders.c.date <= last)
    return [_record(row) for row in conn.execute(statement.order_by(orders.c.date, orders.c.id)).mappings()]


def said(conn: Connection, account_id: str, first: str, last: str) -> list[tuple[Any, ...]]:
    """What the shipper says of the orders of these dates and of where their places are, in the order of the orders'
    ids, which come first. Undecoded, for whoever asks no more than whether it is still the same.
    """
    place = (locations.c.id, locations.c.latitude, locations.c.longitude, locations.c.valid, locations.c.check_in_min)
    statement = (
        select(orders.c.id, orders.c.document, *place)
        .join(locations, locations.c.id == orders.c.location_id)
        .where(orders.c.account_id == account_id, orders.c.date >= first, orders.c.date <= last)
    )
    return sorted(map(tuple, conn.execute(statement)))


def search(
    conn: Connection, account_id: str, customer: str | None, date: str | None, words: str, after: str, limit: int
) -> list[Record]:
    """By id from behind ``after``; of one date where given, and with ``words`` in its number or its place's name or
    address, where they are not empty."""
    statement = _of(account_id, customer).where(orders.c.id > after)
    if date is not None:
        statement = statement.where(orders.c.date == date)
    if words:
        within = locations.c.name.icontains(words, autoescape=True) | locations.c.address.icontains(
            words, autoescape=True
        )
        places = select(locations.c.id).where(locations.c.account_id == account_id, within)
        statement = statement.where(
            orders.c.order_no.icontains(words, autoescape=True) | orders.c.location_id.in_(places)
        )
    return [_record(row) for row in conn.execute(statement.order_by(orders.c.id).limit(limit)).mappings()]


def on_routes(conn: Connection, account_id: str, route_ids: Iterable[str]) -> list[Record]:
    """Of the planned and the active stops of these routes."""
    wanted = list(route_ids)
    statement = _of(account_id, None).where(
        or_(orders.c.planned_route_id.in_(wanted), orders.c.active_route_id.in_(wanted))
    )
    return [_record(row) for row in conn.execute(statement).mappings()]


def routes_to(conn: Connection, account_id: str, location_ids: Iterable[str], since: str) -> set[str]:
    """The routes that were sent on which orders for these places are, of orders from a date on."""
    sent = (orders.c.account_id == account_id) & orders.c.active_route_id.is_not(None) & (orders.c.date >= since)
    found: set[str] = set()
    for some in _batches(location_ids):
        rows = conn.execute(select(orders.c.active_route_id).where(sent, orders.c.location_id.in_(some)).distinct())
        found.update(rows.scalars())
    return found


def insert_orders(conn: Connection, account_id: str, records: Iterable[Record]) -> None:
    rows = [_row(record) | {"account_id": account_id} for record in records]
    if rows:
        conn.execute(insert(orders), rows)


def update_orders(conn: Connection, orders_: Iterable[Order]) -> None:
    """What the shipper says of these orders, by id; not where they stand."""
    rows = [_document(order) for order in orders_]
    _update(conn, rows, ("order_no", "date", "location_id", "customer", "document"))


def place_orders(conn: Connection, records: Iterable[Record]) -> None:
    """Where these orders stand in the planned and the active plan, and why they do not; by id.

    What their status is then is for ``settle.refold`` to find.
    """
    names = ("planned_route_id", "active_route_id", "tracking", "unscheduled_code", "unscheduled_text")
    _update(
        conn, [{"id": record.order.id} | {name: getattr(record, name) for name in names} for record in records], names
    )


def delete_orders(conn: Connection, account_id: str, ids: Iterable[str]) -> None:
    for some in _batches(ids):
        conn.execute(delete(orders).where(orders.c.account_id == account_id, orders.c.id.in_(some)))


def locations_by_ids(conn: Connection, ids: Iterable[str]) -> dict[str, Location]:
    found: dict[str, Location] = {}
    for some in _batches(ids):
        for row in conn.execute(select(*_LOCATION_COLUMNS).where(locations.c.id.in_(some))).mappings():
            found[row["id"]] = Location(**row)
    return found


def locations_by_number(
    conn: Connection, account_id: str, numbers: Iterable[str], customer: str | None = None
) -> dict[str, list[Location]]:
    """By location number, which need not be unique. A customer knows the places of its own orders alone."""
    statement = select(*_LOCATION_COLUMNS).where(
        locations.c.account_id == account_id, locations.c.location_no.in_(list(numbers))
    )
    return _locations(conn, statement, "location_no", customer)


def locations_by_address(
    conn: Connection, account_id: str, addresses: Iterable[str], customer: str | None = None
) -> dict[str, list[Location]]:
    """By address as it was written."""
    statement = select(*_LOCATION_COLUMNS).where(
        locations.c.account_id == account_id, locations.c.address.in_(list(addresses))
    )
    return _locations(conn, statement, "address", customer)


def insert_locations(conn: Connection, account_id: str, places: Iterable[Location]) -> None:
    rows = [msgspec.structs.asdict(place) | {"account_id": account_id} for place in places]
    if rows:
        conn.execute(insert(locations), rows)


def update_locations(conn: Connection, places: Iterable[Location]) -> None:
    rows = [msgspec.structs.asdict(place) for place in places]
    for row in rows:
        row["key"] = row.pop("id")
    if rows:
        names = [column.name for column in _LOCATION_COLUMNS if column.name != "id"]
        statement = update(locations).where(locations.c.id == bindparam("key"))
        conn.execute(statement.values({name: bindparam(name) for name in names}), rows)


def page(
    conn: Connection,
    account_id: str,
    first: str,
    last: str,
    after: tuple[str, str] | None,
    limit: int,
    statuses: Iterable[str] = (),
    customer: str | None = None,
) -> list[Record]:
    """Up to ``limit`` orders of these dates by date and id, after the one that ``after`` names by date and id."""
    statement = _of(account_id, customer).where(orders.c.date <= last)
    if after is not None and after[0] >= first:  # one lower bound alone: SQLite takes the index for the first it sees
        statement = statement.where(tuple_(orders.c.date, orders.c.id) > after)
    else:
        statement = statement.where(orders.c.date >= first)
    if wanted := sorted(set(statuses)):
        statement = statement.where(orders.c.status.in_(wanted))
    statement = statement.order_by(orders.c.date, orders.c.id).limit(limit)
    return [_record(row) for row in conn.execute(statement).mappings()]


def _batches(ids: Iterable[str]) -> Iterator[Sequence[str]]:
    """So many at a time as every database takes in one statement."""
    every = list(ids)
    return (every[start : start + MANY] for start in range(0, len(every), MANY))


def _of(account_id: str, customer: str | None) -> Select[Any]:
    statement = select(*_ORDER_COLUMNS).where(orders.c.account_id == account_id)
    return statement if customer is None else statement.where(orders.c.customer == customer)


def _locations(conn: Connection, statement: Select[Any], key: str, customer: str | None) -> dict[str, list[Location]]:
    if customer is not None:
        own = and_(orders.c.location_id == locations.c.id, orders.c.customer == customer)
        statement = statement.where(exists().where(own))
    found: dict[str, list[Location]] = {}
    for row in conn.execute(statement.order_by(locations.c.id)).mappings():
        found.setdefault(row[key], []).append(Location(**row))
    return found


def _record(row: RowMapping) -> Record:
    return Record(
        _order.decode(row["document"]),
        row["planned_route_id"],
        row["active_route_id"],
        row["tracking"],
        row["own_status"],
        row["status"],
        row["completion"],
        row["unscheduled_code"],
        row["unscheduled_text"],
    )


def _update(conn: Connection, rows: list[dict[str, Any]], names: tuple[str, ...]) -> None:
    if rows:
        statement = update(orders).where(orders.c.id == bindparam("key"))
        parameters = [{"key": row["id"]} | {name: row[name] for name in names} for row in rows]
        conn.execute(statement.values({name: bindparam(name) for name in names}), parameters)


def _document(order: Order) -> dict[str, Any]:
    return {
        "id": order.id,
        "order_no": order.order_no,
        "date": order.date,
        "location_id": order.location_id,
        "customer": order.customer,
        "document": _encode(order),
    }


def _row(record: Record) -> dict[str, Any]:
    return _document(record.order) | {
        "planned_route_id": record.planned_route_id,
        "active_route_id": record.active_route_id,
        "tracking": record.tracking,
        "own_status": record.own_status,
        "status": record.status,
        "completion": record.completion,
        "unscheduled_code": record.unscheduled_code,
        "unscheduled_text": record.unscheduled_text,
    }
