"""The hub: the verbs tell it what has changed, and it passes that on to every socket that is subscribed to it.

A subscription is registered first and gets its snapshot then: whatever happens in between is in the snapshot or comes
after it, and is never lost. Positions are states: a socket whose buffer is full gets the newest ones once it can take
a frame again. Events are read from the log of facts with a cursor for each reader, so that nobody misses one.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from backend.domain.positions import Position
from backend.live import frames
from backend.live.audience import Audience
from backend.live.board import Board
from backend.live.parcels import Parcels
from backend.live.phones import Line, Message
from backend.live.readers import Readers
from backend.live.review import Review
from backend.live.rolls import Rolls
from backend.live.sources import Sources
from backend.live.tasks import Tasks, Turn
from backend.live.ticker import TICK_S, Ticker
from backend.live.watchers import Outlet, Watcher, Wish

log = logging.getLogger("codriver.live")

TOO_SLOW, REVOKED = 4408, 4409
STUCK_S = 10.0  # a socket whose buffer has been full for so long is closed
ALIVE_S = 15.0
SWEEP_S = 1.0
SLOWEST_BYTES_S = 16 * 1024  # or later: the slowest connection that is waited for while it takes a large snapshot


class Hub:
    """The present of all accounts, and all subscriptions to it. To be used on one event loop only."""

    # For hubs in several processes:
    sound = True  # whether letters of the others arrive
    missed = unreadable = 0  # letters

    def __init__(self) -> None:
        self.board = Board()
        self._audiences: dict[str, Audience] = {}
        self._credentials: dict[str, set[Watcher | Line]] = defaultdict(set)
        self._lines: dict[str, set[Line]] = defaultdict(set)  # by driver
        self._parcels = Parcels(self.board)
        self._watchers: set[Watcher] = set()
        self.loop_lag_s = 0.0
        self.dropped = 0  # closed for being too slow
        self._heeding: dict[str, list[Callable[[str], None]]] = defaultdict(list)
        self._sources: Sources | None = None
        self._tasks = Tasks()
        self._rolls = Rolls(self.board, self._tasks, self._place)
        self._ticker = Ticker(self._rolls, self._tasks)
        self._readers = Readers(self._tasks)

    def start(self, sources: Sources) -> None:
        """Begin to read and to write."""
        self._sources = sources
        self._tasks.start(self._ticker.run(sources))
        self._tasks.start(self._sweep())
        self._tasks.start(self._parcels.run(sources))

    @property
    def watching(self) -> int:
        """How many sockets watch a map or a delivery."""
        return len(self._watchers)

    @property
    def listening(self) -> int:
        """How many sockets of phones are open."""
        return sum(map(len, self._lines.values()))

    def event_lag_s(self) -> float:
        """For how long the oldest event has waited that is still to be passed on."""
        now = time.monotonic()
        return max((now - each.told_at for each in self._audiences.values() if each.told_at is not None), default=0.0)

    async def close(self) -> None:
        await self._tasks.close()

    # Called by the verbs, after the commit

    def tell_positions(self, account_id: str, driver_id: str, newest: Position) -> None:
        self._place(account_id, driver_id, newest)

    def tell_facts(self, account_id: str, driver_id: str | None = None) -> None:
        """New facts are in the log; ``driver_id`` where all of them are this driver's."""
        self.board.fleet(account_id).roll_is_old = True
        audience = self._audiences.get(account_id)
        if audience is not None and audience.readers:
            audience.told = True
            self._wake_readers(audience)
        self._parcels.facts_came(account_id, driver_id)

    def tell_routes(self, account_id: str, date: str, driver_ids: Iterable[str]) -> None:
        self.board.fleet(account_id).roll_is_old = True
        audience = self._audiences.get(account_id)
        if audience is not None and audience.readers:
            audience.tell_plan(date)
            self._wake_readers(audience)
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
            self._tasks.start(self._rolls.fresh(account_id, self._sources))

    def tell_message(self, account_id: str, driver_id: str, message: Message) -> None:
        for line in self._lines.get(driver_id, ()):
            line.tell_message(message)

    def tell_revoked(self, token_hash: str) -> None:
        self._act("revoked", token_hash)
        for held in tuple(self._credentials.get(token_hash, ())):
            match held:
                case Watcher():
                    held.close(REVOKED, "This key has been revoked.")
                case Line():
                    held.hang_up(REVOKED, "This token has been revoked.")

    def note(self, topic: str, text: str) -> None:
        """Call, in every process, the functions that :meth:`heed` the topic with this text."""
        self._act(topic, text)

    def heed(self, topic: str, act: Callable[[str], None]) -> None:
        """Call ``act`` with the text of each note on the topic. Two are the hub's own: ``revoked``, the hash of a
        credential, and ``doubt``, when notes may have been missed."""
        self._heeding[topic].append(act)

    async def spread(self) -> None:
        """Wait, briefly, until every process has received what was told so far; positions are not waited for."""

    # Who watches

    def held_with(self, credential: str) -> int:
        """How many sockets are open that authenticated with it."""
        return len(self._credentials.get(credential, ()))

    def looking_at(self, tracking: str) -> int:
        """How many sockets show this order."""
        return self._parcels.looking_at(tracking)

    def watch(self, outlet: Outlet, account_id: str, credential: str) -> Watcher:
        """A new socket on the map; ``credential`` is the hash of its key. Ends with :meth:`unwatch`."""
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
        """Write a snapshot, then what changes. A subscription with an id that is in use replaces the earlier one.

        With ``events`` also every event behind the snapshot, or behind the sequence ``after`` where that is earlier.
        """
        self.unsubscribe(watcher, wish.id)
        sources = self._running()
        account_id = watcher.account_id
        audience = self._audiences.get(account_id)
        if audience is None:
            audience = self._audiences[account_id] = Audience(account_id, self.board.fleet(account_id))
        subscription = audience.join(watcher, wish, events)
        try:
            roll = await self._rolls.fresh(account_id, sources)
        except BaseException:
            audience.leave(subscription)
            raise
        self._ticker.spread(audience, sources)
        await _until_writable(watcher)
        frame, moved = subscription.feed.snapshot(subscription.id, sources.now_s(), sources.clock_speed)
        if not watcher.write(frame):
            return
        subscription.ready = True
        if moved:
            self._ticker.missed(subscription, moved)
        if events:
            sequence = roll.sequence if after is None else min(after, roll.sequence)
            audience.read_from(subscription, sequence, roll.sequence)
            self._wake_readers(audience)

    def unsubscribe(self, watcher: Watcher, id_: str) -> bool:
        """False where the watcher has no such subscription."""
        subscription = watcher.subscriptions.get(id_)
        if subscription is not None:
            self._audiences[watcher.account_id].leave(subscription)
        return subscription is not None

    async def recipient(self, outlet: Outlet, tracking: str) -> Watcher | None:
        """A new socket for one order; its state is written at once. None where the tracking code is unknown."""
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
        """The line of a phone's socket, for as long as it is open. An older socket of the same device is closed."""
        line = Line(account_id, driver_id, credential)
        self._phone_came(credential, line.came_at)
        self._credentials[credential].add(line)
        self._lines[driver_id].add(line)
        try:
            yield line
        finally:
            self._lines[driver_id].discard(line)
            if not self._lines[driver_id]:
                del self._lines[driver_id]
            self._let_go(line)

    def _phone_came(self, credential: str, came_at: float) -> None:
        for held in tuple(self._credentials.get(credential, ())):
            if isinstance(held, Line) and held.came_at <= came_at:
                held.hang_up(REVOKED, "This device has a newer connection.")

    def _let_go(self, held: Watcher | Line) -> None:
        holders = self._credentials.get(held.credential)
        if holders is not None:
            holders.discard(held)
            if not holders:
                del self._credentials[held.credential]

    def _place(self, account_id: str, driver_id: str, newest: Position) -> bool:
        """A driver's new position; False where it is not newer than the known one."""
        if not self.board.offer(account_id, driver_id, newest):
            return False
        audience = self._audiences.get(account_id)
        if audience is not None and audience.watchers:
            self._ticker.moved(audience, {driver_id})
        self._parcels.driver_moved(driver_id)
        return True

    def _act(self, topic: str, text: str) -> None:
        for act in self._heeding.get(topic, ()):
            try:
                act(text)
            except Exception:
                log.exception("the handler of a note on %s failed", topic)

    # Maintenance

    async def review(self, since_s: float) -> None:
        """Some of what was told since then may have been lost: reread from the store all that is watched.

        Raises where the store cannot be read; then it has to be called again.
        """
        self._act("doubt", "")
        self.board.doubt()
        review = Review(self._rolls, self._parcels, self._audiences, self._lines, self._credentials)
        for credential in await review.revoked(self._running()):
            Hub.tell_revoked(self, credential)
        for audience in await review.read(self._running(), since_s):
            self._wake_readers(audience)

    async def _sweep(self) -> None:
        while True:
            due = time.monotonic() + SWEEP_S
            await asyncio.sleep(SWEEP_S)
            self.loop_lag_s = max(0.0, time.monotonic() - due)
            try:
                self._parcels.age()
                await self._check_watchers(tuple(self._watchers))
            except Exception:
                log.exception("checking the watchers failed")

    async def _check_watchers(self, watchers: tuple[Watcher, ...]) -> None:
        now = time.monotonic()
        alive = frames.alive(self._running().now_s())
        turn = Turn()
        for watcher in watchers:
            patience_s = STUCK_S + watcher.wrote_bytes / SLOWEST_BYTES_S
            if watcher.blocked_at is not None and now - watcher.blocked_at > patience_s and watcher.full():
                self.dropped += 0 if watcher.closed else 1
                watcher.close(TOO_SLOW, "Too slow: reconnect and take a new snapshot.")
            elif now - watcher.wrote_at >= ALIVE_S:
                watcher.write(alive)
            await turn.next()

    def _wake_readers(self, audience: Audience) -> None:
        if self._sources is not None:
            self._readers.wake(audience, self._sources)

    def _running(self) -> Sources:
        assert self._sources is not None, "start the hub before anybody watches"
        return self._sources


async def _until_writable(watcher: Watcher) -> None:
    """Wait until the socket can take a frame, or was closed."""
    while watcher.full():
        if watcher.closed:
            return
        await asyncio.sleep(TICK_S)
