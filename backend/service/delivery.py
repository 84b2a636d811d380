"""One order as its recipient may see it: no other order or address, and the driver only on the way to this stop."""

import re

import msgspec

from backend.domain.orders import FINISHED, Location, Status
from backend.domain.positions import Position
from backend.domain.progress import OrderState
from backend.service import days, files, history
from backend.service.days import DayRoute, DayStop
from backend.service.desk import Desk
from backend.store import attachments, orders, present, standing
from backend.store.database import Connection
from backend.store.orders import Record
from backend.store.present import Tracked

PROMISE_S = 1800  # the promised window reaches so far before and after the planned moment
_CODE = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)  # what a database is not even asked for is none
_ON_THE_WAY = (Status.ON_ROUTE, Status.SERVICING)


class Link(msgspec.Struct, frozen=True):
    type: str
    url: str


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """``window_s`` and ``eta_s`` Unix seconds, ``*_ms`` Unix milliseconds. ``since_ms`` is when the driver was free for
    this stop: where the driver was before is not for the recipient."""

    account_id: str
    company: str
    status: str
    order_no: str
    place: Location
    zone: str
    driver_id: str | None = None
    first_name: str | None = None
    since_ms: int = 0
    elsewhere: bool = False
    window_s: tuple[int, int] | None = None
    eta_s: int | None = None
    stops_before: int | None = None
    started_ms: int | None = None
    finished_ms: int | None = None
    note: str | None = None
    signature: Link | None = None
    images: tuple[Link, ...] = ()

    @property
    def shows_driver(self) -> bool:
        """The driver is on the way to this stop, or at it."""
        return self.driver_id is not None and self.status in _ON_THE_WAY and not self.elsewhere

    def visible(self, position: Position | None) -> Position | None:
        """The driver's position as far as the recipient may see it."""
        if position is None or not self.shows_driver or position.at_ms < self.since_ms:
            return None
        return position


async def find(desk: Desk, tracking: str) -> Delivery | None:
    """The order with this tracking code; None where nobody knows it, or its company shows no orders to recipients."""
    if not _CODE.fullmatch(tracking):
        return None
    tracked = await desk.database.read(lambda conn: present.by_tracking(conn, tracking))
    if tracked is None or not tracked.account.settings.order_tracking:
        return None
    if tracked.driver_id and tracked.date:
        for route in await days.day_routes(desk, tracked.account, tracked.date, tracked.driver_id, active=True):
            for stop in route.stops:
                if stop.order is not None and stop.order.id == tracked.order_id and stop.location is not None:
                    return await _with_proof(desk, _on_route(tracked, route, stop), stop.state)
    return await _unrouted(desk, tracked)


def position(desk: Desk, found: Delivery) -> Position | None:
    """Where the driver is, where the recipient may see it."""
    if found.driver_id is None or not found.shows_driver:
        return None
    return found.visible(desk.hub.board.position(found.account_id, found.driver_id))


def _on_route(tracked: Tracked, route: DayRoute, stop: DayStop) -> Delivery:
    assert stop.order is not None and stop.location is not None
    finished = stop.status in FINISHED
    driven = route.progress.ended_ms is None and not finished
    before = [each for each in route.stops if each.order is not None and each.stop.number < stop.stop.number]
    freed = [each.finished_ms for each in route.stops if each is not stop and each.finished_ms is not None]
    went_ms, off_ms = route.progress.started_ms, route.off_duty_ms
    off_duty = off_ms is not None and went_ms is not None and off_ms >= went_ms
    serving = next((each for each in route.stops if each.status == Status.SERVICING), stop)
    elsewhere = off_duty or (serving is not stop and stop.status != Status.SERVICING)
    under_way = route.progress.started_ms is not None or bool(freed)
    return Delivery(
        account_id=tracked.account.id,
        company=tracked.account.name,
        status=stop.status,
        order_no=stop.order.order_no or "",
        place=stop.location,
        zone=history.zone_of(stop.location, tracked.account),
        driver_id=route.driver.id,
        first_name=next(iter(route.driver.name.split()), None),
        since_ms=max([*freed, route.progress.started_ms or 0], default=0),
        elsewhere=elsewhere,
        window_s=None if finished else _promise(stop),
        eta_s=stop.eta_s if driven and stop.status != Status.SERVICING else None,
        stops_before=sum(each.status not in FINISHED for each in before) if driven and under_way else None,
        started_ms=stop.started_ms,
        finished_ms=stop.finished_ms,
    )


def _promise(stop: DayStop) -> tuple[int, int]:
    """Half an hour either side of the planned moment, within the window that the recipient agreed to."""
    planned = stop.stop.start_s
    opens, closes = planned - PROMISE_S, planned + PROMISE_S
    for agreed_from, agreed_to in stop.windows:
        if agreed_from <= planned <= agreed_to:
            opens, closes = max(opens, agreed_from), min(closes, agreed_to)
    return opens, closes


async def _unrouted(desk: Desk, tracked: Tracked) -> Delivery | None:
    """It was taken off its route after the code was given."""

    def read(conn: Connection) -> tuple[Record | None, Location | None]:
        record = orders.by_ids(conn, tracked.account.id, [tracked.order_id]).get(tracked.order_id)
        if record is None:
            return None, None
        return record, orders.locations_by_ids(conn, [record.order.location_id]).get(record.order.location_id)

    record, place = await desk.database.read(read)
    if record is None or place is None:
        return None
    state = standing.state_of(record.completion)
    found = Delivery(
        account_id=tracked.account.id,
        company=tracked.account.name,
        status=record.status,
        order_no=record.order.order_no or "",
        place=place,
        zone=history.zone_of(place, tracked.account),
        started_ms=state.started_ms,
        finished_ms=state.finished_ms,
    )
    return await _with_proof(desk, found, state)


async def _with_proof(desk: Desk, found: Delivery, state: OrderState) -> Delivery:
    """What the driver took as proof, once it is delivered; the links lead to files without location data."""
    form = state.form
    if found.status != Status.SUCCESS or form is None:
        return found
    named = [*([form.signature] if form.signature else []), *form.images]
    arrived = await desk.database.read(
        lambda conn: attachments.by_ids(conn, found.account_id, named, driver_id=state.form_of)
    )
    links = {
        id_: Link(each.type, files.file_url(desk, found.account_id, each.sha256, each.type, plain=True))
        for id_, each in arrived.items()
    }
    return msgspec.structs.replace(
        found,
        note=form.note or None,
        signature=links.get(form.signature or ""),
        images=tuple(links[each] for each in form.images if each in links),
    )
