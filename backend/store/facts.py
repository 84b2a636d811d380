"""The log of facts: it only grows. ``sequence`` numbers them in the order in which they were committed.

What a fact means stands in ``domain.events``; here it is a row with the columns it is looked up by.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, RowMapping, Select, and_, func, insert, or_, select, update

from backend.domain.events import DutyFact, Fact, OrderFact, RouteFact, kind
from backend.store.parts import parts
from backend.store.tables import drivers, facts

DUTY = ("on_duty", "off_duty")
ENDINGS = ("success", "failed", "rejected")
ROUTE = ("start_route", "end_route", "start_time_changed")


class Row(msgspec.Struct, frozen=True):
    """A fact on its way into the log. ``digest`` is of the action as it came; ``status`` the order's after it."""

    fact: Fact
    digest: str
    route_id: str | None = None
    status: str | None = None


class Arrived(msgspec.Struct, frozen=True):
    """A fact in the log."""

    sequence: int
    arrived_ms: int
    fact: Fact
    order_id: str | None
    route_id: str | None
    status: str | None
    out_of_order: bool


class Page(msgspec.Struct, frozen=True):
    """Facts in order of arrival, and how many more there are after them."""

    facts: list[Arrived]
    remaining: int


class Seen(msgspec.Struct, frozen=True):
    digest: str
    status: str | None


_fact = msgspec.json.Decoder(Fact)
_encode = msgspec.json.Encoder().encode
_ARRIVED = [
    facts.c[name] for name in ("sequence", "arrived_ms", "document", "order_id", "route_id", "status", "out_of_order")
]


def insert_facts(
    conn: Connection, account_id: str, rows: Sequence[Row], arrived_ms: int, from_driver: bool = True
) -> None:
    """Adds them in this order."""
    for row in rows:  # one by one: many at once may be numbered in another order
        conn.execute(insert(facts), _values(account_id, row, arrived_ms, from_driver))


def seen(conn: Connection, account_id: str, driver_id: str, ids: Iterable[str]) -> dict[str, Seen]:
    """What is stored under these ids of the driver's phones."""
    statement = select(facts.c.id, facts.c.hash, facts.c.status).where(
        facts.c.account_id == account_id, facts.c.driver_id == driver_id, facts.c.id.in_(list(ids))
    )
    return {row.id: Seen(row.hash, row.status) for row in conn.execute(statement)}


def of_orders(conn: Connection, order_ids: Iterable[str]) -> dict[str, list[OrderFact]]:
    """All that was said of each of these orders, in no promised order."""
    found: dict[str, list[OrderFact]] = {}
    for part in parts(order_ids):
        statement = select(facts.c.order_id, facts.c.document).where(facts.c.order_id.in_(part))
        for order_id, document in conn.execute(statement):
            found.setdefault(order_id, []).append(_fact.decode(document))
    return found


def last_said(conn: Connection, order_ids: Iterable[str]) -> dict[str, int]:
    """The own time, Unix milliseconds, of the latest that was said of each of these orders."""
    found: dict[str, int] = {}
    for part in parts(order_ids):
        latest = select(facts.c.order_id, func.max(facts.c.at_ms).label("at_ms")).where(facts.c.order_id.in_(part))
        found |= {row.order_id: row.at_ms for row in conn.execute(latest.group_by(facts.c.order_id))}
    return found


def of_routes(conn: Connection, route_ids: Iterable[str]) -> dict[str, list[RouteFact]]:
    """Starts, ends and changed starting times of each of these routes, in no promised order."""
    found: dict[str, list[RouteFact]] = {}
    for part in parts(route_ids):
        statement = select(facts.c.route_id, facts.c.document).where(
            facts.c.route_id.in_(part), facts.c.kind.in_(ROUTE)
        )
        for route_id, document in conn.execute(statement):
            found.setdefault(route_id, []).append(_fact.decode(document))
    return found


def driven(conn: Connection, route_ids: Iterable[str]) -> set[str]:
    """Those of these routes of which a driver ever ended a stop."""
    found: set[str] = set()
    for part in parts(route_ids):
        ended = (facts.c.route_id.in_(part), facts.c.kind.in_(ENDINGS))
        found.update(conn.scalars(select(facts.c.route_id).where(*ended).distinct()))
    return found


def duty_of(conn: Connection, driver_ids: Iterable[str]) -> dict[str, list[DutyFact]]:
    """The last word of each of these drivers on duty, and what was said in the same millisecond."""
    found: dict[str, list[DutyFact]] = {}
    for part in parts(driver_ids):
        latest = (
            select(facts.c.driver_id, func.max(facts.c.at_ms).label("at_ms"))
            .where(facts.c.driver_id.in_(part), facts.c.kind.in_(DUTY))
            .group_by(facts.c.driver_id)
            .subquery()
        )
        statement = select(facts.c.driver_id, facts.c.document).where(
            facts.c.kind.in_(DUTY), facts.c.driver_id == latest.c.driver_id, facts.c.at_ms == latest.c.at_ms
        )
        for driver_id, document in conn.execute(statement):
            found.setdefault(driver_id, []).append(_fact.decode(document))
    return found


def adopt(conn: Connection, account_id: str, route_id: str, driver_id: str, from_ms: int, to_ms: int) -> set[str]:
    """Gives a route what its driver said from ``from_ms`` until before ``to_ms``, also what had been taken for another
    day's because this route was not sent yet; answers the routes that lost something."""
    elsewhere = (
        facts.c.account_id == account_id,
        facts.c.driver_id == driver_id,
        facts.c.kind.in_(ROUTE),
        facts.c.at_ms >= from_ms,
        facts.c.at_ms < to_ms,
        or_(facts.c.route_id.is_(None), facts.c.route_id != route_id),
    )
    found = set(conn.scalars(select(facts.c.route_id).where(*elsewhere).distinct()))
    if found:
        conn.execute(update(facts).where(*elsewhere).values(route_id=route_id))
    return {other for other in found if other is not None}


def mark_out_of_order(conn: Connection, order_ids: Iterable[str], marked: Iterable[str]) -> None:
    """Of the drivers' facts about these orders exactly those with these ids came out of order."""
    wanted, ids = list(order_ids), list(marked)
    about = and_(facts.c.order_id.in_(wanted), facts.c.from_driver)
    if ids:
        now_marked = and_(about, facts.c.id.in_(ids), ~facts.c.out_of_order)
        conn.execute(update(facts).where(now_marked).values(out_of_order=True))
    unmarked = and_(about, facts.c.out_of_order, facts.c.id.not_in(ids))
    conn.execute(update(facts).where(unmarked).values(out_of_order=False))


def since(
    conn: Connection,
    account_id: str,
    after: int,
    limit: int,
    from_driver: bool = True,
    subcontractor: str | None = None,
) -> Page:
    """Up to ``limit`` facts after the one numbered ``after``, and exactly how many more there are.

    ``from_driver`` leaves out what the office said, ``subcontractor`` what other drivers than its own did.
    """
    about = [facts.c.account_id == account_id, facts.c.sequence > after]
    if from_driver:
        about.append(facts.c.from_driver)
    if subcontractor is not None:
        own = select(drivers.c.id).where(drivers.c.account_id == account_id, drivers.c.subcontractor == subcontractor)
        about.append(facts.c.driver_id.in_(own))
    found = _arrived(conn, _log().where(*about).order_by(facts.c.sequence).limit(limit))
    if len(found) < limit:
        return Page(found, 0)
    about[1] = facts.c.sequence > found[-1].sequence
    return Page(found, conn.execute(select(func.count()).select_from(facts).where(*about)).scalar_one())


def newest(
    conn: Connection, account_id: str, limit: int, from_ms: int | None = None, to_ms: int | None = None
) -> list[Arrived]:
    """The last to arrive first; of those whose own time lies between, ``from_ms`` included, where given."""
    statement = _log().where(facts.c.account_id == account_id)
    if from_ms is not None:
        statement = statement.where(facts.c.at_ms >= from_ms)
    if to_ms is not None:
        statement = statement.where(facts.c.at_ms < to_ms)
    return _arrived(conn, statement.order_by(facts.c.sequence.desc()).limit(limit))


def last_sequence(conn: Connection, account_id: str) -> int:
    """The number of the newest fact; 0 where there is none."""
    statement = select(func.max(facts.c.sequence)).where(facts.c.account_id == account_id)
    return conn.execute(statement).scalar() or 0


def _log() -> Select[Any]:
    return select(*_ARRIVED)


def _arrived(conn: Connection, statement: Select[Any]) -> list[Arrived]:
    return [_read(row) for row in conn.execute(statement).mappings()]


def _read(row: RowMapping) -> Arrived:
    return Arrived(
        sequence=row["sequence"],
        arrived_ms=row["arrived_ms"],
        fact=_fact.decode(row["document"]),
        order_id=row["order_id"],
        route_id=row["route_id"],
        status=row["status"],
        out_of_order=bool(row["out_of_order"]),
    )


def _values(account_id: str, row: Row, arrived_ms: int, from_driver: bool) -> dict[str, Any]:
    fact = row.fact
    return {
        "account_id": account_id,
        "id": fact.id,
        "kind": kind(fact),
        "driver_id": fact.driver_id,
        "order_id": getattr(fact, "order_id", None),
        "route_id": row.route_id or getattr(fact, "route_id", None),
        "at_ms": fact.at_ms,
        "arrived_ms": arrived_ms,
        "from_driver": from_driver,
        "status": row.status,
        "out_of_order": False,
        "hash": row.digest,
        "document": _encode(fact),
    }
