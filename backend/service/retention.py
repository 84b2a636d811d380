"""Retention: deletes positions that are older than their account keeps them, and uploads that were never completed."""

import asyncio
import logging
import time
from functools import partial

from backend.domain.errors import Refusal
from backend.service.desk import Desk
from backend.store import fleet, people, tracks
from backend.store.database import Connection

log = logging.getLogger("codriver.retention")

EVERY_S = 3600.0
LOOK_S = 60.0  # between two looks at whether it falls to us: of several processes one does it
DAY_MS = 86_400_000
LOOKED_AT = 100  # drivers of one read
AT_ONCE = 20  # drivers of one transaction


async def keep_forgetting(desk: Desk) -> None:
    """Sweep at once and then every hour, until cancelled. What goes wrong once is tried again the next time."""
    swept_at: float | None = None
    while True:
        try:
            if await desk.database.leads() and (swept_at is None or time.monotonic() - swept_at >= EVERY_S):
                swept_at = time.monotonic()
                await sweep(desk)
        except Refusal as refusal:
            log.warning("the positions that are too old could not be deleted: %s", refusal)
        except Exception:
            log.exception("the positions that are too old could not be deleted")
        await asyncio.sleep(min(LOOK_S, EVERY_S))


async def keep_clearing(desk: Desk) -> None:
    """Delete what never came whole, every hour until cancelled. Each process does: each machine has its own folder."""
    while True:
        await asyncio.sleep(EVERY_S)
        try:
            await desk.media.on_disk(desk.media.sweep)
        except Refusal as refusal:
            log.warning("unfinished files could not be cleared away: %s", refusal)


async def sweep(desk: Desk) -> None:
    """Delete every position that its company's `driverPositionRetentionDays` says is too old."""
    now_ms = int(desk.clock.earliest_s() * 1000)
    kept_days = await desk.database.read(people.longest_kept_days)
    all_before_ms = None if kept_days is None else now_ms - kept_days * DAY_MS
    await desk.journal.transact(lambda conn: tracks.clear(conn, all_before_ms, now_ms))
    for company in await desk.database.read(people.accounts_that_forget):
        before_ms = now_ms - company.settings.driver_position_retention_days * DAY_MS
        drivers = sorted(await desk.database.read(partial(fleet.driver_ids, account_id=company.id)))
        for at in range(0, len(drivers), LOOKED_AT):  # a read of all that is kept of all drivers would take too long
            some = partial(tracks.with_older, driver_ids=drivers[at : at + LOOKED_AT], before_ms=before_ms)
            await _forget(desk, await desk.database.read(some), before_ms)


async def _forget(desk: Desk, driver_ids: list[str], before_ms: int) -> None:
    """Not of all in one transaction, so that nobody waits for all of them."""
    for at in range(0, len(driver_ids), AT_ONCE):
        some = driver_ids[at : at + AT_ONCE]
        try:
            await desk.journal.transact(partial(_delete_before, driver_ids=some, before_ms=before_ms))
        except Refusal:
            raise
        except Exception as error:
            if len(driver_ids) == 1:
                log.error("positions of driver %s that are too old could not be deleted: %r", some[0], error)
            else:  # one of them, perhaps for a damaged row: the others' are deleted all the same
                for each in some:
                    await _forget(desk, [each], before_ms)


def _delete_before(conn: Connection, driver_ids: list[str], before_ms: int) -> None:
    for driver_id in driver_ids:
        tracks.delete_before(conn, driver_id, before_ms)
