"""Who is told what: the verbs tell the hub, and the hub tells whoever watches.

Register first, then snapshot: what happens in between is in the snapshot or comes after it, and is never lost.
Positions are states: a socket that cannot take a frame gets the newest of what it missed once it can. Events are
read from the log of facts with a cursor for each reader, so that nobody gets fewer of them.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Coroutine, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from backend.domain.positions import Position
from backend.live import frames
from backend.live.audience import Audience
from backend.live.board import Board, Roll
from backend.live.frames import Frame
from backend.live.parcels import Parcels
from backend.live.phones import Line
from backend.live.sources import Sources
from backend.live.watchers import Feed, Outlet, Subscription, Watcher, Wish

log = logging.getLogger("codriver.live")

TOO_SLOW, REVOKED = 4408, 4409
TICK_S = 0.05  # how long a change may wait for others to share its frame
STUCK_S = 10.0  # a socket that takes nothing for so long is closed
ALIVE_S = 15.0
SWEEP_S = 1.0
ROLL_S = 5.0  # how old the roll may be when a new subscriber comes, where nobody told of a change
AT_ONCE = 200  # frames written before others may run, about 2 ms
EVENTS_AT_ONCE = 500


class Hub:
    """The present of all accounts, and all who watch it. Lives on one event loop; call it from there."""

    def __init__(self) -> None:
        self.board = Board()
        self._audiences: dict[str, Audience] = {}
        self._credentials: dict[str, set[Watcher | Line]] = defaultdict(set)
        self._lines: dict[str, set[Line]] = defaultdict(set)  # by driver
        self._parcels = Parcels(self.board)
        self._moved: set[Audience] = set()  # audiences with changed drivers
        self._due: set[Feed] = set()  # feeds with something to send
        self._woken = asyncio.Event()
        self._watchers: set[Watcher] = set()
        self.dropped = 0  # closed for being too slow
        self._sources: Sources | None = None
        self._rolls: dict[str, asyncio.Task[Roll]] = {}  # being read, by account
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, sources: Sources) -> None:
        """Begin to read and to write."""
        self._sources = sources
        self._start(self._tick())
        self._start(self._sweep())
        self._start(self._parcels.run(sources))

    @property
    def watching(self) -> int:
        """How many sockets watch a map or a delivery."""
        return len(self._watchers)

    async def close(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # Told by the verbs, after the commit

    def tell_positions(self, account_id: str, driver_id: str, newest: Position) -> None:
        if not self.board.offer(account_id, driver_id, newest):
            return
        audience = self._audiences.get(account_id)
        if audience is not None and audience.watchers:
            audience.changed.add(driver_id)
            self._moved.add(audience)
            self._woken.set()
        self._parcels.driver_moved(driver_id)

    def tell_facts(self, account_id: str, driver_id: str | None = None) -> None:
        """New facts are in the log; ``driver_id`` where all of them are this driver's."""
        self.board.fleet(account_id).roll_is_old = True
        audience = self._audiences.get(account_id)
        if audience is not None and audience.readers:
            audience.told = True
            self._pump(audience)
        self._parcels.facts_came(account_id, driver_id)

    def tell_routes(self, account_id: str, date: str, driver_ids: Iterable[str]) -> None:
        self.board.fleet(account_id).roll_is_old = True
        audience = self._audiences.get(account_id)
        if audience is not None and audience.readers:
            audience.tell_plan(date)
            self._pump(audience)
        for driver_id in driver_ids:
            for line in self._lines.get(driver_id, ()):
                line.tell_route(date)
        self._parcels.facts_came(account_id, None)

    def tell_fleet(self, account_id: str) -> None:
        """Drivers came, went, or have other names."""
        self.board.fleet(account_id).roll_is_old = True
        audience = self._audiences.get(account_id)
        if audience is not None and audience.watchers and self._sources:
            audience.ghosts.clear()
            self._start(self._fresh_roll(account_id))

    def tell_message(self, account_id: str, driver_id: str, message: object) -> None:
        for line in self._lines.get(driver_id, ()):
            line.tell_message(message)

    def tell_revoked(self, token_hash: str) -> None:
        for held in tuple(self._credentials.get(token_hash, ())):
            match held:
                case Watcher():
                    held.close(REVOKED, "This key was taken back.")
                case Line():
                    held.hang_up(REVOKED, "This token was taken back.")

    # Who watches

    def watch(self, outlet: Outlet, account_id: str, credential: str) -> Watcher:
        """A new socket on the map; ``credential`` is the hash of what it signed in with. Ends with :meth:`unwatch`."""
        watcher = Watcher(outlet, account_id, credential)
        self._watchers.add(watcher)
        self._credentials[credential].add(watcher)
        return watcher

    def unwatch(self, watcher: Watcher) -> None:
        watcher.closed = True
        for subscription in tuple(watcher.subscriptions.values()):
            self._audiences[watcher.account_id].leave(subscription)
        audience = self._audiences.get(watcher.account_id)
        if audience is not None:
            audience.watchers.discard(watcher)
        self._parcels.leave(watcher)
        self._watchers.discard(watcher)
        self._let_go(watcher)

    async def subscribe(self, watcher: Watcher, wish: Wish, events: bool, after: int | None = None) -> None:
        """Write a snapshot, then what changes; the same id again replaces the earlier wish.

        With ``events`` also every event behind the snapshot, or behind the sequence ``after`` where that is earlier.
        """
        self.unsubscribe(watcher, wish.id)
        account_id = watcher.account_id
        audience = self._audiences.get(account_id)
        if audience is None:
            audience = self._audiences[account_id] = Audience(account_id, self.board.fleet(account_id))
        subscription = audience.join(watcher, wish, events)
        try:
            roll = await self._fresh_roll(account_id)
        except BaseException:
            audience.leave(subscription)
            raise
        self._spread(audience)
        await _room(watcher)
        frame, moved = subscription.feed.snapshot(self._running().now_s(), self._running().clock_speed)
        if not watcher.write(frame):
            return
        subscription.ready = True
        if moved:
            subscription.feed.miss(subscription, moved)
            self._due.add(subscription.feed)
            self._woken.set()
        if events:
            audience.read_from(subscription, roll.sequence if after is None else min(after, roll.sequence))
            self._pump(audience)

    def unsubscribe(self, watcher: Watcher, id_: str) -> bool:
        """False where the watcher has no such subscription."""
        subscription = watcher.subscriptions.get(id_)
        if subscription is not None:
            self._audiences[watcher.account_id].leave(subscription)
        return subscription is not None

    async def recipient(self, outlet: Outlet, tracking: str) -> Watcher | None:
        """A new socket for one order; its state is written at once. None where nobody knows the code."""
        watcher = Watcher(outlet, "", "")
        self._watchers.add(watcher)
        known = False
        try:
            known = await self._parcels.join(watcher, tracking, self._running())
        finally:
            if not known:
                self.unwatch(watcher)
        return watcher if known else None

    @contextmanager
    def phone(self, account_id: str, driver_id: str, credential: str) -> Iterator[Line]:
        """The ear of a phone's socket, for as long as it is open. An older socket of the same device is hung up."""
        line = Line(account_id, driver_id, credential)
        for held in tuple(self._credentials[credential]):
            if isinstance(held, Line):
                held.hang_up(REVOKED, "This device has a newer connection.")
        self._credentials[credential].add(line)
        self._lines[driver_id].add(line)
        try:
            yield line
        finally:
            self._lines[driver_id].discard(line)
            if not self._lines[driver_id]:
                del self._lines[driver_id]
            self._let_go(line)

    def _let_go(self, held: Watcher | Line) -> None:
        holders = self._credentials.get(held.credential)
        if holders is not None:
            holders.discard(held)
            if not holders:
                del self._credentials[held.credential]

    # Positions: one frame per feed and tick

    def _spread(self, audience: Audience) -> None:
        self._moved.discard(audience)
        due, unknown = audience.spread()
        self._due |= due
        if unknown:
            self._start(self._introduce(audience, unknown))

    async def _introduce(self, audience: Audience, unknown: set[str]) -> None:
        """Somebody moved who was not on the roll when it was read: read it again, and tell of those who are now."""
        account_id = audience.account_id
        if account_id in self._rolls:
            await asyncio.shield(self._rolls[account_id])  # it may have been read before the newcomer was there
        self.board.fleet(account_id).roll_is_old = True
        roll = await self._fresh_roll(account_id)
        audience.ghosts |= unknown - roll.cards.keys()
        audience.changed |= unknown & roll.cards.keys()
        self._moved.add(audience)
        self._woken.set()

    async def _tick(self) -> None:
        while True:
            await self._woken.wait()
            try:
                for audience in tuple(self._moved):
                    self._spread(audience)
                now = time.monotonic()
                for feed in [each for each in self._due if each.next_at <= now]:
                    await self._flush(feed)
            except Exception:
                log.exception("positions could not be written")
            if not self._due and not self._moved:
                self._woken.clear()
            await asyncio.sleep(TICK_S)

    async def _flush(self, feed: Feed) -> None:
        """One frame for each member: the shared one, or for those who missed something one with all that they missed.

        Only those who were ready at the beginning: who becomes ready meanwhile has a newer snapshot already.
        """
        feed.next_at = time.monotonic() + 1 / feed.wish.max_hz
        changed, feed.changed = feed.changed, set()
        members = [each for each in feed.members if each.ready]
        shared = feed.frame(changed) if changed else None
        made: dict[frozenset[str], Frame] = {}
        for number, subscription in enumerate(members, 1):
            if subscription not in feed.members:
                continue
            if subscription.missed is not None:
                self._catch_up(feed, subscription, changed, made)
            elif shared is not None and not subscription.watcher.write(shared):
                feed.miss(subscription, changed)
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
        if not feed.changed and not feed.behind:
            self._due.discard(feed)

    def _catch_up(
        self, feed: Feed, subscription: Subscription, changed: set[str], made: dict[frozenset[str], Frame]
    ) -> None:
        assert subscription.missed is not None
        subscription.missed |= changed
        if subscription.watcher.full():
            return
        missed = frozenset(subscription.missed)
        frame = made.get(missed)
        if frame is None:
            frame = made[missed] = feed.frame(missed)
        if subscription.watcher.write(frame):
            subscription.missed = None
            feed.behind.discard(subscription)

    # Events: a cursor in the log for each reader

    def _pump(self, audience: Audience) -> None:
        if not audience.pumping and self._sources:
            audience.pumping = True
            self._start(self._pump_out(audience))

    async def _pump_out(self, audience: Audience) -> None:
        try:
            while audience.told or audience.lagging:
                if audience.told:
                    await self._read_on(audience)
                else:
                    await asyncio.sleep(TICK_S)
                    await self._hand_out(audience, audience.lagging)
        finally:
            audience.pumping = False

    async def _read_on(self, audience: Audience) -> None:
        audience.told = False
        try:
            page = await self._running().events(audience.account_id, audience.head, EVENTS_AT_ONCE)
        except Exception:
            log.exception("the log of facts could not be read; trying again")
            audience.told = True
            await asyncio.sleep(1.0)
            return
        audience.learn(page)
        audience.told = audience.told or page.more
        await self._hand_out(audience, audience.readers)

    async def _hand_out(self, audience: Audience, readers: Iterable[Subscription]) -> None:
        for number, subscription in enumerate(tuple(readers), 1):
            if subscription not in audience.readers or subscription.watcher.full():
                audience.lagging |= audience.readers & {subscription}
                continue
            entries, upto, more = audience.at_hand(subscription.cursor), audience.head, False
            if entries is None:
                page = await self._running().events(audience.account_id, subscription.cursor, EVENTS_AT_ONCE)
                entries, upto, more = page.entries, page.upto, page.more
            if audience.hand_out(subscription, entries, upto) and audience.hand_out_plans(subscription) and not more:
                audience.lagging.discard(subscription)
            else:
                audience.lagging.add(subscription)
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)

    # The roll: who there is

    async def _fresh_roll(self, account_id: str) -> Roll:
        """The roll as of now or later. Whoever asks at the same time shares one reading."""
        fleet = self.board.fleet(account_id)
        if fleet.roll is not None and not fleet.roll_is_old and time.monotonic() - fleet.roll_at < ROLL_S:
            return fleet.roll
        reading = self._rolls.get(account_id)
        if reading is None:
            reading = self._rolls[account_id] = self._start(self._read_roll(account_id))
        return await asyncio.shield(reading)

    async def _read_roll(self, account_id: str) -> Roll:
        fleet = self.board.fleet(account_id)
        fleet.roll_is_old = False
        try:
            roll, positions = await self._running().roll(account_id)
        except BaseException:
            fleet.roll_is_old = True
            raise
        finally:
            del self._rolls[account_id]
        fleet.roll, fleet.roll_at = roll, time.monotonic()
        for driver_id, position in positions.items():
            self.tell_positions(account_id, driver_id, position)
        return roll

    # Signs of life

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            self._parcels.age()
            now = time.monotonic()
            alive = frames.alive(self._running().now_s())
            for number, watcher in enumerate(tuple(self._watchers), 1):
                if watcher.blocked_at is not None and now - watcher.blocked_at > STUCK_S and watcher.full():
                    self.dropped += 1
                    watcher.close(TOO_SLOW, "Too slow: come back and take a new snapshot.")
                elif now - watcher.wrote_at >= ALIVE_S:
                    watcher.write(alive)
                if number % AT_ONCE == 0:
                    await asyncio.sleep(0)

    def _running(self) -> Sources:
        assert self._sources is not None, "start the hub before anybody watches"
        return self._sources

    def _start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a task of the hub ended", exc_info=task.exception())


async def _room(watcher: Watcher) -> None:
    """Until the socket takes a frame again, or was closed for taking none."""
    while watcher.full():
        if watcher.closed:
            return
        await asyncio.sleep(TICK_S)
