"""Sends positions to watchers: one frame for each feed and tick, written without waiting for anybody."""

import asyncio
import logging
import time
from collections.abc import Iterator, Set
from contextlib import contextmanager

from msgspec import Raw

from backend.domain.errors import Refusal
from backend.live import frames
from backend.live.audience import Audience
from backend.live.frames import Frame
from backend.live.rolls import Rolls
from backend.live.sources import Sources
from backend.live.tasks import Tasks, Turn
from backend.live.watchers import Feed, Subscription

log = logging.getLogger("codriver.live")

AGAIN_S = 1.0  # after the store could not be read
TICK_S = 0.05  # how long a change may wait for others to share its frame
SHORTEST_S = 0.01  # between two looks, where a frame may be written before the next tick
AT_ONCE = 500  # moves that the feeds are told of before others may run, about 2 ms


class Ticker:
    """Knows which feeds have something to send, and sends it when their rate limit allows."""

    def __init__(self, rolls: Rolls, tasks: Tasks) -> None:
        self._rolls = rolls
        self._tasks = tasks
        self._moved: set[Audience] = set()  # audiences with changed drivers
        self._due: set[Feed] = set()  # feeds with something to send
        self._failing: set[Audience | Feed] = set()  # those that the log has a trace of, and that failed ever since
        self._woken = asyncio.Event()

    def moved(self, audience: Audience, driver_ids: set[str]) -> None:
        """These drivers have moved since the audience's feeds were told."""
        audience.changed |= driver_ids
        self._moved.add(audience)
        self._woken.set()

    def missed(self, subscription: Subscription, driver_ids: set[str]) -> None:
        """The subscription has missed the last moves of these drivers."""
        subscription.feed.miss(subscription, driver_ids)
        self._due.add(subscription.feed)
        self._woken.set()

    def spread(self, audience: Audience, sources: Sources, most: int | None = None) -> None:
        """Tell the audience's feeds who moved, now; of ``most`` moves, or of all."""
        due, unknown = audience.spread(most)
        if not audience.changed:
            self._moved.discard(audience)
        self._due |= due
        if due:
            self._woken.set()
        if unknown:
            self._tasks.start(self._introduce(audience, unknown, sources))

    async def run(self, sources: Sources) -> None:
        while True:
            await self._woken.wait()
            turn = Turn()
            for audience in tuple(self._moved):
                with self._failing_alone(audience):
                    for _ in range(len(audience.changed) // AT_ONCE + 1):  # who moves meanwhile waits for the next tick
                        self.spread(audience, sources, AT_ONCE)
                        await turn.next()
            now = time.monotonic()
            for feed in [each for each in self._due if each.next_at <= now]:
                with self._failing_alone(feed):
                    await self._flush(feed, turn)
            if not self._due and not self._moved:
                self._woken.clear()
            await asyncio.sleep(self._pause_s())

    @contextmanager
    def _failing_alone(self, one: Audience | Feed) -> Iterator[None]:
        """A bug that meets one of them holds up nobody else, and is written down once: it may come with each tick."""
        try:
            yield
        except Exception:
            if one not in self._failing:
                self._failing.add(one)
                log.exception("positions could not be written; trying again")
        else:
            self._failing.discard(one)

    def _pause_s(self) -> float:
        """The time until the next tick, or until a feed's rate limit allows its next frame where that is sooner."""
        soonest_s = min((feed.next_at for feed in self._due), default=0.0) - time.monotonic()
        return min(TICK_S, max(SHORTEST_S, soonest_s))

    async def _introduce(self, audience: Audience, unknown: set[str], sources: Sources) -> None:
        """Drivers moved that are not on the roll: read it again, and tell of those that are on it now."""
        try:
            roll = await self._rolls.fresher(audience.account_id, sources)
        except Refusal as refusal:
            log.warning("the list of drivers could not be read, and will be tried again: %s", refusal)
            await asyncio.sleep(AGAIN_S)
            self.moved(audience, unknown)
            return
        audience.ghosts |= unknown - roll.cards.keys()
        self.moved(audience, unknown & roll.cards.keys())

    async def _flush(self, feed: Feed, turn: Turn) -> None:
        """One frame for each member: the shared one, or for those who missed something one with all that they missed.

        Only those who were ready at the beginning: who becomes ready meanwhile has a newer snapshot already.
        """
        feed.next_at = time.monotonic() + 1 / feed.kind.max_hz
        changed, feed.changed = frozenset(feed.changed), set()
        made = _Made(feed)
        waiting = [each for each in feed.members if each.ready]
        try:
            while waiting:
                subscription = waiting[-1]
                if subscription in feed.members:
                    if subscription.missed is not None:
                        _catch_up(subscription, changed, made)
                    elif changed and not subscription.watcher.write(made.frame(subscription.id, changed)):
                        feed.miss(subscription, changed)
                waiting.pop()
                await turn.next()
        except Exception:
            for subscription in feed.members.intersection(waiting):
                feed.miss(subscription, changed)
            raise
        if not feed.changed and not feed.behind:
            self._due.discard(feed)


class _Made:
    """The frames of one flush: moves are encoded once, whatever ids the subscriptions have."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._moves: dict[frozenset[str], Raw] = {}
        self._frames: dict[tuple[str, frozenset[str]], Frame] = {}

    def frame(self, id_: str, driver_ids: frozenset[str]) -> Frame:
        frame = self._frames.get((id_, driver_ids))
        if frame is None:
            moves = self._moves.get(driver_ids)
            if moves is None:
                moves = self._moves[driver_ids] = self._feed.moves(driver_ids)
            frame = self._frames[id_, driver_ids] = frames.positions(id_, moves)
        return frame


def _catch_up(subscription: Subscription, changed: Set[str], made: _Made) -> None:
    """Write all that was missed, where the socket can take it by now."""
    assert subscription.missed is not None
    subscription.missed |= changed
    watcher = subscription.watcher
    if not watcher.full() and watcher.write(made.frame(subscription.id, frozenset(subscription.missed))):
        subscription.missed = None
        subscription.feed.behind.discard(subscription)
