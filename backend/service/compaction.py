"""Background compaction: merges and compresses positions that are hours old, without delaying the ingest."""

import asyncio
import logging
import time
from functools import partial

from backend.domain.errors import Refusal
from backend.service.desk import Desk
from backend.store import compaction, fleet
from backend.store.compaction import HOUR_MS

log = logging.getLogger("codriver.compaction")

EVERY_S = 600.0
LOOK_S = 60.0  # between two looks at whether it falls to us: of several processes one does it
RIPE_AFTER_MS = 2 * HOUR_MS  # phones that were offline for a while have caught up by then
AGAIN_MS = 72 * HOUR_MS  # how far back it looks for what came late
AT_ONCE = 12  # hours of one driver in one transaction
REST = 3.0  # so many times as long as it works it rests
MOST_FAILED = 10  # drivers of one round; more is no matter of a damaged row


async def keep_compacting(desk: Desk) -> None:
    """Compact at once and then every ten minutes, until cancelled. What goes wrong once is tried again the next
    time.
    """
    looked_until_ms, at = 0, None
    while True:
        try:
            if await desk.database.leads() and (at is None or time.monotonic() - at >= EVERY_S):
                at = time.monotonic()
                until_ms = (desk.clock.now_ms() - RIPE_AFTER_MS) // HOUR_MS * HOUR_MS
                await compact(desk, max(0, looked_until_ms - AGAIN_MS), until_ms)
                looked_until_ms = until_ms
        except Refusal as refusal:
            log.warning("positions could not be made smaller: %s", refusal)
        except Exception:
            log.exception("positions could not be made smaller")
        await asyncio.sleep(min(LOOK_S, EVERY_S))


async def compact(desk: Desk, from_ms: int, until_ms: int) -> int:
    """Merge and squeeze what begins in these whole hours, driver by driver; how many chunks went into others. Where a
    driver's cannot be read, the others' are squeezed all the same.
    """
    count = failed = 0
    for driver_id in await desk.database.read(fleet.all_driver_ids):
        try:
            count += await _compact_driver(desk, driver_id, from_ms, until_ms)
        except Refusal:
            raise
        except Exception as error:
            failed += 1
            if failed > MOST_FAILED:
                raise
            log.error("positions of driver %s could not be made smaller: %r", driver_id, error)
    return count


async def _compact_driver(desk: Desk, driver_id: str, from_ms: int, until_ms: int) -> int:
    ripe = partial(compaction.ripe, driver_id=driver_id, from_ms=from_ms, to_ms=until_ms)
    groups = await desk.database.read(ripe)
    return sum([await _compact(desk, groups[at : at + AT_ONCE]) for at in range(0, len(groups), AT_ONCE)])


async def _compact(desk: Desk, groups: list[compaction.Group]) -> int:
    """The squeezing is done on a reader's thread, so that the writer only exchanges rows; hour by hour, as meanwhile
    whoever serves shares the interpreter with it."""
    whole = []
    for group in groups:
        begun = time.monotonic()
        if (row := await desk.database.read(partial(compaction.merged, group=group))) is not None:
            whole.append((group, row))
        await asyncio.sleep(REST * (time.monotonic() - begun))
    try:
        await desk.journal.transact(lambda conn: compaction.replace(conn, whole))
    except compaction.Gone:
        return 0  # somebody forgot them meanwhile; the next round sees what is left
    return sum(len(group.ids) for group, _ in whole)
