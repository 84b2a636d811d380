"""A real van's recorded day, driven through a real server: what is stored is exactly what was recorded."""

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.serving import ROOT, Company, Server

RECORDED = "2022-06-03"


def replay(server: Server, company: Company, track: Path, report: Path, *options: str) -> dict:
    """Run the simulator on a recorded track; its report."""
    command = [sys.executable, "-m", "backend.cli", "simulate", "--url", server.url, "--key", company.key]
    given = ["--date", RECORDED, "--replay", str(track), "--verify", "--report", str(report), "--speed", "100000"]
    ended = subprocess.run([*command, *given, *options], cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return json.loads(report.read_text())


@pytest.mark.parametrize("transport", ["http", "ws"])
def test_the_stored_track_is_exactly_the_recorded_one(server, company, shared, tmp_path: Path, transport: str):
    track = shared("data/van-day.csv")
    report = replay(server, company, track, tmp_path / "report.json", "--transport", transport)
    assert report["ok"] and report["positions"]["stored"] == 555
    driver = company.client.get("/api/drivers").json()["items"][0]
    answer = company.client.get(f"/api/drivers/{driver['id']}/track", params={"from": "2022-06-03T00:00:00Z"})
    stored = answer.json()["items"]
    rows = [line.split(",") for line in track.read_text().splitlines()[1:]]
    assert [(fix["timestamp"], fix["latitude"], fix["longitude"], fix.get("accuracy")) for fix in stored] == [
        (float(row[0]), float(row[1]), float(row[2]), float(row[3]) if row[3] else None) for row in rows
    ]
    for fix, row in zip(stored, rows, strict=True):
        speed = float(row[4]) if row[4] else None
        assert fix.get("speed") == (speed if speed is None or speed >= 0 else None)
        assert fix.get("heading") == (float(row[5]) if row[5] else None)


def test_a_second_replay_stores_nothing_twice(server, company, shared, tmp_path: Path):
    track = shared("data/van-day.csv")
    for number in (1, 2):
        report = replay(server, company, track, tmp_path / f"{number}.json")
        counts = report["positions"]
        assert (counts.pop("sent"), counts.pop("acknowledged"), counts.pop("stored")) == (555, 555, 555)
        assert set(counts) == {"lost", "duplicated", "wrong", "late", "withheld"} and not any(counts.values())


def test_a_record_of_another_date_than_was_given_is_held_against_what_came_of_it_alone(
    server, company, shared, tmp_path: Path
):
    """What had been stored between the two dates before was told as never sent."""
    track = shared("data/van-day.csv")
    replay(server, company, track, tmp_path / "first.json")
    phone = company.phone(company.client.get("/api/drivers").json()["items"][0]["id"])
    between = {"timestamp": 1_655_000_000, "latitude": 45.8, "longitude": 15.97}  # 2022-06-12
    assert phone.client.post("/driver/v1/positions", json={"positions": [between]}).json()["accepted"] == 1
    report = replay(server, company, track, tmp_path / "second.json", "--date", "2022-07-14")
    assert report["ok"] and report["positions"]["stored"] == 555


@pytest.mark.parametrize("form", ["gpx", "geojson"])
def test_a_track_that_the_server_gives_out_can_be_replayed(server, company, shared, tmp_path: Path, form: str):
    replay(server, company, shared("data/van-day.csv"), tmp_path / "first.json")
    driver = company.client.get("/api/drivers").json()["items"][0]
    answer = company.client.get(f"/api/drivers/{driver['id']}/track", params={"format": form})
    again = tmp_path / f"track.{form}"
    again.write_bytes(answer.content)
    other = server.account()
    report = replay(server, other, again, tmp_path / "second.json")
    assert report["positions"]["stored"] == 555
    copy = other.client.get("/api/drivers").json()["items"][0]
    stored = [
        httpx.get(f"{server.url}/api/drivers/{who}/track", params={"key": key}).json()["items"]
        for who, key in ((driver["id"], company.key), (copy["id"], other.key))
    ]
    assert [[(fix["timestamp"], fix["latitude"], fix["longitude"]) for fix in track] for track in stored[:1]] == [
        [(fix["timestamp"], fix["latitude"], fix["longitude"]) for fix in stored[1]]
    ]
