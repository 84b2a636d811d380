"""Positions of one driver that cannot be read any more, as a disk or a hand in the database leaves them."""

import logging
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Connection, select

from backend.domain.accounts import Settings
from backend.service import compaction, retention
from backend.service.desk import Clock
from backend.store.compaction import HOUR_MS
from backend.store.tables import chunks
from tests.service.builders import add_account, add_device
from tests.service.conftest import Store
from tests.store.builders import NOON, fix

DAY_S = 86_400


async def drivers_of(store: Store, count: int) -> list[str]:
    account = await store.journal.transact(partial(add_account, settings=Settings(driver_position_retention_days=7)))
    made = [await store.journal.transact(partial(add_device, account=account)) for _ in range(count)]
    return sorted(device.driver_id for device in made)


async def damage(store: Store, driver_id: str) -> None:
    change = chunks.update().where(chunks.c.driver_id == driver_id).values(body=b"\x01\xc1")
    await store.journal.transact(lambda conn: conn.execute(change) and None)


async def bodies(store: Store, driver_id: str) -> list[bytes]:
    def read(conn: Connection) -> list[bytes]:
        return [bytes(body) for body in conn.scalars(select(chunks.c.body).where(chunks.c.driver_id == driver_id))]

    return await store.database.read(read)


async def test_positions_that_cannot_be_read_keep_no_others_from_being_made_smaller(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    first, damaged, last = await drivers_of(store, 3)
    for driver_id in (first, damaged, last):
        for minute in range(3):
            await store.journal.append(driver_id, [fix(60.0 * minute), fix(60.0 * minute + 5)])
    await damage(store, damaged)
    desk: Any = SimpleNamespace(database=store.database, journal=store.journal)
    noon_ms = round(NOON * 1000) // HOUR_MS * HOUR_MS
    with caplog.at_level(logging.ERROR):
        assert await compaction.compact(desk, noon_ms, noon_ms + HOUR_MS) == 6
    assert [body[:1] for driver_id in (first, last) for body in await bodies(store, driver_id)] == [b"\x02"] * 2
    assert [record.args[0] for record in caplog.records if isinstance(record.args, tuple)] == [damaged]


async def test_positions_that_cannot_be_read_keep_no_others_from_being_deleted(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    first, damaged, last = await drivers_of(store, 3)
    for driver_id in (first, damaged, last):
        await store.journal.append(driver_id, [fix(-8 * DAY_S), fix(-6 * DAY_S)])
    await damage(store, damaged)
    desk: Any = SimpleNamespace(database=store.database, journal=store.journal, clock=Clock(NOON, speed=0))
    with caplog.at_level(logging.ERROR):
        await retention.sweep(desk)

    def counts(conn: Connection) -> list[int]:
        return [conn.scalars(select(chunks.c.count).where(chunks.c.driver_id == each)).one() for each in (first, last)]

    assert await store.database.read(counts) == [1, 1]
    assert await bodies(store, damaged) == [b"\x01\xc1"]
    assert [record.args[0] for record in caplog.records if isinstance(record.args, tuple)] == [damaged]
