"""Orders: save, find, remove.

Saving takes many orders in one transaction and settles each by itself: an order that is refused leaves no trace, its
neighbours are saved. Everything that the call names is read in a handful of queries, all rules run in memory, and all
changes are written in a handful of statements.
"""

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import UNSET

from backend.domain.accounts import Office, Settings
from backend.domain.drafts import (
    DriverName,
    Operation,
    OrderDraft,
    OrderName,
    amend,
    blank,
    custom_values,
    demand,
    pair,
)
from backend.domain.drivers import CodeKind
from backend.domain.errors import Refusal
from backend.domain.geocoding import Lookup
from backend.domain.orders import BEGUN, Location, Order
from backend.service import settle
from backend.service.desk import Desk
from backend.service.locating import Places, fresh_location, touch
from backend.store import codes, fleet, jobs, routes
from backend.store import orders as store
from backend.store.database import Connection
from backend.store.orders import Record


class Saved(msgspec.Struct, frozen=True):
    """The order as it is now, and its place."""

    order: Order
    location: Location
    created: bool
    lookup: Lookup | None = None  # of its address, where that was looked up


class Found(msgspec.Struct, frozen=True):
    """An order with what belongs to it."""

    record: Record
    location: Location
    driver: DriverName | None = None  # to whom it is assigned by the shipper
    related: Order | None = None  # the other one of a pickup and a delivery


async def save(desk: Desk, office: Office, drafts: Sequence[OrderDraft | Refusal]) -> list[Saved | Refusal]:
    """Creates and changes orders; one answer per draft, in order. A draft that is a refusal already stays one."""

    def settle(conn: Connection) -> tuple[list[Saved | Refusal], "_Ledger"]:
        ledger = _Ledger(conn, desk, office, [draft for draft in drafts if isinstance(draft, OrderDraft)])
        answers = [draft if isinstance(draft, Refusal) else _try(ledger, draft) for draft in drafts]
        ledger.write()
        return answers, ledger

    answers, ledger = await desk.journal.transact(settle)
    for date, driver_id in ledger.changed_routes:
        desk.hub.tell_routes(office.account.id, date, [driver_id])
    return answers


def rehearse(conn: Connection, desk: Desk, office: Office, draft: OrderDraft) -> None:
    """Refuses as :func:`save` would, and saves nothing."""
    _Ledger(conn, desk, office, [draft]).settle(draft)


async def find(desk: Desk, office: Office, names: Sequence[OrderName]) -> list[Found | Refusal]:
    """One answer per name, in order; ``ERR_ORD_NOT_FOUND``, ``ERR_MULTIPLE_ORD_FOUND``."""

    def look(conn: Connection) -> list[Found | Refusal]:
        chosen = resolve(conn, office, names)
        complete = iter(_complete(conn, office, [each for each in chosen if isinstance(each, Record)]))
        return [each if isinstance(each, Refusal) else next(complete) for each in chosen]

    return await desk.database.read(look)


async def search(
    desk: Desk,
    office: Office,
    names: Sequence[OrderName] | None,
    dates: tuple[str, str] | None,
    statuses: Sequence[str],
    after: tuple[str, str] | None,
    limit: int,
) -> list[Record]:
    """Up to ``limit`` orders by date and id, from behind ``after``: those that ``names`` fit, of ``dates``, or both."""

    def look(conn: Connection) -> list[Record]:
        if names is None:
            first, last = dates or ("", "~")
            return store.page(conn, office.account.id, first, last, after, limit, statuses, office.customer)
        found = {r.order.id: r for many in resolve_all(conn, office, names) for r in many}.values()
        fitting = [
            record
            for record in found
            if (dates is None or dates[0] <= record.order.date <= dates[1])
            and (not statuses or record.status in statuses)
            and (after is None or (record.order.date, record.order.id) > after)
        ]
        return sorted(fitting, key=lambda record: (record.order.date, record.order.id))[:limit]

    return await desk.database.read(look)


async def complete(desk: Desk, office: Office, records: Sequence[Record]) -> list[Found]:
    """The same records with what belongs to them."""
    return await desk.database.read(lambda conn: _complete(conn, office, records))


def resolve(conn: Connection, office: Office, names: Sequence[OrderName]) -> list[Record | Refusal]:
    """The one order that each name means; ``ERR_ORD_NOT_FOUND``, ``ERR_MULTIPLE_ORD_FOUND``."""
    return [one(found) for found in resolve_all(conn, office, names)]


def resolve_all(conn: Connection, office: Office, names: Sequence[OrderName]) -> list[list[Record]]:
    """The orders that each name fits, oldest first; the caller's own where it is a customer or a subcontractor."""
    account_id = office.account.id
    by_id = store.by_ids(conn, account_id, {name.id for name in names if name.id is not None}, office.customer)
    numbers = {name.order_no for name in names if name.id is None and name.order_no is not None}
    by_number = store.by_numbers(conn, account_id, numbers, office.customer)
    known = {key: [record] for key, record in by_id.items()}
    found = [known.get(name.id, []) if name.id else by_number.get(name.order_no or "", []) for name in names]
    if office.subcontractor is None:
        return found
    on = {route_id for many in found for r in many for route_id in (r.planned_route_id, r.active_route_id) if route_id}
    own = routes.of_subcontractor(conn, account_id, on, office.subcontractor)
    return [[r for r in many if own & {r.planned_route_id, r.active_route_id}] for many in found]


def one(found: Sequence[Record]) -> Record | Refusal:
    """The only one."""
    if not found:
        return Refusal("ERR_ORD_NOT_FOUND", "The order with the matching orderNo or id was not found.")
    if len(found) > 1:
        return Refusal("ERR_MULTIPLE_ORD_FOUND", "There are multiple orders matching the orderNo.")
    return found[0]


def _complete(conn: Connection, office: Office, records: Sequence[Record]) -> list[Found]:
    places = store.locations_by_ids(conn, {record.order.location_id for record in records})
    partners = {record.order.partner_id or "" for record in records} - {""}
    related = store.by_ids(conn, office.account.id, partners, office.customer) if partners else {}
    named = fleet.driver_names(conn, {r.order.assigned_driver_id for r in records if r.order.assigned_driver_id})
    return [
        Found(
            record,
            places[record.order.location_id],
            named.get(record.order.assigned_driver_id or ""),
            related[record.order.partner_id].order if record.order.partner_id in related else None,
        )
        for record in records
    ]


def _try(ledger: "_Ledger", draft: OrderDraft) -> Saved | Refusal:
    try:
        return ledger.settle(draft)
    except Refusal as refusal:
        return refusal


class _Ledger:
    """What is known of the orders and places that one call names, and what the call has changed of it so far."""

    def __init__(self, conn: Connection, desk: Desk, office: Office, drafts: Sequence[OrderDraft]) -> None:
        self._conn, self._desk, self._office = conn, desk, office
        account_id, customer = office.account.id, office.customer
        by_id = store.by_ids(conn, account_id, _ids(drafts), customer)
        self._by_number = store.by_numbers(conn, account_id, _numbers(drafts), customer)
        self._orders = by_id | {record.order.id: record for many in self._by_number.values() for record in many}
        partners = {each for r in self._orders.values() for each in (r.order.related_id, r.order.linked_by) if each}
        self._orders |= store.by_ids(conn, account_id, partners - self._orders.keys(), customer)
        also = {record.order.location_id for record in self._orders.values()}
        self._places = Places(conn, account_id, customer, drafts, also, lambda: fresh_location(desk, office))
        self._drivers = fleet.drivers_named(
            conn, account_id, {draft.assigned_to for draft in drafts if draft.assigned_to}
        )
        self._skills = codes.counts(conn, account_id, CodeKind.SKILL, _codes(draft.skills for draft in drafts))
        features = _codes(draft.vehicle_features for draft in drafts)
        self._features = codes.counts(conn, account_id, CodeKind.VEHICLE_FEATURE, features)
        self._busy = jobs.busy_orders(conn, account_id) if self._orders else {}
        self._new: dict[str, None] = {}
        self._changed: dict[str, None] = {}
        self._left: dict[str, str] = {}  # order → the date it was on when it left its routes
        self._left_routes: set[str] = set()
        self._told_routes: set[str] = set()  # whose drivers have something of an order that is now different
        self.changed_routes: list[tuple[str, str]] = []  # date and driver

    def settle(self, draft: OrderDraft) -> Saved:
        """One draft, all or nothing: everything is worked out before anything is remembered."""
        old = self._existing(draft)
        if old is not None and old.order.id in self._busy:
            raise Refusal("ERR_OPT_RUNNING", "Optimization is running for this order.")
        self._check_names(draft)
        if draft.custom_fields is not UNSET:
            values = custom_values(self._settings.custom_fields, draft.custom_fields)
            draft = msgspec.structs.replace(draft, custom_fields=values)
        date = demand(draft) if old is None else old.order.date
        place = self._places.find(draft, self._places.at(old.order.location_id) if old else None)
        if old is None:
            start = blank(self._settings, self._desk.new_id(), draft.order_no, date, place.id)
        elif draft.operation is Operation.SYNC:
            start = blank(self._settings, old.order.id, old.order.order_no, date, place.id)
            start = msgspec.structs.replace(start, customer=old.order.customer, linked_by=old.order.linked_by)
        else:
            start = msgspec.structs.replace(old.order, location_id=place.id)
        order = amend(start, draft)
        order = msgspec.structs.replace(
            order,
            assigned_driver_id=self._assigned(draft, order),
            related_id=self._related(draft, order),
            customer=self._office.customer or order.customer,
        )
        for partner_id in {order.related_id, order.linked_by} - {None}:
            pair(order, self._known(partner_id))
        self._remember(old, order, place)
        return Saved(order, place, old is None, given.lookup if (given := draft.location) else None)

    def write(self) -> None:
        """Everything that was settled, in a handful of statements."""
        account_id = self._office.account.id
        self._places.write()
        store.insert_orders(self._conn, account_id, [self._orders[key] for key in self._new])
        store.update_orders(self._conn, [self._orders[key].order for key in self._changed])
        if self._left_routes:
            store.place_orders(self._conn, [self._orders[key] for key in self._left])
            left = routes.take_out(
                self._conn, account_id, lambda order_id, date: self._left.get(order_id) != date, self._left_routes
            )
            self.changed_routes = [(route.date, route.driver_id) for route in left]
            settle.refold(self._conn, self._office.account, self._left, self._left_routes)
        account, now_ms = self._office.account, self._desk.clock.now_ms()
        self.changed_routes += touch(self._conn, account, now_ms, self._places.changed, self._told_routes)

    @property
    def _settings(self) -> Settings:
        return self._office.account.settings

    def _existing(self, draft: OrderDraft) -> Record | None:
        if draft.operation is Operation.CREATE:
            if draft.id is not None:
                raise Refusal("ERR_INVALID_PARAM_FORMAT", "CREATE does not take an id.", "id")
            if draft.order_no is not None and self._by_number.get(draft.order_no) and not draft.accept_duplicate:
                raise Refusal("ERR_ORD_EXISTS", "An order with the specified orderNo already exists.")
            return None
        if draft.id is not None:
            found = one([self._orders[draft.id]] if draft.id in self._orders else [])
        elif draft.order_no is not None:
            matching = self._by_number.get(draft.order_no, [])
            if not matching and draft.operation is not Operation.UPDATE:
                return None
            found = one(matching)
        elif draft.operation is Operation.UPDATE:
            raise Refusal("ERR_INVALID_PARAM_FORMAT", "UPDATE needs an id or an orderNo.")
        else:
            return None
        if isinstance(found, Refusal):
            raise found
        old = self._orders[found.order.id]
        renamed = draft.order_no is not None and draft.order_no != old.order.order_no
        if (
            renamed
            and draft.find_by_address
            and not draft.accept_duplicate
            and self._by_number.get(draft.order_no or "")
        ):
            raise Refusal("ERR_ORD_EXISTS", "An order with the specified orderNo already exists.")
        return old

    def _check_names(self, draft: OrderDraft) -> None:
        _check_codes(draft.skills, self._skills, "ERR_SK", "skill")
        _check_codes(draft.vehicle_features, self._features, "ERR_VF", "vehicle feature")
        if draft.customer and self._office.customer not in (None, draft.customer):
            raise Refusal("ERR_INVALID_PARAM_FORMAT", "This key is for the orders of another customer.", "customer")

    def _assigned(self, draft: OrderDraft, order: Order) -> str | None:
        if draft.assigned_to is UNSET:
            return order.assigned_driver_id
        if draft.assigned_to is None:
            return None
        found = self._drivers[draft.assigned_to]
        if not found:
            raise Refusal("ERR_DRV_NOT_EXISTS", "The driver specified in assignedTo does not exist.")
        if len(found) > 1:
            raise Refusal("ERR_DRV_MULTIPLE", "There is more than one driver with the specified assignedTo values.")
        return found[0]

    def _related(self, draft: OrderDraft, order: Order) -> str | None:
        if draft.related_id is UNSET and draft.related_no is UNSET:
            return order.related_id
        if draft.related_id and draft.related_id is not UNSET:
            found = [self._orders[draft.related_id]] if draft.related_id in self._orders else []
        elif draft.related_no and draft.related_no is not UNSET:
            found = self._by_number.get(draft.related_no, [])
        else:
            return None
        if not found:
            raise Refusal("ERR_RELATED_ORD_MISSING", "The order passed in relatedOrderNo does not exist.")
        if len(found) > 1:
            raise Refusal(
                "ERR_RELATED_ORD_MULTIPLE", "Multiple orders with the orderNo passed in relatedOrderNo exist."
            )
        other = self._orders[found[0].order.id].order
        # Where the other was related to this one, and both are sent back as they were read, that is the same link.
        return order.related_id if order.linked_by == other.id else other.id

    def _known(self, order_id: str | None) -> Order | None:
        return self._orders[order_id].order if order_id in self._orders else None

    def _link(self, old: Order | None, order: Order) -> None:
        """Lets the order that this one was related to until now forget it, and the one that it is related to know."""
        before = old and self._known(old.related_id)
        after = self._known(order.related_id)
        if before and before.linked_by == order.id and before != after:
            self._change(msgspec.structs.replace(before, linked_by=None))
        if after and after.linked_by != order.id:
            self._change(msgspec.structs.replace(after, linked_by=order.id))

    def _change(self, order: Order) -> None:
        self._orders[order.id] = msgspec.structs.replace(self._orders[order.id], order=order)
        if order.id not in self._new:
            self._changed[order.id] = None

    def _remember(self, old: Record | None, order: Order, place: Location) -> None:
        self._places.remember(place)
        self._link(old.order if old else None, order)
        record = Record(order) if old is None else self._moved(old, order)
        if old is None:
            self._new[order.id] = None
        elif order != old.order and order.id not in self._new:
            self._changed[order.id] = None
            self._told_routes |= {record.active_route_id or ""} - {""}
        self._orders[order.id] = record
        if order.order_no is not None and (old is None or old.order.order_no != order.order_no):
            self._by_number.setdefault(order.order_no, []).append(record)
        if old is not None and old.order.order_no not in (None, order.order_no):
            former = self._by_number.get(old.order.order_no or "", [])
            self._by_number[old.order.order_no or ""] = [each for each in former if each.order.id != order.id]

    def _moved(self, old: Record, order: Order) -> Record:
        """An order that goes to another date leaves the routes that it is on."""
        if order.date == old.order.date or old.status in BEGUN:
            return msgspec.structs.replace(old, order=order)
        self._left[order.id] = old.order.date
        self._left_routes |= {old.planned_route_id or "", old.active_route_id or ""} - {""}
        return msgspec.structs.replace(old, order=order, planned_route_id=None, active_route_id=None)


def _ids(drafts: Iterable[OrderDraft]) -> set[str]:
    """Every order id that is named anywhere."""
    return {text for draft in drafts for text in (draft.id, draft.related_id) if text and text is not UNSET}


def _numbers(drafts: Iterable[OrderDraft]) -> set[str]:
    """Every order number that is named anywhere."""
    return {text for draft in drafts for text in (draft.order_no, draft.related_no) if text and text is not UNSET}


def _codes(given: Iterable[tuple[str, ...] | msgspec.UnsetType]) -> set[str]:
    return {code for many in given if many is not UNSET for code in many}


def _check_codes(given: tuple[str, ...] | msgspec.UnsetType, known: dict[str, int], error: str, noun: str) -> None:
    for code in () if given is UNSET else given:
        match known.get(code, 0):
            case 0:
                raise Refusal(f"{error}_NOT_EXISTS", f"The {noun} {code!r} does not exist.")
            case 1:
                continue
        raise Refusal(f"{error}_MULTIPLE", f"There are multiple {noun}s {code!r}.")
