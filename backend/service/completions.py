"""The outcome of orders: when and where the service began and ended, and the proof of delivery."""

import datetime
from collections.abc import Mapping, Sequence

import msgspec

from backend.domain import times
from backend.domain.accounts import Office, ProofPolicy
from backend.domain.drafts import OrderName
from backend.domain.errors import Refusal
from backend.domain.events import StatusSet, attachments_of
from backend.domain.orders import Location, Status
from backend.domain.progress import OrderState
from backend.service import history, orders, settle
from backend.service.desk import Desk
from backend.store import attachments, facts, routes, standing
from backend.store import orders as store
from backend.store.attachments import Attachment
from backend.store.database import Connection
from backend.store.orders import Record


class Completion(msgspec.Struct, frozen=True):
    """``files`` are those of the form's attachments that have arrived, by id; ``zone`` is the IANA time zone there.

    ``policy`` says which proof the account asks for.

    ``tracking`` is the code of the recipient's page, None where tracking is off or nothing was sent.
    """

    account_id: str
    record: Record
    place: Location
    zone: str
    state: OrderState
    files: Mapping[str, Attachment]
    tracking: str | None
    policy: ProofPolicy


class Asked(msgspec.Struct, frozen=True):
    """What an order is said to be. A time is Unix milliseconds, or "YYYY-MM-DDTHH:MM:SS" at the order's place."""

    status: Status
    start: int | str | None = None
    end: int | str | None = None


async def of(desk: Desk, office: Office, names: Sequence[OrderName]) -> list[Completion | Refusal]:
    """One answer per name, in order; ``ERR_ORD_NOT_FOUND``, ``ERR_MULTIPLE_ORD_FOUND``."""

    def read(conn: Connection) -> list[Completion | Refusal]:
        found = orders.resolve(conn, office, names)
        complete = iter(of_records(conn, office, [each for each in found if isinstance(each, Record)]))
        return [each if isinstance(each, Refusal) else next(complete) for each in found]

    return await desk.database.read(read)


async def set_statuses(
    desk: Desk, office: Office, asked: Sequence[tuple[OrderName, Asked]]
) -> list[Completion | Refusal]:
    """What the office says of orders, at the moment at which it says it; one answer per order, in order.

    It speaks after all that it could know of: what it said before in the same millisecond, and what a phone said whose
    clock is ahead. What it calls unscheduled leaves the plan; the driver has it until the plan is sent.
    Refusals as of :func:`of`.
    """
    now_ms = desk.clock.now_ms()

    def change(conn: Connection) -> list[Completion | Refusal]:
        found = orders.resolve(conn, office, [name for name, _ in asked])
        records = [each for each in found if isinstance(each, Record)]
        places = store.locations_by_ids(conn, {record.order.location_id for record in records})
        latest = facts.last_said(conn, [record.order.id for record in records])
        said = []
        for record, (_, wanted) in zip(found, asked, strict=True):
            if isinstance(record, Record):
                at_ms = latest[record.order.id] = max(now_ms, latest.get(record.order.id, 0) + 1)
                said.append(_said(desk, office, record, wanted, at_ms, places))
        last_word = {fact.order_id: fact.status for fact in said}
        off = [record for record in records if last_word[record.order.id] is Status.UNSCHEDULED]
        _plan_without(conn, office.account.id, off)
        if said:
            settle.settle_office(conn, office.account, said, now_ms)
        after = orders.resolve(conn, office, [name for name, _ in asked])
        complete = iter(of_records(conn, office, [each for each in after if isinstance(each, Record)]))
        return [each if isinstance(each, Refusal) else next(complete) for each in after]

    answers = await desk.journal.transact(change)
    changed = [each.record.order.date for each in answers if isinstance(each, Completion)]
    if changed:
        desk.hub.tell_facts(office.account.id)
    for day in set(changed):  # no event tells of it, since no driver reported it
        desk.hub.tell_routes(office.account.id, day, ())
    return answers


def of_records(conn: Connection, office: Office, records: Sequence[Record]) -> list[Completion]:
    """Of orders that are at hand, in the same order."""
    account = office.account
    places = store.locations_by_ids(conn, {record.order.location_id for record in records})
    states = [standing.state_of(record.completion) for record in records]
    wanted = {name for state in states for name in attachments_of(state.form)}
    files = attachments.by_ids(conn, account.id, wanted) if wanted else {}
    return [
        Completion(
            account.id,
            record,
            place := places[record.order.location_id],
            history.zone_of(place, account),
            state,
            {id: file for id, file in files.items() if file.driver_id == state.form_of},
            record.tracking if account.settings.order_tracking else None,
            account.settings.proof_of_delivery,
        )
        for record, state in zip(records, states, strict=True)
    ]


def _said(
    desk: Desk, office: Office, record: Record, asked: Asked, at_ms: int, places: Mapping[str, Location]
) -> StatusSet:
    zone = history.zone_of(places.get(record.order.location_id), office.account)
    return StatusSet(
        id=desk.new_id(),
        at_ms=at_ms,
        order_id=record.order.id,
        status=asked.status,
        on_plan=record.planned_route_id is not None,
        start_ms=_at(asked.start, zone),
        end_ms=_at(asked.end, zone),
    )


def _plan_without(conn: Connection, account_id: str, records: Sequence[Record]) -> None:
    """Takes those of these orders that are on the plan off it."""
    on = {record.planned_route_id for record in records if record.planned_route_id}
    if on:
        routes.leave_plan(conn, account_id, on, {record.order.id for record in records})
        store.place_orders(conn, [msgspec.structs.replace(record, planned_route_id=None) for record in records])


def _at(given: int | str | None, zone_name: str) -> int | None:
    if not isinstance(given, str):
        return given
    return round(datetime.datetime.fromisoformat(given).replace(tzinfo=times.zone(zone_name)).timestamp() * 1000)
