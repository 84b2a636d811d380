"""Positions that a company wants to keep no longer."""

import asyncio
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from backend.service import retention
from backend.store.database import FILE
from backend.store.media import Media
from tests.serving import Server, bearer, eventually


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
