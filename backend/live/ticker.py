"""Positions on their way to watchers: one frame for each feed and tick, written without waiting for anybody."""

import asyncio
import logging
import time

from backend.domain.errors import Refusal
from backend.live.audience import Audience
from backend.live.frames import Frame
from backend.live.rolls import Rolls
from backend.live.sources import Sources
from backend.live.tasks import AT_ONCE, Tasks
from backend.live.watchers import Feed, Subscription

log = logging.getLogger("codriver.live")

AGAIN_S = 1.0  # after the store could not be read
TICK_S = 0.05  # how long a change may wait for others to share its frame


class Ticker:
    """Knows which feeds have something to send, and sends it when their pace allows."""

    def __init__(self, rolls: Rolls, tasks: Tasks) -> None:
        self._rolls = rolls
        self._tasks = tasks
        self._moved: set[Audience] = set()  # audiences with changed drivers
        self._due: set[Feed] = set()  # feeds with something to send
        self._woken = asyncio.Event()

    def moved(self, audience: Audience, driver_ids: set[str]) -> None:
        """These drivers are elsewhere than the audience's feeds were told."""
        audience.changed |= driver_ids
        self._moved.add(audience)
        self._woken.set()

    def missed(self, subscription: Subscription, driver_ids: set[str]) -> None:
        """The subscription has not been told of these drivers' last moves."""
        subscription.feed.miss(subscription, driver_ids)
        self._due.add(subscription.feed)
        self._woken.set()

    def spread(self, audience: Audience, sources: Sources) -> None:
        """Tell the audience's feeds who moved, now."""
        self._moved.discard(audience)
        due, unknown = audience.spread()
        self._due |= due
        if due:
            self._woken.set()
        if unknown:
            self._tasks.start(self._introduce(audience, unknown, sources))

    async def run(self, sources: Sources) -> None:
        while True:
            await self._woken.wait()
            try:
                for audience in tuple(self._moved):
                    self.spread(audience, sources)
                now = time.monotonic()
                for feed in [each for each in self._due if each.next_at <= now]:
                    await self._flush(feed)
            except Exception:
                log.exception("positions could not be written")
            if not self._due and not self._moved:
                self._woken.clear()
            await asyncio.sleep(TICK_S)

    async def _introduce(self, audience: Audience, unknown: set[str], sources: Sources) -> None:
        """Somebody moved who was not on the roll when it was read: read it again, and tell of those who are now."""
        try:
            roll = await self._rolls.fresher(audience.account_id, sources)
        except Refusal as refusal:
            log.warning("who there is could not be read; trying again: %s", refusal)
            await asyncio.sleep(AGAIN_S)
            self.moved(audience, unknown)
            return
        audience.ghosts |= unknown - roll.cards.keys()
        self.moved(audience, unknown & roll.cards.keys())

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
                _catch_up(feed, subscription, changed, made)
            elif shared is not None and not subscription.watcher.write(shared):
                feed.miss(subscription, changed)
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
        if not feed.changed and not feed.behind:
            self._due.discard(feed)


def _catch_up(feed: Feed, subscription: Subscription, changed: set[str], made: dict[frozenset[str], Frame]) -> None:
    """Write all that was missed, encoded once for those who missed the same."""
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
