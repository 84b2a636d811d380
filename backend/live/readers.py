"""Events for those who want them: a cursor in the log of facts for each, and one reading for all who are up to date."""

import asyncio
import logging
from collections.abc import Iterable

from backend.domain.errors import Refusal
from backend.live.audience import Audience, Entry
from backend.live.sources import Sources
from backend.live.tasks import AT_ONCE, Tasks
from backend.live.watchers import Subscription

log = logging.getLogger("codriver.live")

EVENTS_AT_ONCE = 500
RETRY_S = 0.05  # to a socket that was full
AGAIN_S = 1.0  # after the log could not be read


class Readers:
    """Hands out the log to the readers of each audience; at most one task for an audience."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks

    def wake(self, audience: Audience, sources: Sources) -> None:
        """There may be something for the audience's readers."""
        if not audience.pumping:
            audience.pumping = True
            self._tasks.start(self._work(audience, sources))

    async def _work(self, audience: Audience, sources: Sources) -> None:
        try:
            while audience.told or audience.lagging:
                try:
                    await self._once(audience, sources)
                except Exception as error:
                    trace = None if isinstance(error, Refusal) else error
                    log.warning("the log of facts could not be handed out; trying again: %s", error, exc_info=trace)
                    audience.told = True
                    await asyncio.sleep(AGAIN_S)
        finally:
            audience.pumping = False

    async def _once(self, audience: Audience, sources: Sources) -> None:
        if not audience.told:
            await asyncio.sleep(RETRY_S)
            await self._hand_out(audience, audience.lagging, sources)
            return
        audience.told = False
        page = await sources.events(audience.account_id, audience.head, EVENTS_AT_ONCE)
        audience.learn(page)
        audience.told = audience.told or page.more
        await self._hand_out(audience, audience.readers, sources)
        if not audience.told:
            audience.told_at = None

    async def _hand_out(self, audience: Audience, readers: Iterable[Subscription], sources: Sources) -> None:
        for number, subscription in enumerate(tuple(readers), 1):
            if subscription not in audience.readers or subscription.watcher.full():
                audience.lagging |= audience.readers & {subscription}
                continue
            upto, more = audience.head, False
            entries: Iterable[Entry] | None = audience.at_hand(subscription.cursor)
            if entries is None:
                page = await sources.events(audience.account_id, subscription.cursor, EVENTS_AT_ONCE)
                entries, upto, more = page.entries, page.upto, page.more
            if audience.hand_out(subscription, entries, upto) and audience.hand_out_plans(subscription) and not more:
                audience.lagging.discard(subscription)
            elif subscription in audience.readers:
                audience.lagging.add(subscription)
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
