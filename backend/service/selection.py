"""Which orders and drivers a planning request covers, and which of them have begun their day already."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import msgspec

from backend.domain.accounts import Account
from backend.domain.drivers import Driver, DriverDay, Vehicle, loaded, on_date
from backend.domain.orders import BEGUN, Location, Order, Status
from backend.domain.plans import CannotPlan, PlanRequest, Scope
from backend.domain.routes import Stop
from backend.planning import problem
from backend.service import workload
from backend.service.workload import Calendar, Shift
from backend.store import fleet, jobs, orders, routes
from backend.store.database import Connection
from backend.store.orders import Record
from backend.store.routes import RouteRecord

# In one planning. The planner's tables grow with the square of the orders.
MOST_ORDERS = 10_000
MOST_DRIVERS = 10_000
_encode = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True)
class Ground:
    """All that a plan is made from, as it stood at one moment."""

    days: Calendar
    chosen: Sequence[tuple[Order, Location]]
    others: Sequence[Order]  # of the same dates, neither chosen nor begun
    drivers: Sequence[Driver]
    vehicles: Sequence[Vehicle]
    shifts: Sequence[Shift]
    stamp: bytes


@dataclass(frozen=True)
class Draft:
    """What a job is started with; ``left_out`` are orders that cannot be planned, each with a code and a sentence."""

    days: Calendar
    shifts: tuple[Shift, ...]
    left_out: Mapping[str, tuple[str, str]]
    problem: problem.Problem
    scope: Scope
    stamp: bytes  # of what was said of the orders and their places


def survey(conn: Connection, account: Account, request: PlanRequest) -> Ground:
    """What there is to plan. Refuses as :class:`CannotPlan` what cannot be planned."""
    days = workload.calendar(account.settings, request.first, request.last)
    records = orders.on_dates(conn, account.id, request.first, request.last)
    drivers = _drivers(conn, account, request)
    existing = routes.on_dates(conn, account.id, request.first, request.last)
    chosen = _chosen(conn, account, request, records, drivers, existing)
    places = orders.locations_by_ids(conn, {record.order.location_id for record in chosen})
    if not any(places[record.order.location_id].valid for record in chosen):
        raise CannotPlan("ERR_OPT_NO_REQUESTS", "No orders exist for the specified date.")
    if len(chosen) > MOST_ORDERS:
        text = f"At most {MOST_ORDERS} orders can be planned at once; these are {len(chosen)}."
        raise CannotPlan("ERR_OPT_REQUESTS_EXCEEDED", text)
    planned_now = {record.order.id for record in chosen}
    stamp = _stamp(conn, account, request, planned_now)
    vehicles = {vehicle.id: vehicle for vehicle in fleet.all_vehicles(conn, account.id)}
    different = fleet.days(conn, account.id, request.first, request.last)
    by_id = {record.order.id: record for record in records}
    shifts = _shifts(days, drivers, vehicles, different, existing, by_id)
    if not shifts:
        raise CannotPlan("ERR_OPT_NO_RESOURCES", "No drivers are available for this date.")
    if (working := len({shift.driver.id for shift in shifts})) > MOST_DRIVERS:
        text = f"At most {MOST_DRIVERS} drivers can be planned with at once; these are {working}."
        raise CannotPlan("ERR_OPT_RESOURCES_EXCEEDED", text)
    pairs = [(record.order, places[record.order.location_id]) for record in chosen]
    others = [each.order for each in records if each.order.id not in planned_now and each.status not in BEGUN]
    return Ground(days, pairs, others, drivers, list(vehicles.values()), shifts, stamp)


def draft(account: Account, request: PlanRequest, ground: Ground) -> Draft:
    """The problem for the planner; takes its time, and touches nothing."""
    stated, left_out = workload.build(
        account.settings, request, ground.days, ground.chosen, ground.shifts, ground.vehicles, ground.others
    )
    scope = Scope(tuple(order.id for order, _ in ground.chosen), tuple(driver.id for driver in ground.drivers))
    return Draft(ground.days, tuple(ground.shifts), left_out, stated, scope, ground.stamp)


def put_down(account: Account, request: PlanRequest, begun: Draft, now_ms: int, conn: Connection) -> int | None:
    """A new job in the table, from when on nobody may change its orders; None where somebody has in the meantime.

    What became of drivers, vehicles and routes is looked at when the plan is there (:func:`overtaken`). Refuses as
    :class:`CannotPlan` where a planning runs already.
    """
    wanted = set(begun.scope.order_ids)
    _refuse_where_running(conn, account, request, wanted if request.orders else None)
    if _stamp(conn, account, request, wanted) != begun.stamp:
        return None
    return jobs.add(conn, account.id, request.first, request.last, begun.scope, now_ms)


def overtaken(conn: Connection, account: Account, draft: Draft) -> set[str]:
    """The shifts of the draft, by their keys, that are no longer what the planner was told: the driver is gone or off,
    or has other times, places or skills, or another vehicle or room in it."""
    first, last = draft.days.dates[0], draft.days.dates[-1]
    usual = {driver.id: driver for driver in fleet.all_drivers(conn, account.id)}
    vehicles = {vehicle.id: vehicle for vehicle in fleet.all_vehicles(conn, account.id)}
    different = fleet.days(conn, account.id, first, last)
    return {
        shift.key
        for shift in draft.shifts
        if _told(shift.driver, shift.vehicle)
        != _now(usual.get(shift.driver.id), vehicles, different.get((shift.driver.id, shift.date)))
    }


def kept(route: RouteRecord | None, records: Mapping[str, Record]) -> tuple[Stop, ...]:
    """The stops that have begun; where the plan was sent, the sent one says where they stand. Breaks and visits to the
    depot before the last of them are past too."""
    current = (route.active or route.planned) if route else None
    if not current:
        return ()
    statuses = {id: records[id].status for stop in current.stops if (id := stop.order_id) and id in records}
    moving = {id for id, status in statuses.items() if status in BEGUN and status != Status.CANCELLED}
    begun = {stop.number for stop in current.stops if stop.order_id in moving}
    last = max(begun, default=0)
    return tuple(
        stop for stop in current.stops if stop.number in begun or (stop.order_id is None and stop.number < last)
    )


def _drivers(conn: Connection, account: Account, request: PlanRequest) -> list[Driver]:
    """The drivers to plan with on the days on which they work: the named ones, or all."""
    every = fleet.all_drivers(conn, account.id)
    if not request.drivers:
        return every
    named = fleet.drivers_named(conn, account.id, request.drivers)
    if missing := tuple(name for name, ids in named.items() if not ids):
        raise CannotPlan("ERR_DRIVER_NOT_FOUND", "One or more drivers were not found.", drivers=missing)
    if any(len(ids) > 1 for ids in named.values()):
        raise CannotPlan("ERR_MULTIPLE_DRV", "Multiple drivers with the specified identifier have been found.")
    wanted = {ids[0] for ids in named.values()}
    return [driver for driver in every if driver.id in wanted]


def _chosen(
    conn: Connection,
    account: Account,
    request: PlanRequest,
    records: Sequence[Record],
    drivers: Sequence[Driver],
    existing: Sequence[RouteRecord],
) -> list[Record]:
    """The orders to plan; refuses what is named and cannot be planned, and a planning that runs already."""
    named = _named(request, records)
    _refuse_where_running(conn, account, request, named)
    if named is not None:
        places = orders.locations_by_ids(conn, {r.order.location_id for r in records if r.order.id in named})
        invalid = [r for r in records if r.order.id in named and not places[r.order.location_id].valid]
        if invalid:
            numbers = tuple(record.order.order_no or record.order.id for record in invalid)
            raise CannotPlan("ERR_ORD_WITH_INVALID_LOC", "One or more orders have an invalid location.", orders=numbers)
    used = {driver.id for driver in drivers}
    ours = {route.id for route in existing if route.driver_id in used}
    # All orders of the date are meant, those of other drivers too, unless routes shall stay as they are.
    locked = request.start_with == "CURRENT" and request.lock != "NONE"
    chosen = []
    for record in records:
        if record.status in BEGUN:
            continue
        on_ours = record.planned_route_id in ours
        if named is None:
            wanted = on_ours or record.planned_route_id is None or not locked
        else:
            wanted = record.order.id in named or (on_ours and request.include_scheduled)
        if wanted:
            chosen.append(record)
    return chosen


def _refuse_where_running(conn: Connection, account: Account, request: PlanRequest, named: set[str] | None) -> None:
    running = [
        job for job in jobs.running(conn, account.id) if job.date <= request.last and job.last_date >= request.first
    ]
    for job in running:
        if named is not None and named & set(job.scope.order_ids):
            text = "Optimization is already running for one or more of these orders."
            raise CannotPlan("ERR_OPT_RUNNING_FOR_ORDER", text, planning_id=job.id)
    if running:
        text = "Planning is already running for this date."
        raise CannotPlan("ERR_OPT_RUNNING_FOR_DATE", text, planning_id=running[0].id)


def _stamp(conn: Connection, account: Account, request: PlanRequest, order_ids: set[str]) -> bytes:
    """The same as long as the shipper says the same of these orders and their places."""
    said = orders.said(conn, account.id, request.first, request.last)
    return blake2b(_encode([row for row in said if row[0] in order_ids])).digest()


def _named(request: PlanRequest, records: Sequence[Record]) -> set[str] | None:
    """The ids of the orders that are asked for by name; None where all are meant."""
    if not request.orders:
        return None
    by_id = {record.order.id for record in records}
    by_number: dict[str, list[str]] = {}
    for record in records:
        by_number.setdefault(record.order.order_no or "", []).append(record.order.id)
    found, missing = set(), []
    for name in request.orders:
        ids = ([name.id] if name.id in by_id else []) if name.id else by_number.get(name.order_no or "", [])
        if len(ids) > 1:
            raise CannotPlan("ERR_MULTIPLE_ORD_FOUND", "Multiple orders with the specified identifier have been found.")
        if ids:
            found.add(ids[0])
        else:
            missing.append(name.id or name.order_no or "")
    if missing:
        raise CannotPlan("ERR_ORD_NOT_FOUND", "One or more orders were not found.", orders=tuple(missing))
    return found


def _now(
    usual: Driver | None, vehicles: Mapping[str, Vehicle], day: DriverDay | None
) -> tuple[Driver | None, Vehicle | None]:
    if usual is None:
        return None, None
    driver = on_date(usual, day)
    return _told(driver, loaded(vehicles.get(driver.vehicle_id or ""), day))


def _told(driver: Driver, vehicle: Vehicle | None) -> tuple[Driver, Vehicle | None]:
    """Both without what they are called, which is nothing to a planner."""
    nameless = {"name": "", "external_id": None, "serial": "", "phone": "", "email": "", "subcontractor": None}
    return (
        msgspec.structs.replace(driver, **nameless),
        vehicle and msgspec.structs.replace(vehicle, external_id=None, registration="", label=""),
    )


def _shifts(
    days: Calendar,
    drivers: Sequence[Driver],
    vehicles: Mapping[str, Vehicle],
    different: Mapping[tuple[str, str], DriverDay],
    existing: Sequence[RouteRecord],
    records: Mapping[str, Record],
) -> list[Shift]:
    """Every driver on every date on which the driver works."""
    by_day = {(route.driver_id, route.date): route for route in existing}
    shifts = []
    for date in days.dates:
        for usual in drivers:
            day = different.get((usual.id, date))
            driver = on_date(usual, day)
            if not driver.enabled:
                continue
            route = by_day.get((driver.id, date))
            vehicle = loaded(vehicles.get(driver.vehicle_id or ""), day)
            planned = (route.planned or route.active) if route else None
            shifts.append(Shift(driver, vehicle, date, kept(route, records), planned))
    return shifts
