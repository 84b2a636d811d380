"""Positions that a company wants to keep no longer."""

import asyncio
import os
import sqlite3
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from msgspec.structs import replace
from sqlalchemy import Connection

from backend.domain.accounts import Settings
from backend.service import retention
from backend.service.desk import Clock
from backend.store import people, tracks
from backend.store.database import FILE
from backend.store.media import Media
from backend.store.postgresql import partitions
from tests.service.builders import add_account, add_device
from tests.service.conftest import Store
from tests.serving import Server, bearer, eventually
from tests.store.builders import NOON, fix

DAY_S = 86_400


def test_positions_past_the_companys_days_are_deleted_and_refused(tmp_path: Path) -> None:
    """The sweep runs when the server starts, and every hour after that."""
    server = Server(tmp_path / "data").start()
    try:
        company = server.account()
        phone = company.driver()
        now = time.time()
        fixes = [{"timestamp": now - days * 86_400 - 60, "latitude": 45.8, "longitude": 16.0} for days in (0, 1, 3, 10)]
        assert phone.client.post("/driver/v1/positions", json={"positions": fixes}).json()["accepted"] == 4
        gone = company.client.post("/api/drivers", json={"name": "Ivo", "externalId": "ivo"}).json()["id"]
        update = {"driver": {"externalId": "ivo"}, "positions": fixes}
        assert company.v1("update_drivers_positions", {"updates": [update]})["success"]
        assert company.client.delete(f"/api/drivers/{gone}").status_code == 204
        company.client.patch("/api/settings", json={"driverPositionRetentionDays": 2})
        refused = phone.client.post("/driver/v1/positions", json={"positions": [{**fixes[3], "latitude": 45.9}]}).json()
        assert [each["code"] for each in refused["rejected"]] == ["ERR_TIMESTAMP_TOO_OLD"]
        assert server.stop() == 0
        server.start()
        track = f"{server.url}/api/drivers/{phone.driver_id}/track"

        def kept() -> list[float]:
            return [each["timestamp"] for each in httpx.get(track, headers=bearer(company.key)).json()["items"]]

        eventually(lambda: len(kept()) == 2, what="the sweep")
        assert kept() == sorted(round(fix["timestamp"], 3) for fix in fixes[:2])

        def left() -> int:
            with closing(sqlite3.connect(f"file:{tmp_path / 'data' / FILE}?mode=ro", uri=True)) as database:
                count = "SELECT sum(count) FROM chunks WHERE driver_id = ?"
                return int(database.execute(count, [gone]).fetchone()[0])

        eventually(lambda: left() == 2, what="the sweep of who drives no more and never had a phone")
    finally:
        server.kill()


async def test_a_sweep_takes_what_a_company_keeps_no_longer_and_nothing_of_another(store: Store, engine: str) -> None:
    """On PostgreSQL a week goes as a whole once nobody keeps anything of it, and not before."""
    desk: Any = SimpleNamespace(database=store.database, journal=store.journal, clock=Clock(NOON + 3600, speed=0))
    ages = (100, 20, 1)
    drivers = []
    for days in (7, 0):
        settings = Settings(driver_position_retention_days=days)
        account = await store.journal.transact(partial(add_account, settings=settings))
        driver_id = (await store.journal.transact(partial(add_device, account=account))).driver_id
        await store.journal.append(driver_id, [fix(-age * DAY_S) for age in ages])
        drivers.append((account, driver_id))

    def kept(conn: Connection) -> list[list[int]]:
        tracks_ = (tracks.track(conn, driver_id, 0, 1 << 60) for _, driver_id in drivers)
        return [[round((NOON - each.timestamp) / DAY_S) for each in track] for track in tracks_]

    def weeks(conn: Connection) -> set[str]:
        return set(partitions.present(conn)) if engine == "postgresql" else set()

    whole = await store.database.read(weeks)
    await retention.sweep(desk)
    assert await store.database.read(kept) == [[1], [100, 20, 1]]
    assert await store.database.read(weeks) == whole
    faithful, _ = drivers[1]
    for_a_month = replace(faithful.settings, driver_position_retention_days=30)
    await store.journal.transact(partial(people.save_settings, account_id=faithful.id, settings=for_a_month))
    await retention.sweep(desk)
    assert await store.database.read(kept) == [[1], [20, 1]]
    gone = partitions.name_of(partitions.week_of(round((NOON - 100 * DAY_S) * 1000)))
    assert await store.database.read(weeks) == whole - {gone}


async def test_every_process_clears_its_folder_of_what_never_came_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not only the one that deletes positions for all: each machine has such a folder of its own."""
    monkeypatch.setattr(retention, "EVERY_S", 0.01)
    media = await Media.open(tmp_path)
    old, new = media.begin().path, media.begin().path
    os.utime(old, (time.time() - 7200,) * 2)
    desk: Any = SimpleNamespace(media=media)
    clearing = asyncio.create_task(retention.keep_clearing(desk))
    async with asyncio.timeout(60):
        while old.exists():
            await asyncio.sleep(0.01)
    clearing.cancel()
    assert new.exists()
    await media.close()
