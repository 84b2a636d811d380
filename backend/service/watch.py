"""Subscriptions to the live map and to one order for its recipient; and what the hub reads from the store."""

from collections.abc import Callable, Collection
from datetime import date, timedelta

from backend.domain.accounts import Office
from backend.domain.errors import Refusal
from backend.domain.positions import Position
from backend.domain.progress import fold_duty
from backend.domain.times import local_date
from backend.live import frames
from backend.live.audience import Entry, Page
from backend.live.board import Card, Roll
from backend.live.frames import Frame
from backend.live.hub import REVOKED
from backend.live.parcels import Parcel
from backend.live.phones import Message
from backend.live.watchers import MAX_HZ, Outlet, Watcher, Wish
from backend.service import delivery, history, identity, messages
from backend.service.delivery import Delivery
from backend.service.desk import Desk
from backend.service.history import Event
from backend.store import facts, fleet, people, present, standing, tracks
from backend.store.database import Connection

__all__ = ["MAX_HZ", "Frame", "Outlet", "Sources", "Watcher", "Wish", "follow", "frames", "join", "leave", "subscribe"]

MAX_SUBSCRIPTIONS = 20
MAX_SOCKETS_OF_KEY = 10_000
MAX_SOCKETS_OF_ORDER = 200
_MOST_DAYS = 60


class Sources:
    """What the hub reads. The dialects of the live map and of the recipient's page say how it is written."""

    def __init__(
        self,
        desk: Desk,
        encode_event: Callable[[Event], bytes],
        encode_delivery: Callable[[Delivery, Position | None, float], bytes],
    ) -> None:
        self._desk = desk
        self._encode_event = encode_event
        self._encode_delivery = encode_delivery
        self._asked: set[str] = set()  # drivers whose stored position was looked for
        self.clock_speed = desk.clock.speed

    def now_s(self) -> float:
        return self._desk.clock.now_s()

    async def roll(self, account_id: str, doubtful: bool) -> tuple[Roll, dict[str, Position]]:
        known = self._desk.hub.board.fleet(account_id).positions
        now_ms = self._desk.clock.now_ms()

        def read(conn: Connection) -> tuple[Roll, dict[str, Position]]:
            roll = _roll(conn, account_id, now_ms)
            wanted = [each for each in roll.cards if doubtful or (each not in known and each not in self._asked)]
            return roll, tracks.latest(conn, wanted) if wanted else {}

        roll, stored = await self._desk.database.read(read)
        self._asked |= roll.cards.keys()  # from here on the hub is told
        return roll, stored

    async def revoked(self, credentials: Collection[str]) -> set[str]:
        held = set(credentials)
        return held - await self._desk.database.read(lambda conn: people.good_among(conn, held))

    async def route_versions(self, account_id: str) -> dict[str, dict[str, int]]:
        now_ms = self._desk.clock.now_ms()

        def read(conn: Connection) -> dict[str, dict[str, int]]:
            company = people.account(conn, account_id)
            today = local_date(now_ms, company.settings.time_zone if company else "UTC")
            return standing.route_versions(conn, account_id, _day_before(today))

        return await self._desk.database.read(read)

    async def messages(self, account_id: str, since_s: float) -> list[tuple[str, Message]]:
        since_ms = int(since_s * 1000)
        return await messages.to_drivers_since(self._desk, account_id, since_ms)

    async def events(self, account_id: str, after: int, limit: int) -> Page:
        found = await history.since(self._desk, account_id, after, limit)
        entries = [
            Entry(each.sequence, each.driver.id if each.driver else None, self._encode_event(each))
            for each in found.items
        ]
        return Page(entries, found.upto, found.remaining > 0)

    async def parcel(self, tracking: str) -> Parcel | None:
        found = await delivery.find(self._desk, tracking)
        if found is None:
            return None
        if found.driver_id is not None and found.shows_driver:
            await self._look_for(found.account_id, found.driver_id)
        return Parcel(
            account_id=found.account_id,
            driver_id=found.driver_id,
            shown=found.shows_driver,
            view=found,
            render=lambda position, now_s: self._encode_delivery(found, found.visible(position), now_s),
        )

    async def _look_for(self, account_id: str, driver_id: str) -> None:
        """Put the stored position on the board where there is none, or maybe an old one."""
        board = self._desk.hub.board
        if board.position(account_id, driver_id) is None or board.fleet(account_id).doubtful:
            stored = await self._desk.database.read(lambda conn: tracks.latest(conn, [driver_id]))
            if driver_id in stored:
                board.offer(account_id, driver_id, stored[driver_id])


async def join(desk: Desk, caller: Office, secret: str, outlet: Outlet) -> Watcher:
    """Somebody with this key opened a live map. Ends with :func:`leave`.

    Refuses with ``ERR_TOO_MANY_SOCKETS`` where the key holds as many as it may already.
    """
    key = identity.digest(secret)
    if desk.hub.held_with(key) >= MAX_SOCKETS_OF_KEY:
        raise Refusal("ERR_TOO_MANY_SOCKETS", "This key has too many live maps open.")
    watcher = desk.hub.watch(outlet, caller.account.id, key)
    try:
        if await identity.office(desk, secret) is None:  # taken back while the socket was opened
            watcher.close(REVOKED, "This key was taken back.")
    except BaseException:
        desk.hub.unwatch(watcher)
        raise
    return watcher


async def follow(desk: Desk, tracking: str, outlet: Outlet) -> Watcher:
    """Somebody opened a recipient's page: its state is written at once and when it changes. Ends with :func:`leave`.

    Refuses a code that nobody knows with ``ERR_NOT_FOUND``, one that too many look at with ``ERR_TOO_MANY_SOCKETS``.
    """
    if desk.hub.looking_at(tracking) >= MAX_SOCKETS_OF_ORDER:
        raise Refusal("ERR_TOO_MANY_SOCKETS", "Too many look at this order at once.")
    watcher = await desk.hub.recipient(outlet, tracking)
    if watcher is None:
        raise Refusal("ERR_NOT_FOUND", "Nobody knows this tracking code.")
    return watcher


def leave(desk: Desk, watcher: Watcher) -> None:
    desk.hub.unwatch(watcher)


async def subscribe(desk: Desk, watcher: Watcher, wish: Wish, events: bool, after: int | None) -> None:
    """Write a snapshot of the fleet, then what changes. The same id again replaces the earlier subscription.

    Refuses one more than a socket may have with ``ERR_TOO_MANY_SUBSCRIPTIONS``.
    """
    if wish.id not in watcher.subscriptions and len(watcher.subscriptions) >= MAX_SUBSCRIPTIONS:
        raise Refusal(
            "ERR_TOO_MANY_SUBSCRIPTIONS", f"One socket may have {MAX_SUBSCRIPTIONS} subscriptions; end one first.", "id"
        )
    await desk.hub.subscribe(watcher, wish, events, after)


def unsubscribe(desk: Desk, watcher: Watcher, id_: str) -> None:
    """Refuses an id that has no subscription with ``ERR_NOT_FOUND``."""
    if not desk.hub.unsubscribe(watcher, id_):
        raise Refusal("ERR_NOT_FOUND", "There is no subscription with this id on this socket.", "id")


def _roll(conn: Connection, account_id: str, now_ms: int) -> Roll:
    """Who there is and what they do."""
    sequence = facts.last_sequence(conn, account_id)
    drivers = fleet.all_drivers(conn, account_id)
    account = people.account(conn, account_id)
    zone = account.settings.time_zone if account else "UTC"
    duty = facts.duty_of(conn, [each.id for each in drivers])
    began = {driver_id: said[0].at_ms for driver_id, said in duty.items() if fold_duty(said)}
    routes = _current_routes(conn, account_id, zone, now_ms, began)
    current = present.orders_under_way(conn, [route.id for route in routes.values()])
    cards = {}
    for each in drivers:
        route = routes.get(each.id)
        order_id, status = current.get(route.id, (None, None)) if route else (None, None)
        cards[each.id] = Card(
            driver_id=each.id,
            name=each.name,
            external_id=each.external_id,
            serial=each.serial,
            on_duty=each.id in began,
            route_id=route.id if route else None,
            order_id=order_id,
            status=status,
        )
    return Roll(sequence, cards)


def _current_routes(
    conn: Connection, account_id: str, zone: str, now_ms: int, began: dict[str, int]
) -> dict[str, present.SentRoute]:
    """By driver the route that is driven now: the last that was begun and not ended, else the one of today.

    A day's work may have begun yesterday, or, where what phones report is replayed, on any day: ``began`` is since when
    each driver is on duty.
    """
    today = local_date(now_ms, zone)
    days = sorted({local_date(at_ms, zone) for at_ms in began.values()}, reverse=True)[:_MOST_DAYS]
    found: dict[str, present.SentRoute] = {}
    for route in present.sent_routes(conn, account_id, {today, _day_before(today), *days}):
        progress = route.progress
        begun = progress.on_route is not None or (progress.started_ms is not None and progress.ended_ms is None)
        if begun or (route.date == today and route.driver_id not in found):
            found[route.driver_id] = route
    return found


def _day_before(day: str) -> str:
    return (date.fromisoformat(day) - timedelta(days=1)).isoformat()
