"""Translates orders and drivers into the planner's integers, and its plan back into routes.

The planner counts seconds from the first day's midnight in the account's time zone. Local times are turned into such
seconds by way of UTC, so that an hour that a clock skips or repeats is not planned, or planned twice.
"""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from backend.domain.accounts import Settings
from backend.domain.drivers import Driver, Place, Vehicle
from backend.domain.orders import Location, Order
from backend.domain.plans import PlanRequest
from backend.domain.routes import Route, Stop
from backend.planning import matrix, problem

_KINDS: Mapping[str, Literal["delivery", "pickup", "task"]] = {"D": "delivery", "P": "pickup", "T": "task"}
_PRIORITIES: Mapping[str, Literal[0, 1, 2, 3]] = {"L": 0, "M": 1, "H": 2, "C": 3}
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_S = 86_400
MOST_RETURNS = 8
"""How often a vehicle may come back to its depot on one route."""
NO_PLACE = ("LOCATION_INVALID", "Its location has no coordinates.")
RELATED = ("RELATED_LEFT_OUT", "The order that it is related to cannot be planned.")
NOT_ALLOWED = ("DATE_NOT_ALLOWED", "It may not be served on this date.")


class Shift(msgspec.Struct, frozen=True):
    """A driver on one date; ``kept`` are the stops of the route that have begun and stay as they are."""

    driver: Driver
    vehicle: Vehicle | None
    date: str
    kept: tuple[Stop, ...] = ()
    planned: Route | None = None

    @property
    def key(self) -> str:
        return f"{self.driver.id}|{self.date}"


class Calendar(msgspec.Struct, frozen=True):
    """The planned dates in one time zone; ``origin_s`` is the first one's midnight, Unix seconds."""

    zone: ZoneInfo
    dates: tuple[str, ...]
    origin_s: int

    def seconds(self, date: str, clock: str) -> int:
        """Local time "HH:MM" or "HH:MM:SS" of a date as seconds from the origin."""
        return self.moment(f"{date}T{clock}")

    def moment(self, local: str) -> int:
        """Local "YYYY-MM-DDTHH:MM[:SS]" as seconds from the origin."""
        return round(datetime.datetime.fromisoformat(local).replace(tzinfo=self.zone).timestamp()) - self.origin_s


def calendar(settings: Settings, first: str, last: str) -> Calendar:
    start, end = datetime.date.fromisoformat(first), datetime.date.fromisoformat(last)
    dates = tuple((start + datetime.timedelta(days=n)).isoformat() for n in range((end - start).days + 1))
    zone = ZoneInfo(settings.time_zone)
    midnight = datetime.datetime.fromisoformat(first).replace(tzinfo=zone)
    return Calendar(zone, dates, round(midnight.timestamp()))


def following(date: str) -> str:
    return (datetime.date.fromisoformat(date) + datetime.timedelta(days=1)).isoformat()


def windows(order: Order, days: Calendar) -> tuple[tuple[int, int], ...] | None:
    """When the service may take place: begin not before the first, end not after the second. None is never.

    An order that may be served at any time of every planned date has no windows at all.
    """
    service_s = round(order.duration_min * 60)
    allowed = [date for date in days.dates if _allowed(order, date)]
    if not allowed:
        return None
    if len(allowed) == len(days.dates) and not order.time_windows and not order.allowed_date_times:
        return ()
    found = [window for date in allowed for window in _of_day(order, date, days)]
    if order.allowed_date_times:
        begins = [
            (
                days.moment(each.opens) if each.opens else -_DAY_S,
                (days.moment(each.closes) if each.closes else 400 * _DAY_S) + service_s,
            )
            for each in order.allowed_date_times
        ]
        found = [(max(a, c), min(b, d)) for a, b in found for c, d in begins]
    return tuple(sorted({(a, b) for a, b in found if b - a >= service_s})) or None


def build(
    settings: Settings,
    request: PlanRequest,
    days: Calendar,
    orders: Sequence[tuple[Order, Location]],
    shifts: Sequence[Shift],
    every_vehicle: Sequence[Vehicle],
    others: Iterable[Order] = (),
) -> tuple[problem.Problem, dict[str, tuple[str, str]]]:
    """The problem, and the orders that it leaves out, each with a code and a sentence.

    ``others`` are orders of these dates that are not to be planned now and have not begun: what is related to one of
    them waits for it.
    """
    open_at = {order.id: windows(order, days) if place.valid else None for order, place in orders}
    left_out = {
        order.id: NOT_ALLOWED if place.valid else NO_PLACE for order, place in orders if open_at[order.id] is None
    }
    apart = {order.id: order.related_id for order in others}
    waiting = {order.id for order, _ in orders if order.related_id in apart} | set(apart.values())
    left_out |= {id: RELATED for id in open_at if id in waiting and id not in left_out}
    pairs = [(order.id, order.related_id) for order, _ in orders if order.related_id]
    for one, other in [*pairs, *((other, one) for one, other in pairs)]:
        if other in left_out and one in open_at:
            left_out.setdefault(one, RELATED)
    own = _by_driver(shifts)
    stops = [_stop(order, place, open_at[order.id] or (), own) for order, place in orders if order.id not in left_out]
    stops = _related(stops, (order for order, _ in orders), shifts)
    limits = [vehicle.capacities for vehicle in (*every_vehicle, *(s.vehicle for s in shifts if s.vehicle))]
    counted = tuple(any(each[load] for each in limits) for load in range(problem.LOADS))
    known = {stop.key for stop in stops}
    existing = tuple(
        problem.Existing(shift.key, keys)
        for shift in shifts
        if request.start_with == "CURRENT" and (keys := _planned(shift, known))
    )
    options = problem.Options(
        seconds=settings.planning_seconds or 0,
        balancing=request.balancing,
        balance_by=request.balance_by,
        balancing_factor=request.balancing_factor,
        clustering=request.clustering,
        existing=existing,
        lock=request.lock if request.start_with == "CURRENT" else "NONE",
        speed_kmh=settings.average_speed_kmh,
        circuity=settings.circuity,
    )
    vehicles = tuple(
        _vehicle(shift, days, counted, _returns(shift, request), cost)
        for shift, cost in zip(shifts, _costs(shifts), strict=True)
    )
    return problem.Problem(tuple(stops), vehicles, options), left_out


def route(
    shift: Shift,
    planned: problem.Route | None,
    orders: Mapping[str, Order],
    places: Mapping[str, Location],
    days: Calendar,
) -> Route | None:
    """The driver's route: what has begun already, then what was planned of ``orders``; None where there is neither."""
    visits = [visit for visit in planned.visits if visit.kind != "stop" or visit.stop in orders] if planned else []
    if not any(visit.kind == "stop" for visit in visits):
        visits = []
    if not visits and not shift.kept:
        return None
    stops = [msgspec.structs.replace(stop, number=number) for number, stop in enumerate(shift.kept, 1)]
    for visit in visits:
        place = visit.place or places[orders[visit.stop].location_id]
        stops.append(
            Stop(
                number=len(stops) + 1,
                order_id=visit.stop or None,
                latitude=place.latitude,
                longitude=place.longitude,
                arrival_s=days.origin_s + visit.arrival_s,
                start_s=days.origin_s + visit.start_s,
                departure_s=days.origin_s + visit.departure_s,
                travel_s=visit.travel_s,
                distance_m=visit.distance_m,
                type="order" if visit.kind == "stop" else visit.kind,
            )
        )
    before = shift.planned if shift.kept and shift.planned else None
    start_s = before.start_s if before else days.origin_s + (planned.departure_s if planned else 0)
    end_s = days.origin_s + planned.finish_s if planned else stops[-1].departure_s
    ends = [shift.driver.start, *stops, shift.driver.end]
    own = [orders[id] for stop in stops if (id := stop.order_id) and id in orders]
    return Route(
        driver_id=shift.driver.id,
        date=shift.date,
        vehicle_id=shift.vehicle.id if shift.vehicle else None,
        stops=tuple(stops),
        distance_m=sum(stop.distance_m for stop in shift.kept) + (planned.distance_m if planned else 0),
        duration_s=max(0, end_s - start_s),
        start_s=start_s,
        end_s=max(start_s, end_s),
        loads=loads(own),
        start=shift.driver.start,
        end=shift.driver.end,
        polyline=matrix.polyline((each.latitude, each.longitude) for each in ends if each is not None),
    )


def loads(orders: Sequence[Order]) -> tuple[float, float, float, float]:
    one, two, three, four = (sum(order.loads[load] for order in orders) for load in range(problem.LOADS))
    return one, two, three, four


def _allowed(order: Order, date: str) -> bool:
    if _WEEKDAYS[datetime.date.fromisoformat(date).weekday()] not in order.allowed_weekdays:
        return False
    return (order.allowed_from or date) <= date <= (order.allowed_to or date)


def _of_day(order: Order, date: str, days: Calendar) -> list[tuple[int, int]]:
    """The order's time windows of one date; one that closes before it opens closes on the next day."""
    if not order.time_windows:
        return [(days.seconds(date, "00:00"), days.seconds(following(date), "00:00"))]
    found = []
    for window in order.time_windows:
        opens, closes = window.opens or "00:00", window.closes or "23:59"
        found.append((days.seconds(date, opens), days.seconds(date if closes >= opens else following(date), closes)))
    return found


def _by_driver(shifts: Sequence[Shift]) -> dict[str, frozenset[str]]:
    """The keys of each driver's shifts."""
    found: dict[str, set[str]] = {}
    for shift in shifts:
        found.setdefault(shift.driver.id, set()).add(shift.key)
    return {driver_id: frozenset(keys) for driver_id, keys in found.items()}


def _stop(
    order: Order, place: Location, open_at: tuple[tuple[int, int], ...], own: Mapping[str, frozenset[str]]
) -> problem.Stop:
    """``own`` are the keys of each driver's shifts."""
    assigned = order.assigned_driver_id
    return problem.Stop(
        key=order.id,
        place=problem.Place(place.latitude, place.longitude),
        service_s=round(order.duration_min * 60),
        check_in_s=place.check_in_min * 60,
        windows=open_at,
        kind=_KINDS[order.type],
        load=_units(order.loads),
        skills=frozenset(order.skills),
        features=frozenset(order.vehicle_features),
        vehicles=None if assigned is None else own.get(assigned, frozenset()),
        priority=_PRIORITIES[order.priority],
    )


def _related(stops: Sequence[problem.Stop], orders: Iterable[Order], shifts: Sequence[Shift]) -> list[problem.Stop]:
    """Deliveries that bring what a related pickup takes up, with that pickup: on its route, after it, with its load.

    Where the pickup has begun already, the goods are in a vehicle, and the delivery is for that one.
    """
    known = {stop.key: stop for stop in stops}
    pairs = [(order.id, order.related_id) for order in orders if order.related_id]
    begun = {stop.order_id: shift.key for shift in shifts for stop in shift.kept}
    taken: set[str] = set()
    for one, other in [*pairs, *((other, one) for one, other in pairs)]:
        if one not in known or known[one].kind != "delivery" or known[one].source or other in taken:
            continue
        if other in begun:
            known[one] = msgspec.structs.replace(known[one], vehicles=frozenset({begun[other]}))
        elif other in known and known[other].kind == "pickup":
            known[one] = msgspec.structs.replace(known[one], source=other, load=known[other].load)
            taken.add(other)
    return list(known.values())


def _planned(shift: Shift, known: set[str]) -> tuple[str, ...]:
    """What a route that is planned already holds of these orders, with the visits to the depot between them."""
    keys: list[str] = []
    for stop in shift.planned.stops if shift.planned else ():
        if stop.order_id in known or (stop.type == "depot" and keys):
            keys.append(stop.order_id or problem.DEPOT)
    return tuple(keys) if any(keys) else ()


def _costs(shifts: Sequence[Shift]) -> list[tuple[int, int]]:
    """What each shift costs an hour and a kilometre, in thousandths; where nobody said, the mean of the others."""
    by_hour = [shift.driver.cost_per_hour for shift in shifts]
    by_km = [shift.vehicle.cost_per_km if shift.vehicle else None for shift in shifts]
    filled = []
    for costs in (by_hour, by_km):
        told = [cost for cost in costs if cost is not None]
        mean = sum(told) / len(told) if told else 0.0
        filled.append([round(1000 * (mean if cost is None else cost)) for cost in costs])
    return list(zip(*filled, strict=True))


def _returns(shift: Shift, request: PlanRequest) -> tuple[int, int]:
    """How often a vehicle may come back to its depot, and for how many seconds: as is asked for, or as a route does
    that is kept."""
    if request.depot_trips:
        return MOST_RETURNS, request.depot_visit_min * 60
    made = (
        [stop.departure_s - stop.start_s for stop in shift.planned.stops if stop.type == "depot"]
        if shift.planned
        else []
    )
    kept = made and request.start_with == "CURRENT" and request.lock != "NONE"
    return (len(made), max(made)) if kept else (0, 0)


def _vehicle(
    shift: Shift, days: Calendar, counted: tuple[bool, ...], returns: tuple[int, int], costs: tuple[int, int]
) -> problem.Vehicle:
    """A load that no vehicle of the account has a capacity for is not counted at all.

    A driver who is under way goes on from the last stop that has begun.
    """
    driver, vehicle = shift.driver, shift.vehicle
    from_s = days.seconds(shift.date, driver.work_from)
    overnight = driver.work_to <= driver.work_from
    to_s = days.seconds(following(shift.date) if overnight else shift.date, driver.work_to)
    start, overtime_s = _place(driver.start), driver.overtime_min * 60
    if shift.kept:
        last = max(shift.kept, key=lambda stop: stop.departure_s)
        from_s = max(from_s, last.departure_s - days.origin_s)
        start = problem.Place(last.latitude, last.longitude)
    limits = _units(vehicle.capacities) if vehicle else (None, None, None, None)
    one, two, three, four = (limit if used else None for limit, used in zip(limits, counted, strict=True))
    return problem.Vehicle(
        key=shift.key,
        from_s=from_s,
        to_s=max(from_s, to_s + overtime_s),
        start=start,
        end=_place(driver.end),
        capacity=(one, two, three, four),
        skills=frozenset(driver.skills),
        features=frozenset(vehicle.features) if vehicle else frozenset(),
        breaks=_breaks(shift, days, overnight, from_s),
        overtime_s=overtime_s,
        per_hour=costs[0],
        per_km=costs[1],
        reloads=returns[0] if any(limit is not None for limit in (one, two, three, four)) else 0,
        reload_s=returns[1],
        base=_place(driver.start) if shift.kept else None,
    )


def _breaks(shift: Shift, days: Calendar, overnight: bool, from_s: int) -> tuple[problem.Break, ...]:
    """The driver's breaks on this date that are still to be taken, and can be."""
    taken = [stop.start_s - days.origin_s for stop in shift.kept if stop.type == "break"]
    found = []
    for each in shift.driver.breaks:
        date = following(shift.date) if overnight and each.opens < shift.driver.work_from else shift.date
        opens = days.seconds(date, each.opens)
        closes = days.seconds(following(date) if each.closes < each.opens else date, each.closes)
        minutes = each.minutes * 60
        passed = bool(shift.kept) and closes - minutes < from_s
        if closes - opens >= minutes and not passed and not any(opens <= at < closes for at in taken):
            found.append(problem.Break(opens, closes, minutes))
    return tuple(sorted(found, key=lambda each: each.opens_s))


def _units(loads: Sequence[float]) -> tuple[int, int, int, int]:
    one, two, three, four = (round(load * 1000) for load in loads)
    return one, two, three, four


def _place(place: Place | None) -> problem.Place | None:
    return problem.Place(place.latitude, place.longitude) if place else None
