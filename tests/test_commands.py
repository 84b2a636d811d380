"""The commands of the operator, and what they say of mistakes."""

import os
import threading
from pathlib import Path

import httpx
import pytest

from backend import operator
from backend.app import open_desk
from backend.domain.errors import Refusal
from backend.service.desk import Clock
from backend.settings import Settings
from backend.store.database import Database
from tests.places.standin import StandIn
from tests.serving import Server, codriver


def test_a_second_server_on_a_data_folder_leaves_the_first_one_as_it_was(tmp_path: Path) -> None:
    data = tmp_path / "data"
    first = Server(data).start()
    try:
        second = codriver("serve", "--port", 0, "--data", data)
        assert second.returncode != 0 and "ERR_STORAGE_LOCKED" in second.stderr
        assert (data / "address").read_text().strip() == first.url
        created = codriver("account", "create", "Green Vans", "--data", data)
        assert created.returncode == 0, created.stderr
        headers = {"Authorization": f"Bearer {created.stdout.strip()}"}
        assert httpx.get(f"{first.url}/api/drivers", headers=headers, timeout=20).status_code == 200
    finally:
        first.stop()
    assert not (data / "address").exists()


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("LOG_LEVEL", "loud", "is one of DEBUG, INFO, WARNING, ERROR, CRITICAL, not 'loud'"),
        ("LOG_FORMAT", "xml", "is one of text, json, not 'xml'"),
        ("MAX_ATTACHMENT_BYTES", "-5", "cannot be '-5'"),
        ("MAX_ATTACHMENT_BYTES", "much", "cannot be 'much'"),
        ("MAX_CONCURRENT_REQUESTS", "-1", "cannot be '-1'"),
        ("PUBLIC_URL", "drive.example.com", "must begin with http:// or https://"),
    ],
)
def test_a_setting_that_does_not_fit_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(f"CODRIVER_{variable}", value)
    with pytest.raises(Refusal) as refused:
        Settings.from_environment()
    assert refused.value.code == "ERR_SETTING_INVALID"
    assert refused.value.text.startswith(f"CODRIVER_{variable} {said}")


async def test_what_was_started_is_stopped_where_what_comes_after_it_cannot_be(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, geocoder="photon+http://[")
    before = set(threading.enumerate())
    with pytest.raises(ValueError, match="Invalid IPv6 URL"):
        async with open_desk(settings, Clock(), ""):
            pass
    assert [thread.name for thread in set(threading.enumerate()) - before if "journal" in thread.name] == []


def test_a_data_folder_that_cannot_be_made_is_told_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for command in (["serve", "--port", "0"], ["account", "create", "Green Vans"]):
        told = codriver(*command, "--data", tmp_path / "file" / "data")
        assert told.returncode != 0 and "ERR_STORAGE" in told.stderr and "Traceback" not in told.stderr, told.stderr


@pytest.mark.parametrize("address", [None, "", "http://["], ids=["another program's", "empty", "no address"])
def test_who_answers_at_the_servers_address_and_is_not_the_server_is_told_in_a_line(
    tmp_path: Path, address: str | None
) -> None:
    held, other = Database.open(tmp_path), StandIn()
    (tmp_path / "address").write_text(other.url if address is None else address)
    try:
        with pytest.raises(Refusal, match="ERR_SERVER"):
            operator.create_account(Settings(data_dir=tmp_path), "Green Vans", None)
    finally:
        other.close()
        held.close()


def test_an_address_that_cannot_be_taken_away_does_not_disturb_the_end(tmp_path: Path) -> None:
    with operator.serving_at(Settings(data_dir=tmp_path), "http://127.0.0.1:1"):
        (tmp_path / "address").unlink()
        (tmp_path / "address").mkdir()


def test_a_secret_that_a_process_of_the_same_number_left_half_made_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / f"secret.{os.getpid()}").write_bytes(b"12")
    made = Settings(data_dir=tmp_path).secret()
    assert len(made) == 64 and Settings(data_dir=tmp_path).secret() == made
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret", f"secret.{os.getpid()}"]
