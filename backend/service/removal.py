"""Deleting orders, one by one or all of a day."""

from collections.abc import Sequence

import msgspec

from backend.domain.accounts import Office
from backend.domain.drafts import OrderName
from backend.domain.errors import Refusal
from backend.domain.plans import CannotPlan
from backend.service import orders, settle
from backend.service.desk import Desk
from backend.store import jobs, routes
from backend.store import orders as store
from backend.store.database import Connection
from backend.store.orders import Record
from backend.store.routes import RouteRecord


async def remove(
    desk: Desk, office: Office, names: Sequence[OrderName], *, multiple: bool = False
) -> list[int | Refusal]:
    """How many orders each name took away: one, or with ``multiple`` all that have it.

    Refusals: ``ERR_ORD_NOT_FOUND``, ``ERR_MULTIPLE_ORD_FOUND``, and as :class:`CannotPlan` with the job
    ``ERR_OPT_RUNNING``. What phones said of the orders stays in the log.
    """

    def change(conn: Connection) -> tuple[list[int | Refusal], list[RouteRecord]]:
        busy = jobs.busy_orders(conn, office.account.id)
        gone: dict[str, Record] = {}
        answers: list[int | Refusal] = []
        for found in orders.resolve_all(conn, office, names):
            left = [record for record in found if record.order.id not in gone]
            answer = _judge(left, busy, multiple)
            if not isinstance(answer, Refusal):
                gone |= {record.order.id: record for record in left}
            answers.append(answer)
        return answers, _take_away(conn, office, gone)

    answers, changed = await desk.journal.transact(change)
    _tell(desk, office, changed)
    return answers


async def remove_all(desk: Desk, office: Office, date: str | None) -> None:
    """All orders and routes of a date, or of all dates. Refuses as :class:`CannotPlan` with ``ERR_OPT_RUNNING``."""

    def change(conn: Connection) -> list[RouteRecord]:
        account_id = office.account.id
        for job in jobs.running(conn, account_id):
            if date is None or job.date <= date <= job.last_date:
                text = "Optimization is running for this date."
                raise CannotPlan("ERR_OPT_RUNNING", text, planning_id=job.id)
        first, last = (date, date) if date is not None else ("0000-00-00", "9999-99-99")
        gone = {record.order.id: record for record in store.on_dates(conn, account_id, first, last)}
        emptied = routes.on_dates(conn, account_id, first, last)
        routes.delete_routes(conn, account_id, date)
        return emptied + _take_away(conn, office, gone)

    _tell(desk, office, await desk.journal.transact(change))


def _judge(found: Sequence[Record], busy: dict[str, int], multiple: bool) -> int | Refusal:
    chosen = orders.one(found)
    if isinstance(chosen, Refusal) and not (multiple and len(found) > 1):
        return chosen
    for record in found:
        if record.order.id in busy:
            text = "Optimization is running for this order."
            return CannotPlan("ERR_OPT_RUNNING", text, planning_id=busy[record.order.id])
    return len(found)


def _take_away(conn: Connection, office: Office, gone: dict[str, Record]) -> list[RouteRecord]:
    on = {route_id for r in gone.values() for route_id in (r.planned_route_id, r.active_route_id) if route_id}
    changed = routes.take_out(conn, office.account.id, lambda order_id, _date: order_id not in gone, on)
    store.delete_orders(conn, office.account.id, gone)
    _let_go(conn, office, gone)
    settle.refold(conn, office.account, (), [record.id for record in changed])
    return changed


def _let_go(conn: Connection, office: Office, gone: dict[str, Record]) -> None:
    """The other one of a pickup and a delivery is an order by itself again."""
    partners = {record.order.partner_id or "" for record in gone.values()} - {""} - gone.keys()
    left = store.by_ids(conn, office.account.id, partners) if partners else {}
    store.update_orders(
        conn, [msgspec.structs.replace(r.order, related_id=None, linked_by=None) for r in left.values()]
    )


def _tell(desk: Desk, office: Office, changed: Sequence[RouteRecord]) -> None:
    for date in {record.date for record in changed}:
        driver_ids = sorted({record.driver_id for record in changed if record.date == date})
        desk.hub.tell_routes(office.account.id, date, driver_ids)
