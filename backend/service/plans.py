"""Plans: start, watch and stop the planning of dates, and send what came of it to the drivers."""

import asyncio
import secrets
from collections.abc import Awaitable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from backend.domain.accounts import Account, Office
from backend.domain.errors import Refusal
from backend.domain.orders import BEGUN
from backend.domain.plans import CannotPlan, PlanRequest
from backend.service import leases, selection, settle, workload
from backend.service.desk import Desk
from backend.service.selection import Draft
from backend.store import jobs, orders, routes
from backend.store.database import Connection
from backend.store.orders import Record
from backend.store.routes import RouteRecord
from backend.store.threads import Threads

if TYPE_CHECKING:
    from backend.planning.worker import Job

LONGEST_DAYS = 35
_TRIES = 3  # to begin with orders that nobody changes meanwhile, until all others have to wait
_DRAFTS = Threads("drafts", 2)
"""They compute, while phones wait for the interpreter: no more than lets a small plan pass a large one."""
_STOP_S = 20.0  # the planner ends a job that was asked to stop within ten seconds, and it is saved
DRIVER_CHANGED = ("DRIVER_CHANGED", "The driver it was planned for has been changed in the meantime.")
NOT_CHOSEN = ("NOT_CHOSEN", "It was not among the orders to be planned.")


class Progress(msgspec.Struct, frozen=True):
    """``status`` N new, R running, C cancelled, F finished, E error; ``percent`` 0 to 100."""

    status: str
    percent: int
    reason: str | None = None


class Sent(msgspec.Struct, frozen=True):
    routes: int
    orders: int
    sent_ms: int


async def start(desk: Desk, office: Office, request: PlanRequest) -> int:
    """Begins to plan and answers the job's id. Refuses as :class:`CannotPlan` what cannot be planned."""
    draft, job_id = await _begun(desk, office.account, request)

    async def done(job: "Job") -> None:
        await _done(desk, office.account, draft, job_id, job)

    try:
        job = desk.planner.submit(draft.problem, done)
    except RuntimeError as error:
        text = "The server is stopping."
        await desk.journal.transact(lambda conn: jobs.end(conn, job_id, "E", 0, text))
        raise CannotPlan("ERR_OPT_COULD_NOT_START", text) from error
    leases.own(desk)[job_id] = leases.Live(job)
    return job_id


async def _begun(desk: Desk, account: Account, request: PlanRequest) -> tuple[Draft, int]:
    """The problem, and the job in the table. Who changes something, of whatever company, waits for neither reading nor
    building, but only for the last look whether the orders are still what they were."""
    now_ms = desk.clock.now_ms()
    for _ in range(_TRIES):
        ground = await desk.database.read_long(lambda conn: selection.survey(conn, account, request))
        draft = await _DRAFTS.run(selection.draft, account, request, ground)
        job_id = await desk.journal.transact(partial(selection.put_down, account, request, draft, now_ms))
        if job_id is not None:
            return draft, job_id

    def at_once(conn: Connection) -> tuple[Draft, int | None]:
        draft = selection.draft(account, request, selection.survey(conn, account, request))
        return draft, selection.put_down(account, request, draft, now_ms, conn)

    draft, job_id = await desk.journal.transact(at_once)
    assert job_id is not None, "what is read and looked at in one transaction is the same"
    return draft, job_id


async def status(desk: Desk, office: Office, job_id: int) -> Progress:
    """How far a job is. Refuses with ``ERR_JOB_NOT_FOUND``."""
    record = await desk.database.read(lambda conn: jobs.find(conn, office.account.id, job_id))
    if record is None:
        raise Refusal("ERR_JOB_NOT_FOUND", "The planning job with the specified id was not found.")
    live = leases.own(desk).get(job_id)
    if record.status in jobs.RUNNING and live is not None:
        return Progress(live.job.status if live.job.status in jobs.RUNNING else "R", min(99, live.job.percent))
    return Progress(record.status, record.percent, record.reason)


async def stop(desk: Desk, office: Office, job_id: int) -> None:
    """Ends a job with the best plan it has found, and returns when that is saved.

    Refuses with ``ERR_JOB_NOT_FOUND`` and ``ERR_OPT_NOT_RUNNING``.
    """
    if (await status(desk, office, job_id)).status not in jobs.RUNNING:
        raise Refusal("ERR_OPT_NOT_RUNNING", "The planning job is not running.")
    live = leases.own(desk).get(job_id)
    if live is not None:
        desk.planner.stop(live.job)
        ended: Awaitable[object] = live.ended.wait()
    else:
        ended = leases.stop_elsewhere(desk, office.account.id, job_id)
    try:
        await asyncio.wait_for(ended, _STOP_S)
    except TimeoutError as error:
        raise Refusal("ERR_OPT_COULD_NOT_STOP", "The planning job does not end; it is being ended by force.") from error


async def send(desk: Desk, office: Office, date: str, *, only_news: bool = False) -> Sent:
    """Sends the plan of a date: from now on it is the active one, and every order on it can be tracked.

    ``only_news`` refuses with ``ERR_NOTHING_TO_SEND`` where the drivers have it like this already, or there is none.
    """
    now_ms = desk.clock.now_ms()

    def activate(conn: Connection) -> tuple[Sent, list[str]]:
        account = office.account
        records = routes.on_dates(conn, account.id, date, date)
        changed = [record for record in records if record.planned != record.active]
        if only_news and not changed:
            raise Refusal("ERR_NOTHING_TO_SEND", "There is nothing that the drivers do not have already.")
        routes.update_routes(
            conn,
            [
                msgspec.structs.replace(
                    record,
                    active=record.planned,
                    version=record.version + (record.planned != record.active),
                    sent_ms=now_ms if record.planned else record.sent_ms,
                )
                for record in records
                if record.planned or record.active
            ],
        )
        standing = orders.on_routes(conn, account.id, [record.id for record in records])
        orders.place_orders(conn, [_sent(order) for order in standing])
        settle.sent(conn, account, [record.id for record in records if record.planned])
        settle.refold(conn, account, [order.order.id for order in standing])
        planned = [order for order in standing if order.planned_route_id]
        on_it = sum(1 for record in records if record.planned)
        return Sent(on_it, len(planned), now_ms), [record.driver_id for record in changed]

    sent, driver_ids = await desk.journal.transact(activate)
    desk.hub.tell_routes(office.account.id, date, driver_ids)
    return sent


def _sent(record: Record) -> Record:
    """A tracking code is kept once it was given: it stands in a message to the recipient."""
    tracking = record.tracking or (secrets.token_urlsafe(12) if record.planned_route_id else None)
    return msgspec.structs.replace(record, active_route_id=record.planned_route_id, tracking=tracking)


async def _done(desk: Desk, account: Account, draft: Draft, job_id: int, job: "Job") -> None:
    """The planner has ended a job: saves what it found, and whatever happens lets the job end."""
    try:
        saved = await desk.journal.transact(lambda conn: _save(conn, desk, account, draft, job_id, job))
    except Exception:
        text = "The plan could not be saved."
        await desk.journal.transact(lambda conn: jobs.end(conn, job_id, "E", job.percent, text))
        raise
    finally:
        live = leases.own(desk).pop(job_id, None)
        if live is not None:
            live.ended.set()
    for date in {date for date, _ in saved}:
        desk.hub.tell_routes(account.id, date, [driver_id for day, driver_id in saved if day == date])


def _save(
    conn: Connection, desk: Desk, account: Account, draft: Draft, job_id: int, job: "Job"
) -> list[tuple[str, str]]:
    """Saves a plan as far as it still holds; the dates and drivers whose planned route is another one now."""
    if not jobs.end(conn, job_id, job.status, job.percent, job.reason) or job.plan is None:
        return []
    first, last = draft.days.dates[0], draft.days.dates[-1]
    every = {record.order.id: record for record in orders.on_dates(conn, account.id, first, last)}
    places = orders.locations_by_ids(conn, {record.order.location_id for record in every.values()})
    still = {
        key: every[key].order
        for key in draft.scope.order_ids
        if key in every and every[key].status not in BEGUN and places[every[key].order.location_id].valid
    }
    by_day = {(r.driver_id, r.date): r for r in routes.on_dates(conn, account.id, first, last)}
    planned = {route.vehicle: route for route in job.plan.routes}
    lost = [planned.pop(key) for key in selection.overtaken(conn, account, draft) if key in planned]
    added: list[RouteRecord] = []
    changed: list[RouteRecord] = []
    stands: dict[str, RouteRecord] = {}
    for shift in draft.shifts:
        old = by_day.get((shift.driver.id, shift.date))
        shift = msgspec.structs.replace(shift, kept=selection.kept(old, every))
        made = workload.route(shift, planned.get(shift.key), still, places, draft.days)
        if old is None and made is None:
            continue
        record = old or RouteRecord(desk.new_id(), shift.date, shift.driver.id)
        (changed if old else added).append(msgspec.structs.replace(record, planned=made))
        stands |= {stop.order_id: record for stop in made.stops if stop.order_id} if made else {}
    routes.insert_routes(conn, account.id, added)
    routes.update_routes(conn, changed)
    moved = [
        msgspec.structs.replace(still[key], date=record.date)
        for key, record in stands.items()
        if key in still and still[key].date != record.date
    ]
    orders.update_orders(conn, moved)
    reasons = {each.stop: (each.code, each.text) for each in job.plan.dropped} | dict(draft.left_out)
    reasons |= {visit.stop: DRIVER_CHANGED for route in lost for visit in route.visits}
    touched = _place(conn, account, draft, reasons, every, stands, {record.id for record in changed})
    settle.refold(conn, account, touched)
    return [(record.date, record.driver_id) for record in (*added, *changed)]


def _place(
    conn: Connection,
    account: Account,
    draft: Draft,
    reasons: Mapping[str, tuple[str, str]],
    every: Mapping[str, Record],
    stands: Mapping[str, RouteRecord],
    replanned: set[str],
) -> list[str]:
    """Tells every order of the plan, and every one that lost its place, where it stands now and else why not."""
    wanted = set(draft.scope.order_ids) | stands.keys()
    placed, others = [], set()
    for key, record in every.items():
        if key not in wanted and record.planned_route_id not in replanned:
            continue
        if record.status in BEGUN and key not in stands:
            continue
        if record.planned_route_id and record.planned_route_id not in replanned:
            others.add(record.planned_route_id)
        route = stands.get(key)
        code, text = (None, None) if route else reasons.get(key, NOT_CHOSEN)
        placed.append(
            msgspec.structs.replace(
                record, planned_route_id=route and route.id, unscheduled_code=code, unscheduled_text=text
            )
        )
    orders.place_orders(conn, placed)
    if others:  # of drivers that were not planned with, whose orders went to those that were
        taken = {record.order.id for record in placed}
        routes.leave_plan(conn, account.id, others, taken)
    return [record.order.id for record in placed]
