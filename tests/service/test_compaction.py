"""Positions are made small in the background, and nobody notices."""

import sqlite3
import time
from pathlib import Path

from tests.serving import Server, eventually


def chunks(data: Path) -> list[tuple[int, bytes]]:
    with sqlite3.connect(f"file:{data}/codriver.db?mode=ro", uri=True, timeout=60) as database:
        return database.execute("SELECT count, substr(body, 1, 1) FROM chunks ORDER BY first_ms").fetchall()


def test_what_is_some_hours_old_is_squeezed_when_the_server_starts_and_reads_the_same(tmp_path: Path) -> None:
    server = Server(tmp_path / "data").start()
    try:
        company = server.account()
        phone = company.driver()
        begun = (time.time() - 5 * 3600) // 3600 * 3600
        fixes = [{"timestamp": begun + 5 * index, "latitude": 45.8, "longitude": 16.0} for index in range(600)]
        fixes.append({"timestamp": time.time(), "latitude": 45.9, "longitude": 16.0})
        for at in range(0, len(fixes), 50):
            batch = {"positions": fixes[at : at + 50]}
            assert phone.client.post("/driver/v1/positions", json=batch).json()["accepted"] == len(batch["positions"])

        def track() -> list[float]:
            url = f"/api/drivers/{phone.driver_id}/track?limit=1000"
            return [each["timestamp"] for each in company.client.get(url).json()["items"]]

        before = track()
        assert len(before) == 601 and len(chunks(server.data)) == 13
        assert server.stop() == 0
        server.start()
        eventually(lambda: len(chunks(server.data)) == 2, what="the compaction")
        assert chunks(server.data) == [(600, b"\x02"), (1, b"\x01")]
        company.client.base_url = server.url
        assert track() == before
    finally:
        server.kill()
