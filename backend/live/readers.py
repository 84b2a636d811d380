"""Sends events: each reader has a cursor in the log of facts, and the log is read once for all who are up to date."""

import asyncio
import logging
from collections.abc import Iterable, Sequence

from backend.domain.errors import Refusal
from backend.live.audience import Audience, Entry, Page
from backend.live.sources import Sources
from backend.live.tasks import Tasks, Turn
from backend.live.watchers import Subscription

log = logging.getLogger("codriver.live")

EVENTS_AT_ONCE = 500
RETRY_S = 0.05  # to a socket that was full
AGAIN_S = 1.0  # after the log could not be read


class Readers:
    """Sends the log to the readers of each audience, with at most one task for each audience."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks

    def wake(self, audience: Audience, sources: Sources) -> None:
        """There may be new events for the audience's readers."""
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
                    log.warning("events could not be sent, and will be tried again: %s", error, exc_info=trace)
                    audience.told = True
                    await asyncio.sleep(AGAIN_S)
        finally:
            audience.pumping = False

    async def _once(self, audience: Audience, sources: Sources) -> None:
        if not audience.told:
            if not await self._help_on(audience, sources):
                await asyncio.sleep(RETRY_S)
            return
        audience.told = False
        page = await sources.events(audience.account_id, audience.head, EVENTS_AT_ONCE)
        audience.learn(page)
        audience.told = audience.told or page.more
        await _hand_out(audience, audience.readers)
        if not audience.told:
            audience.told_at = None

    async def _help_on(self, audience: Audience, sources: Sources) -> bool:
        """One page of the log for the reader that is furthest behind, and for all to whom the same page is of use.

        False where nobody who is behind takes anything. What is told meanwhile goes first: who is far behind does not
        keep the others waiting.
        """
        willing = [each for each in audience.lagging if not each.watcher.full()]
        if not willing:
            return False
        after = min(each.cursor for each in willing)
        page = None
        if audience.at_hand(after) is None:
            page = await sources.events(audience.account_id, after, EVENTS_AT_ONCE)
        await _hand_out(audience, willing, page)
        return True


async def _hand_out(audience: Audience, readers: Iterable[Subscription], page: Page | None = None) -> None:
    """To each what it is due, of what is at hand and of a ``page`` of the log that begins behind nobody's cursor; who
    is due more, or cannot be written to, is lagging."""
    turn = Turn()
    for subscription in tuple(readers):
        if subscription not in audience.readers:
            continue
        entries: Sequence[Entry] | None = audience.at_hand(subscription.cursor)
        upto, more = audience.head, False
        if entries is None and page is not None and (subscription.cursor < page.upto or not page.more):
            entries, upto, more = page.entries, page.upto, page.more
        if entries is None or subscription.watcher.full():
            more = True
        else:
            took_all = audience.hand_out(subscription, entries, upto) and audience.hand_out_plans(subscription)
            more = more or not took_all
        (audience.lagging.add if more else audience.lagging.discard)(subscription)
        await turn.next()
