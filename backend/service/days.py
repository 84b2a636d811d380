"""A day's routes for people: each stop with its order, location, status and estimated time of arrival."""

from collections.abc import Mapping, Sequence

import msgspec

from backend.domain.accounts import Account, ProofPolicy, Settings
from backend.domain.drivers import Driver, Place, Vehicle
from backend.domain.events import DutyFact
from backend.domain.orders import BEGUN, Location, Order, Status
from backend.domain.progress import OrderState, RouteState, fold_duty, off_duty_since
from backend.domain.proof import missing
from backend.domain.routes import Route, Stop, Underway, estimate
from backend.service import workload
from backend.service.desk import Desk
from backend.service.rejoin import rejoined
from backend.store import facts, fleet, orders, routes, standing
from backend.store.database import Connection
from backend.store.orders import Record
from backend.store.routes import RouteRecord


class DayStop(msgspec.Struct, frozen=True, kw_only=True):
    """One stop. ``*_s`` are Unix seconds or, in ``travel_s`` and ``duration_s``, seconds; ``*_ms`` Unix milliseconds.

    ``eta_s`` is when the service is expected to begin, None where it has begun. ``windows`` are moments, ``None`` in
    them is open. ``tracking`` is the code of the recipient's page.
    """

    stop: Stop
    order: Order | None = None
    location: Location | None = None
    status: str = "scheduled"
    state: OrderState = OrderState()
    eta_s: int | None = None
    windows: tuple[tuple[int, int], ...] = ()
    tracking: str | None = None
    missing_proof: tuple[str, ...] = ()  # what the account requires of an order that ended so, and did not get

    @property
    def duration_s(self) -> int:
        return self.stop.departure_s - self.stop.start_s

    @property
    def started_ms(self) -> int | None:
        return self.state.started_ms

    @property
    def finished_ms(self) -> int | None:
        return self.state.finished_ms


class DayRoute(msgspec.Struct, frozen=True, kw_only=True):
    """A driver's day. ``route`` has times, distances and ends; ``sent`` is whether the driver has it like this.

    ``planned`` is False where the plan has nothing for the driver any more, and the driver still has what was sent.
    """

    id: str
    driver: Driver
    vehicle: Vehicle | None
    route: Route
    version: int
    sent: bool
    planned: bool
    sent_ms: int | None
    on_duty: bool
    off_duty_ms: int | None = None  # when the driver went off duty, and is since
    progress: RouteState
    stops: tuple[DayStop, ...]

    @property
    def start(self) -> Place | None:
        return self.route.start

    @property
    def end(self) -> Place | None:
        return self.route.end


async def day_routes(
    desk: Desk, account: Account, date: str, driver_id: str | None = None, *, active: bool = False
) -> list[DayRoute]:
    """The routes of a date, of one driver where given, by the drivers' names.

    Without ``active`` the plan as it was made last, and what is active where a driver has none in it; with it what was
    sent, as the drivers see it.
    """
    now_s = int(desk.clock.now_s())
    return await desk.database.read(lambda conn: _read(conn, account, date, driver_id, active, now_s))


class Scheduled(msgspec.Struct, frozen=True):
    """Where an order stands on the plan."""

    driver: Driver
    vehicle: Vehicle | None
    stop: Stop


async def schedules(desk: Desk, account: Account, records: Sequence[Record]) -> dict[str, Scheduled]:
    """Where these orders stand on the plan that was made last, by order; those that do not are left out."""

    def read(conn: Connection) -> dict[str, Scheduled]:
        ids = {record.planned_route_id for record in records if record.planned_route_id}
        planned = {each.id: each.planned for each in routes.by_ids(conn, account.id, ids).values() if each.planned}
        drivers = {
            each.id: each for each in fleet.drivers_by_id(conn, account.id, {r.driver_id for r in planned.values()})
        }
        vehicle_ids = {route.vehicle_id for route in planned.values() if route.vehicle_id}
        vehicles = {each.id: each for each in fleet.vehicles_by_id(conn, account.id, vehicle_ids)}
        stands = {record.order.id: record.planned_route_id for record in records}
        planned = {
            id: rejoined(route, route.stops, account.settings) if route.cut else route for id, route in planned.items()
        }
        return {
            stop.order_id: Scheduled(drivers[route.driver_id], vehicles.get(route.vehicle_id or ""), stop)
            for route_id, route in planned.items()
            if route.driver_id in drivers
            for stop in route.stops
            if stop.order_id and stands.get(stop.order_id) == route_id
        }

    return await desk.database.read(read)


async def live_estimates(desk: Desk, account: Account, records: Sequence[Record]) -> dict[str, int]:
    """When the service of these orders is expected to begin, Unix seconds, by order.

    Of those alone that stand on a route that was sent, and have not begun.
    """
    waiting = {record.order.id: record.active_route_id for record in records if record.status not in BEGUN}
    ids = {route_id for route_id in waiting.values() if route_id}
    if not ids:
        return {}
    now_s = int(desk.clock.now_s())

    def read(conn: Connection) -> dict[str, int]:
        by_date: dict[str, list[tuple[RouteRecord, Route]]] = {}
        for record in routes.by_ids(conn, account.id, ids).values():
            if record.active is not None:
                by_date.setdefault(record.date, []).append((record, record.active))
        return {
            stop.order.id: stop.eta_s
            for date, shown in by_date.items()
            for day in _built(conn, account, date, shown, now_s)
            for stop in day.stops
            if stop.order is not None and stop.eta_s is not None and waiting.get(stop.order.id) == day.id
        }

    return await desk.database.read(read)


def _read(
    conn: Connection, account: Account, date: str, driver_id: str | None, active: bool, now_s: int
) -> list[DayRoute]:
    shown = [
        (record, route)
        for record in routes.on_dates(conn, account.id, date, date, driver_id)
        if (route := record.active if active else record.planned or record.active)
    ]
    return _built(conn, account, date, shown, now_s)


def _built(
    conn: Connection, account: Account, date: str, shown: Sequence[tuple[RouteRecord, Route]], now_s: int
) -> list[DayRoute]:
    ids = {stop.order_id for _, route in shown for stop in route.stops if stop.order_id}
    records = orders.by_ids(conn, account.id, ids)
    places = orders.locations_by_ids(conn, {record.order.location_id for record in records.values()})
    drivers = {driver.id: driver for driver in fleet.drivers_by_id(conn, account.id, {r.driver_id for r, _ in shown})}
    vehicles = {
        vehicle.id: vehicle
        for vehicle in fleet.vehicles_by_id(conn, account.id, {r.vehicle_id for _, r in shown if r.vehicle_id})
    }
    duty = facts.duty_of(conn, drivers) if drivers else {}
    days = workload.calendar(account.settings, date, date)
    built = []
    for record, route in shown:
        if record.driver_id not in drivers:
            continue
        current = _current(route, record.id, records, account.settings)
        stops = [
            _stop(stop, current, records, places, days, account.settings.proof_of_delivery) for stop in current.stops
        ]
        said = duty.get(record.driver_id, ())
        vehicle = vehicles.get(route.vehicle_id or "")
        built.append(_route(record, route, current, drivers[record.driver_id], vehicle, said, stops, now_s))
    return sorted(built, key=lambda each: (each.driver.name, each.driver.id))


def _current(route: Route, route_id: str, records: Mapping[str, Record], settings: Settings) -> Route:
    """The route over the stops that are still on it, with what their orders load now."""
    left = tuple(each for each in route.stops if not each.order_id or _still_on(route_id, records.get(each.order_id)))
    if route.cut or left != route.stops:
        route = rejoined(route, left, settings)
    return msgspec.structs.replace(
        route, loads=workload.loads([records[each.order_id].order for each in left if each.order_id])
    )


def _route(
    record: RouteRecord,
    route: Route,
    current: Route,
    driver: Driver,
    vehicle: Vehicle | None,
    duty: Sequence[DutyFact],
    stops: Sequence[DayStop],
    now_s: int,
) -> DayRoute:
    progress = standing.progress_of(record.progress)
    started_s = progress.started_ms // 1000 if progress.started_ms is not None else None
    planned_start_s = progress.planned_start_ms // 1000 if progress.planned_start_ms is not None else route.start_s
    estimates = estimate([_underway(stop) for stop in stops], planned_start_s, started_s, now_s)
    return DayRoute(
        id=record.id,
        driver=driver,
        vehicle=vehicle,
        route=current,
        version=record.version,
        sent=record.active is not None and route == record.active,
        planned=record.planned is not None,
        sent_ms=record.sent_ms,
        on_duty=fold_duty(duty),
        off_duty_ms=off_duty_since(duty),
        progress=progress,
        stops=tuple(msgspec.structs.replace(stop, eta_s=eta_s) for stop, eta_s in zip(stops, estimates, strict=True)),
    )


def _still_on(route_id: str, record: Record | None) -> bool:
    """Not deleted, and not gone to the route of another date or driver since."""
    return record is not None and route_id in (record.planned_route_id, record.active_route_id)


def _stop(
    stop: Stop,
    route: Route,
    records: Mapping[str, Record],
    places: Mapping[str, Location],
    days: workload.Calendar,
    policy: ProofPolicy,
) -> DayStop:
    if stop.order_id is None:
        depot = (route.start or route.end) if stop.type == "depot" else None
        return DayStop(stop=stop, location=_depot(depot) if depot else None)
    record = records[stop.order_id]
    place = places.get(record.order.location_id)
    if place is not None and place.valid:  # which may have been corrected since the route was planned
        stop = msgspec.structs.replace(stop, latitude=place.latitude, longitude=place.longitude)
    state = standing.state_of(record.completion)
    windows = workload.windows(record.order, days) or ()
    return DayStop(
        stop=stop,
        order=record.order,
        location=place,
        status=Status.SCHEDULED if record.status == Status.UNSCHEDULED else record.status,  # it is on this one
        state=state,
        windows=tuple((days.origin_s + opens, days.origin_s + closes) for opens, closes in windows),
        tracking=record.tracking,
        missing_proof=missing(policy, Status(record.status), state.form),
    )


def _depot(place: Place) -> Location:
    return Location("", "", place.address or "Depot", place.address, place.latitude, place.longitude)


def _underway(stop: DayStop) -> Underway:
    """What the estimate needs to know; an order that ended without a time of its own ended when it was planned to."""
    ended = stop.status in BEGUN and stop.status != "servicing"
    finished_s = _seconds(stop.finished_ms) if ended else None
    if ended and finished_s is None:
        finished_s = stop.stop.departure_s
    started_s = _seconds(stop.started_ms) if stop.status == "servicing" else None
    return Underway(stop.stop, _opens(stop), started_s, finished_s)


def _opens(stop: DayStop) -> int | None:
    """When the window opens in which the service is planned; that of a break, where the driver waits for it."""
    if stop.stop.type == "break":
        return stop.stop.start_s if stop.stop.start_s > stop.stop.arrival_s else None
    fitting = [opens for opens, closes in stop.windows if opens <= stop.stop.start_s <= closes]
    return max(fitting, default=None)


def _seconds(ms: int | None) -> int | None:
    return None if ms is None else ms // 1000
