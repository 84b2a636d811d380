"""Copies of everything, made while the server is used, and brought back."""

import sqlite3
import threading
import time
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import insert

from backend import operator
from backend.domain.errors import Refusal
from backend.settings import Settings
from backend.store.backup import back_up, restore
from backend.store.database import FILE, Database
from backend.store.tables import attachments
from tests.api.files import hand_in, noise
from tests.disks import small_disk
from tests.serving import Company, Server, bearer, codriver, eventually


def test_a_backup_of_a_server_in_use_holds_all_that_was_acknowledged_before_it(
    server: Server, company: Company, tmp_path: Path
) -> None:
    phone = company.driver()
    sent: list[float] = []
    ended = threading.Event()

    def drive() -> None:
        began = time.time() - 90_000
        while not ended.is_set():
            fixes = [{"timestamp": began + len(sent) + n, "latitude": 45.8, "longitude": 16.0} for n in range(10)]
            assert phone.client.post("/driver/v1/positions", json={"positions": fixes}).json()["accepted"] == 10
            hand_in(phone, noise((30, 30)), str(uuid.uuid4()))
            sent.extend(fix["timestamp"] for fix in fixes)

    driving = threading.Thread(target=drive, daemon=True)
    driving.start()
    eventually(lambda: len(sent) >= 100, within_s=100, what="some positions")
    before = list(sent)
    made = codriver("backup", tmp_path / "copy", "--data", server.data)
    assert made.returncode == 0, made.stderr
    with pytest.raises(Refusal, match="ERR_BACKUP_EXISTS"):
        back_up(server.data, tmp_path / "copy")
    ended.set()
    driving.join(100)
    restored = codriver("restore", tmp_path / "copy", "--data", tmp_path / "data")
    assert restored.returncode == 0, restored.stderr
    other = Server(tmp_path / "data").start()
    try:
        track: dict[str, Any] = httpx.get(
            f"{other.url}/api/drivers/{phone.driver_id}/track", headers=bearer(company.key)
        ).json()
        kept = [round(item["timestamp"], 3) for item in track["items"]]
        assert kept == [round(at, 3) for at in sent[: len(kept)]] and len(kept) >= len(before)
        fix = {"timestamp": time.time(), "latitude": 45.8, "longitude": 16.0}
        answer = httpx.post(f"{other.url}/driver/v1/positions", json={"positions": [fix]}, headers=bearer(phone.token))
        assert answer.json()["accepted"] == 1
    finally:
        other.kill()
    with pytest.raises(Refusal, match="ERR_BACKUP_EXISTS"):
        restore(tmp_path / "copy", tmp_path / "data")
    # The first of them: the last may have come after the copy of the database.
    first = min((server.data / "media").glob("??/*"), key=lambda path: path.stat().st_mtime_ns)
    photo = tmp_path / "copy" / first.relative_to(server.data)
    photo.write_bytes(photo.read_bytes()[:-1])
    with pytest.raises(Refusal, match="ERR_STORAGE_DAMAGED"):
        restore(tmp_path / "copy", tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()


def test_a_backup_is_restored_onto_a_mount_point_and_into_an_empty_folder(tmp_path: Path) -> None:
    first = Server(tmp_path / "data").start()
    first.account("Green Vans")
    assert first.stop() == 0
    back_up(tmp_path / "data", tmp_path / "copy")
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    restore(tmp_path / "copy", tmp_path / "link")
    names = {path.name for path in (tmp_path / "copy").iterdir()}
    assert {path.name for path in (tmp_path / "empty").iterdir()} == names
    with small_disk(tmp_path / "small", 100_000) as disk:
        (disk / "lost+found").mkdir()
        with pytest.raises(Refusal, match="ERR_BACKUP_FAILED"):
            restore(tmp_path / "copy", disk)
        assert [path.name for path in disk.iterdir()] == ["lost+found"]
    with small_disk(tmp_path / "large", 8 << 20) as disk:
        (disk / "lost+found").mkdir()
        restore(tmp_path / "copy", disk)
        assert {path.name for path in disk.iterdir()} == names | {"lost+found"}
        again = Server(disk).start()
        try:
            again.account("Blue Vans")
        finally:
            again.kill()


def test_photos_that_lie_elsewhere_are_not_missed_in_the_folder_where_they_once_lay(tmp_path: Path) -> None:
    data = tmp_path / "data"
    database = Database.open(data)
    row = {"account_id": "a", "id": "1", "driver_id": "d", "kind": "image", "type": "image/png", "size": 1}
    with database.engine.writer.begin():
        database.engine.writer.execute(insert(attachments).values(**row, sha256="0" * 64, arrived_ms=0))
    database.close()
    (data / "media").mkdir()
    with pytest.raises(Refusal, match=r"ERR_STORAGE_DAMAGED: .* is missing"):
        operator.back_up(Settings(data_dir=data), tmp_path / "copy")
    elsewhere = Settings(data_dir=data, blob_url="s3://bucket/photos")
    assert operator.back_up(elsewhere, tmp_path / "copy").files == 0


def test_a_copy_that_cannot_be_written_is_told_in_a_line_and_leaves_nothing(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    told = codriver("backup", tmp_path / "file" / "copy", "--data", server.data)
    assert told.returncode == 1 and told.stderr.startswith("Error: ERR_BACKUP_FAILED"), told.stderr
    told = codriver("backup", tmp_path / ("x" * 300), "--data", server.data)
    assert told.returncode == 1 and told.stderr.startswith("Error: ERR_SYSTEM: "), told.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_is_no_backup_is_told_in_a_line_and_leaves_nothing_behind(tmp_path: Path) -> None:
    torn, foreign, served = (tmp_path / name for name in ("torn", "foreign", "served"))
    for folder in (torn, foreign, served):
        folder.mkdir()
        with closing(sqlite3.connect(folder / FILE)) as database, database:
            database.execute("CREATE TABLE other (name TEXT)")
            database.executemany("INSERT INTO other VALUES (?)", [("x" * 500,)] * 100)
    with (torn / FILE).open("r+b") as file:
        file.seek(4096)
        file.write(bytes(8192))
    (served / f"{FILE}-wal").write_bytes(b"what came since")
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / FILE).write_text("no database at all")
    expected = {"torn": "DAMAGED", "foreign": "DAMAGED", "text": "DAMAGED", "served": "ERR_BACKUP_SERVED"}
    for name, code in expected.items():
        with pytest.raises(Refusal, match=code):
            restore(tmp_path / name, tmp_path / "data")
        assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(("url", "by"), [("postgresql://nowhere/codriver", "pg_dump"), ("sqlite:///x.db", "sqlite3")])
def test_a_database_that_lies_elsewhere_is_backed_up_by_its_own_means(tmp_path: Path, url: str, by: str) -> None:
    settings = Settings(data_dir=tmp_path, database_url=url)
    for command in (operator.back_up, operator.restore):
        with pytest.raises(Refusal, match=f"ERR_BACKUP_ELSEWHERE.* by {by}"):
            command(settings, tmp_path / "copy")
