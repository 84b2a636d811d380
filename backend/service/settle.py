"""Settling actions: appends their facts to the log and updates orders and routes. Runs on the writer thread.

The log is the single source of truth. The state in the rows of orders and routes is a cache: it is folded from the log
anew each time, so that a late fact changes it exactly as if it had come in time.
"""

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from backend.domain.accounts import Account, Device
from backend.domain.errors import Refusal
from backend.domain.events import MOST_FILES, Action, Fact, OrderFact, StatusSet, attachments_of
from backend.domain.orders import Status
from backend.domain.progress import (
    ABOUT_ORDERS,
    ABOUT_ROUTES,
    SoFar,
    decide,
    fold_order,
    fold_route,
    out_of_order,
    shown_status,
)
from backend.domain.times import local_date, local_day_ms
from backend.store import attachments, facts, standing
from backend.store.database import Connection

log = logging.getLogger("codriver.field")
_encode = msgspec.json.Encoder(order="deterministic").encode


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """The outcome of one action. ``status`` is that of its order after it; ``message`` is for people."""

    id: str | None
    success: bool
    duplicate: bool = False
    code: str | None = None
    message: str | None = None
    status: str | None = None


def settle(
    conn: Connection, device: Device, actions: Sequence[Action], now_ms: int, latest_ms: int | None = None
) -> list[Outcome]:
    """Settle each action by itself: one that is refused leaves no trace, the others are stored. Outcomes in order.

    ``latest_ms``: the time by which an action counts as being of the future; by default ``now_ms``.
    """
    known = _Known(conn, device, actions)
    outcomes = [known.settle(action, latest_ms or now_ms) for action in actions]
    facts.insert_facts(conn, device.account.id, known.rows, now_ms)
    if known.rows:
        touched = {row.fact.order_id for row in known.rows if isinstance(row.fact, OrderFact)}
        refold(conn, device.account, touched, {row.route_id for row in known.rows if row.route_id}, known.said)
    return outcomes


def settle_office(conn: Connection, account: Account, said: Sequence[StatusSet], now_ms: int) -> None:
    """Store the statuses that the office sets, in the same log and by the same fold."""
    rows = [facts.Row(fact, digest=digest(fact), status=fact.status.value) for fact in said]
    facts.insert_facts(conn, account.id, rows, now_ms, from_driver=False)
    refold(conn, account, {fact.order_id for fact in said})


def sent(conn: Connection, account: Account, route_ids: Iterable[str]) -> None:
    """These routes were sent, or their stops changed: what drivers reported before then applies to them from now on."""
    wanted = set(route_ids)
    for route in standing.standing_routes(conn, wanted):
        begins_ms, ends_ms = local_day_ms(route.date, account.settings.time_zone)
        wanted |= facts.adopt(conn, account.id, route.id, route.driver_id, begins_ms, ends_ms)
    refold(conn, account, (), wanted)


def refold(
    conn: Connection,
    account: Account,
    order_ids: Iterable[str],
    route_ids: Iterable[str] = (),
    said: Mapping[str, Sequence[OrderFact]] | None = None,
) -> None:
    """Fold these orders and routes, and the routes that these orders are on, and store the resulting states.

    ``said``: all facts of these orders, where the caller has read them already.
    """
    touched, routes = set(order_ids), set(route_ids)
    if said is None:
        said = facts.of_orders(conn, touched) if touched else {}
    before = standing.standing_orders(conn, touched, routes)
    if further := {order.active_route_id for order in before.values() if order.active_route_id} - routes:
        routes |= further
        before = standing.standing_orders(conn, touched, routes)
    now = {order_id: _refolded(order, said, touched) for order_id, order in before.items()}
    shown = {order_id: order.own or order.planned for order_id, order in now.items()}
    progress = {}
    routes_said = facts.of_routes(conn, routes) if routes else {}
    driven = facts.driven(conn, routes) if routes else frozenset()
    for route in standing.standing_routes(conn, routes) if routes else ():
        stops = [order_id for order_id in route.order_ids if order_id in now]
        own = [(order_id, now[order_id].own) for order_id in stops]
        state = fold_route(routes_said.get(route.id, ()), own, route.id in driven)
        if state != route.progress:
            progress[route.id] = state
        shown |= {id: shown_status(status, id, state, now[id].planned) for id, status in own}
        if account.settings.strict_stop_order:
            now |= _mark(conn, stops, now)
    changed = {
        order_id: (order, shown[order_id])
        for order_id, order in now.items()
        if order_id in touched or order != before[order_id] or shown[order_id] != order.status
    }
    standing.remember_orders(conn, changed)
    standing.remember_routes(conn, progress)


def _refolded(
    order: standing.OrderStanding, said: Mapping[str, Sequence[OrderFact]], touched: set[str]
) -> standing.OrderStanding:
    if order.id not in touched:
        return order
    return msgspec.structs.replace(order, state=fold_order(said.get(order.id, ())))


def digest(content: msgspec.Struct) -> str:
    """A hash that is the same for the same content, whichever way it was encoded on the wire."""
    return hashlib.sha256(_encode(content)).hexdigest()


def _mark(
    conn: Connection, stops: Sequence[str], now: dict[str, standing.OrderStanding]
) -> dict[str, standing.OrderStanding]:
    """The stops of one route, each with whether it was served out of order; the facts in the log are marked too."""
    said = facts.of_orders(conn, stops)
    marked = out_of_order(stops, (fact for order_id in stops for fact in said.get(order_id, ())))
    facts.mark_out_of_order(conn, stops, marked)
    result = {}
    for order_id in stops:
        order = now[order_id]
        odd = any(fact.id in marked for fact in said.get(order_id, ()))
        result[order_id] = msgspec.structs.replace(order, state=msgspec.structs.replace(order.state, out_of_order=odd))
    return result


class _Known:
    """The actions of one request: everything that they name, read in one go, and the facts that are made of them."""

    def __init__(self, conn: Connection, device: Device, actions: Sequence[Action]) -> None:
        self._conn, self._device = conn, device
        account_id, driver_id = device.account.id, device.driver_id
        self._seen = facts.seen(conn, account_id, driver_id, {action.id for action in actions})
        about = [action for action in actions if action.action in ABOUT_ORDERS]
        ids = {action.order_id for action in about if action.order_id}
        numbers = {action.order_no for action in about if action.order_no and not action.order_id}
        self._orders = standing.own_orders(conn, account_id, driver_id, ids, numbers) if about else []
        self.said = facts.of_orders(conn, {order.id for order in self._orders}) if self._orders else {}
        named = {name for action in about for name in attachments_of(action.form)[:MOST_FILES]}
        self._strangers = attachments.not_of(conn, account_id, driver_id, named) if named else frozenset()
        self._routes: dict[str, str | None] = {}
        self.rows: list[facts.Row] = []

    def settle(self, action: Action, now_ms: int) -> Outcome:
        route_of_day = self._route_of_day(action)  # not in the try: an error of the database is no fault of the action
        try:
            return self._settle(action, route_of_day, now_ms)
        except Refusal as refusal:
            return Outcome(action.id, success=False, code=refusal.code, message=refusal.text)
        except Exception:
            log.exception("an action could not be settled")
            return Outcome(
                action.id, success=False, code="ERR_INTERNAL", message="The server could not store this action."
            )

    def _settle(self, action: Action, route_of_day: str | None, now_ms: int) -> Outcome:
        content = digest(action)
        if earlier := self._seen.get(action.id):
            if earlier.digest != content:
                raise Refusal("ERR_ACTION_ID_REUSED", "Another action with this id was received before.", "id")
            return Outcome(action.id, success=True, duplicate=True, status=earlier.status)
        order = self._order(action)
        route_id = order.route_id if order else route_of_day
        so_far = SoFar(self._device.driver_id, order.id if order else None, route_id)
        fact = decide(so_far, action, now_ms)
        self._own_attachments(action)
        status = self._status_after(fact)
        self.rows.append(facts.Row(fact, content, route_id, status))
        self._seen[action.id] = facts.Seen(content, status)
        return Outcome(action.id, success=True, status=status)

    def _order(self, action: Action) -> standing.OwnOrder | None:
        """The driver's own order that the action names; of several with one number the one of the nearest day."""
        if action.action not in ABOUT_ORDERS:
            return None
        if action.order_id:
            fitting = [order for order in self._orders if order.id == action.order_id]
        else:
            fitting = [order for order in self._orders if order.order_no == action.order_no]
        date = local_date(round(action.timestamp * 1000), self._device.account.settings.time_zone)
        return min(fitting, key=lambda order: (standing.days_between(order.date, date), order.id), default=None)

    def _route_of_day(self, action: Action) -> str | None:
        if action.action not in ABOUT_ROUTES:
            return None
        date = local_date(round(action.timestamp * 1000), self._device.account.settings.time_zone)
        if date not in self._routes:
            found = standing.nearest_route(self._conn, self._device.account.id, self._device.driver_id, date)
            self._routes[date] = found and found[1]
        return self._routes[date]

    def _own_attachments(self, action: Action) -> None:
        for name in attachments_of(action.form):
            if name in self._strangers:
                raise Refusal("ERR_ACTION_INVALID", f"The attachment {name} is not this driver's.", "form")

    def _status_after(self, fact: Fact) -> str | None:
        if not isinstance(fact, OrderFact):
            return None
        said = self.said.setdefault(fact.order_id, [])
        said.append(fact)
        status = fold_order(said).status
        return (status or Status.SCHEDULED).value
