"""How actions become facts, and facts the state of orders, routes and drivers.

``decide`` turns an action into a fact, or refuses it. The ``fold_…`` functions compute a state from a set of facts,
sorted by their own times, then by id: so neither the order of arrival nor duplicates change the result, and nothing
needs to be refused for arriving in the wrong order.
"""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec

from backend.domain.errors import Refusal
from backend.domain.events import (
    MOST_FILES,
    Action,
    DutyFact,
    EndRoute,
    Fact,
    Failed,
    Form,
    Kind,
    OffDuty,
    OnDuty,
    OrderFact,
    Rejected,
    RouteFact,
    StartRoute,
    StartService,
    StartTimeChanged,
    StatusSet,
    Success,
    attachments_of,
)
from backend.domain.orders import FINISHED, Status
from backend.domain.positions import Position

AHEAD_MS = 300_000  # how far a phone's clock may run ahead of the server's
ABOUT_ORDERS = frozenset({Kind.START_SERVICE, Kind.SUCCESS, Kind.FAILED, Kind.REJECTED})
ABOUT_ROUTES = frozenset({Kind.START_ROUTE, Kind.END_ROUTE, Kind.START_TIME_CHANGED})
ENDED_BY_DRIVER = frozenset({Status.SUCCESS, Status.FAILED, Status.REJECTED})

NOT_AHEAD = FINISHED | {Status.UNSCHEDULED}  # stops that the driver need not go to

AnyFact = TypeVar("AnyFact", bound=Fact)


class SoFar(msgspec.Struct, frozen=True):
    """The context of an action: the driver's own order that it names, and the driver's route of its day."""

    driver_id: str
    order_id: str | None = None
    route_id: str | None = None


class OrderState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The state of an order by its own facts; ``status`` is None while there are none. Times are Unix milliseconds."""

    status: Status | None = None
    started_ms: int | None = None
    start_position: Position | None = None
    finished_ms: int | None = None
    end_position: Position | None = None
    form: Form | None = None
    form_of: str | None = None  # the driver whose form it is: another driver's files are not its proof
    out_of_order: bool = False  # it was begun or ended before a stop that comes before it, where the account minds


class RouteState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``started_ms`` is the last start, ``ended_ms`` the last end where that is later; ``on_route`` the order that the
    driver is on the way to."""

    started_ms: int | None = None
    ended_ms: int | None = None
    planned_start_ms: int | None = None
    on_route: str | None = None


def check(action: Action, now_ms: int) -> None:
    """Refuse an action that is invalid by itself, whatever orders and routes there are."""
    if round(action.timestamp * 1000) > now_ms + AHEAD_MS:
        raise Refusal("ERR_TIMESTAMP_FUTURE", "The timestamp is more than 5 minutes ahead of the server.", "timestamp")
    if action.position is not None and action.position.at_ms > now_ms + AHEAD_MS:
        text = "The position's timestamp is more than 5 minutes ahead of the server."
        raise Refusal("ERR_TIMESTAMP_FUTURE", text, "position.timestamp")
    if action.action in ABOUT_ORDERS and not (action.order_id or action.order_no):
        raise Refusal("ERR_ACTION_INVALID", f"{action.action} needs an orderId or an orderNo.", "orderId")
    if len(attachments_of(action.form)) > MOST_FILES:
        raise Refusal("ERR_ACTION_INVALID", f"A form names up to {MOST_FILES} attachments.", "form")
    if action.action == Kind.START_TIME_CHANGED and action.planned_start_time is None:
        text = "start_time_changed needs a plannedStartTime in Unix seconds."
        raise Refusal("ERR_ACTION_INVALID", text, "plannedStartTime")


def decide(so_far: SoFar, action: Action, now_ms: int) -> Fact:
    """The fact that this action stands for. Refuses an invalid one, and one that names an order of another driver."""
    check(action, now_ms)
    if action.action in ABOUT_ORDERS:
        return _about_order(so_far, action)
    told = _told(so_far, action)
    match action.action:
        case Kind.ON_DUTY:
            return OnDuty(**told)
        case Kind.OFF_DUTY:
            return OffDuty(**told)
        case Kind.START_ROUTE:
            return StartRoute(route_id=so_far.route_id, **told)
        case Kind.END_ROUTE:
            return EndRoute(route_id=so_far.route_id, **told)
        case _:
            planned_ms = round((action.planned_start_time or 0) * 1000)
            return StartTimeChanged(planned_start_ms=planned_ms, route_id=so_far.route_id, **told)


def _about_order(so_far: SoFar, action: Action) -> OrderFact:
    if so_far.order_id is None:
        named = "orderId" if action.order_id else "orderNo"
        raise Refusal("ERR_ORDER_NOT_FOUND", "This driver has no such order.", named)
    told = {**_told(so_far, action), "order_id": so_far.order_id, "form": action.form}
    match action.action:
        case Kind.START_SERVICE:
            return StartService(**told)
        case Kind.SUCCESS:
            return Success(**told)
        case Kind.FAILED:
            return Failed(**told)
        case _:
            return Rejected(**told)


def _told(so_far: SoFar, action: Action) -> dict:
    return {
        "id": action.id,
        "at_ms": round(action.timestamp * 1000),
        "driver_id": so_far.driver_id,
        "position": action.position and known_parts(action.position),
    }


def known_parts(position: Position) -> Position:
    """The same fix without the negative values by which a phone says that it does not know."""
    if not any((value or 0) < 0 for value in (position.accuracy, position.speed, position.heading)):
        return position
    known = {
        name: None if (value := getattr(position, name)) is not None and value < 0 else value
        for name in ("accuracy", "speed", "heading")
    }
    return msgspec.structs.replace(position, **known)


def by_own_time(facts: Iterable[AnyFact]) -> list[AnyFact]:
    """The one order of every fold. The same fact twice counts once."""
    return sorted({(fact.at_ms, fact.id, fact.driver_id): fact for fact in facts}.values(), key=_own_time)


def _own_time(fact: Fact) -> tuple[int, str, str]:
    return fact.at_ms, fact.id, fact.driver_id or ""


def fold_order(facts: Iterable[OrderFact]) -> OrderState:
    """What an order is. The latest ending wins; a service that begins after an ending changes nothing."""
    state = OrderState()
    for fact in by_own_time(facts):
        state = _apply(state, fact)
    return state


def _apply(state: OrderState, fact: OrderFact) -> OrderState:
    match fact:
        case StartService():
            if state.status in FINISHED or state.status is Status.SERVICING:
                return state
            return msgspec.structs.replace(
                state, status=Status.SERVICING, started_ms=fact.at_ms, start_position=fact.position
            )
        case Success():
            return _ended(state, fact, Status.SUCCESS)
        case Failed():
            return _ended(state, fact, Status.FAILED)
        case Rejected():
            return _ended(state, fact, Status.REJECTED)
        case StatusSet():
            return _set(state, fact)


def _ended(state: OrderState, fact: Success | Failed | Rejected, status: Status) -> OrderState:
    return msgspec.structs.replace(
        state,
        status=status,
        finished_ms=fact.at_ms,
        end_position=fact.position,
        form=fact.form,
        form_of=fact.form and fact.driver_id,
    )


def _set(state: OrderState, fact: StatusSet) -> OrderState:
    """The office's word. To call an order unfinished takes its ending away; called ended, it keeps its proof."""
    match fact.status:
        case Status.SCHEDULED if fact.on_plan:
            return OrderState()  # as long as the plan has it
        case Status.UNSCHEDULED | Status.SCHEDULED | Status.ON_ROUTE:
            return OrderState(status=fact.status)
        case Status.SERVICING:
            servicing_ms = fact.start_ms or state.started_ms or fact.at_ms
            kept = state.start_position if servicing_ms == state.started_ms else None
            return OrderState(status=fact.status, started_ms=servicing_ms, start_position=kept)
        case _:
            ended_ms = fact.end_ms or state.finished_ms or fact.at_ms
            begun_ms = fact.start_ms or state.started_ms
            return OrderState(
                status=fact.status,
                started_ms=begun_ms,
                start_position=state.start_position if begun_ms == state.started_ms else None,
                finished_ms=ended_ms,
                end_position=state.end_position if ended_ms == state.finished_ms else None,
                form=state.form,
                form_of=state.form_of,
            )


def fold_route(
    facts: Iterable[RouteFact], stops: Sequence[tuple[str, Status | None]], driven: bool = False
) -> RouteState:
    """What a route is. ``stops`` are its orders in route order, each with the status of its own facts; ``driven`` is
    whether its driver ever ended a stop of it, whatever the office made of that stop since.

    From the first ``start_route`` or the first ending of a stop, the driver is on the way to the first stop that has
    not ended, until an ``end_route`` that is later than the last ``start_route``.
    """
    started: StartRoute | None = None
    ended: EndRoute | None = None
    planned_ms: int | None = None
    for fact in by_own_time(facts):
        match fact:
            case StartRoute():
                started, ended = fact, None
            case EndRoute():
                ended = fact
            case StartTimeChanged():
                planned_ms = fact.planned_start_ms
    under_way = driven or started is not None or any(status in ENDED_BY_DRIVER for _, status in stops)
    return RouteState(
        started_ms=started.at_ms if started else None,
        ended_ms=ended.at_ms if ended else None,
        planned_start_ms=planned_ms,
        on_route=_next_stop(stops) if under_way and ended is None else None,
    )


def _next_stop(stops: Sequence[tuple[str, Status | None]]) -> str | None:
    return next((order_id for order_id, status in stops if status not in NOT_AHEAD), None)


def shown_status(own: Status | None, order_id: str, route: RouteState, planned: Status) -> Status:
    """The status that everybody sees: the order's own, and ``on_route`` where the driver is on the way to it.

    ``planned`` is what an order is of which no fact says anything: scheduled or unscheduled.
    """
    if route.on_route == order_id and own not in FINISHED and own is not Status.SERVICING:
        return Status.ON_ROUTE
    return own or planned


def out_of_order(stops: Sequence[str], facts: Iterable[OrderFact]) -> frozenset[str]:
    """Ids of the driver's facts about a stop that came, by their own time, while a stop before it had not ended."""
    place = {order_id: index for index, order_id in enumerate(stops)}
    open_stops = set(place.values())
    marked = set()
    for fact in by_own_time(facts):
        index = place.get(fact.order_id)
        if index is None:
            continue
        if fact.driver_id is not None and min(open_stops, default=index) < index:
            marked.add(fact.id)
        match fact:
            case StartService():
                pass
            case StatusSet(status=status) if status not in FINISHED:
                open_stops.add(index)
            case _:
                open_stops.discard(index)
    return frozenset(marked)


def fold_duty(facts: Iterable[DutyFact]) -> bool:
    """Whether the driver is on duty, by the latest fact about it."""
    ordered = by_own_time(facts)
    return bool(ordered) and isinstance(ordered[-1], OnDuty)


def off_duty_since(facts: Iterable[DutyFact]) -> int | None:
    """When the driver went off duty, Unix milliseconds; None on duty, and where nothing was said of it."""
    ordered = by_own_time(facts)
    return ordered[-1].at_ms if ordered and not isinstance(ordered[-1], OnDuty) else None
