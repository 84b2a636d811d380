"""A short day of a small fleet in a hostile scenario, through a real server: what the simulator does with it."""

import json
import os
import signal
import subprocess
import sys
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.serving import ROOT, Phone, Server, eventually
from tests.whole_day.hostile import DATE, Running, command, simulate


def test_two_processes_drive_one_fleet_and_report_as_one(server, company, seed, tmp_path: Path):
    options = ("--seed", str(seed), "--speed", "5000", "--processes", "2", "--watch", "3")
    report = simulate(company, tmp_path, *options)
    assert report["ok"] and (report["drivers"], report["orders"]) == (4, 30)
    assert report["orderStatuses"]["checked"] == 30
    assert report["positions"]["stored"] == report["positions"]["sent"] > 1000
    assert sum(report["histograms"]["acknowledgementMs"].values()) > 300
    assert "--watch 3 --processes 2 --verify" in report["command"] and report["live"]["maps"] == 5


def test_drivers_whom_nobody_planned_for_make_rounds(server, company, seed, tmp_path: Path):
    options = ("--seed", str(seed), "--speed", "5000", "--orders", "0", "--transport", "ws", "--for", "3")
    report = simulate(company, tmp_path, *options)
    assert report["ok"] and (report["drivers"], report["orders"]) == (4, 0)
    assert report["positions"]["stored"] > 300
    most = (report["driversOut"] + 0.5) / report["cpu"]  # delivering what was left over is not in ``cpu``
    assert 0 < report["driversPerCore"] <= most + 1, report


@pytest.mark.timeout(280)
def test_a_run_goes_on_after_the_server_and_the_simulator_were_killed(tmp_path: Path, seed):
    server = Server(tmp_path / "data").start()
    try:
        company = server.account()
        with Running(company, tmp_path, "--seed", str(seed), "--speed", "400") as running:
            assert running.reaches(80)
            server.kill()
            server.start()
            assert running.reaches(200)
            state = running.state
        report = simulate(company, tmp_path, "--state", str(state), "--resume", "--speed", "5000")
        assert report["ok"] and report["positions"]["stored"] == report["positions"]["sent"]
        again = simulate(company, tmp_path, "--state", str(state))
        assert again["positions"] == report["positions"] and again["actions"] == report["actions"]
    finally:
        server.stop()


def test_a_day_that_was_begun_and_changed_before_can_be_driven_once_more_otherwise(
    server, company, seed, tmp_path: Path
):
    """What had ended already, or was cancelled, was told as wrong."""
    fast = ("--speed", "5000", "--watch", "3")
    simulate(company, tmp_path, "--seed", str(seed), "--speed", "5000", "--for", "2")
    routes = company.client.get("/api/routes", params={"date": DATE}).json()["items"]
    last = next(route["stops"][-1]["orderId"] for route in routes if route["stops"])
    said = {"updates": [{"id": last, "data": {"status": "cancelled"}}]}
    assert company.client.post("/v1/update_completion_details", json=said).json()["success"]
    for number in (1, 2):
        report = simulate(company, tmp_path, "--seed", str(seed + number), *fast)
        assert report["ok"] and report["orderStatuses"]["checked"] == 30


def test_what_somebody_else_changed_afterwards_is_found(server, company, seed, tmp_path: Path):
    state = tmp_path / "state.jsonl"
    options = ("--state", str(state), "--seed", str(seed))
    simulate(company, tmp_path, *options, "--speed", "5000")
    strangers = (company.phone(driver["id"]) for driver in company.client.get("/api/drivers").json()["items"])
    stranger, route, done = next(found for each in strangers if (found := _delivered(each)))
    late = datetime.fromisoformat(route["stops"][-1]["departureTime"]).timestamp() + 7200
    fix = {"timestamp": late, "latitude": 45.8, "longitude": 15.97}
    undone = {"id": str(uuid.uuid4()), "action": "failed", "timestamp": late, "orderId": done["orderId"]}
    assert stranger.client.post("/driver/v1/positions", json={"positions": [fix]}).json()["accepted"] == 1
    assert stranger.client.post("/driver/v1/actions", json={"actions": [undone]}).json()["actions"][0]["success"]
    ended = subprocess.run(command(company, tmp_path, *options), cwd=ROOT, capture_output=True, timeout=100)
    assert ended.returncode == 1
    report = json.loads((tmp_path / "report.json").read_text())
    assert not report["ok"]
    assert report["positions"]["wrong"] == 1 and report["orderStatuses"]["wrong"] == 1
    assert report["actions"]["wrong"] >= 1
    assert "never sent" in report["faults"]["positions"]["wrong"][0]
    assert done["orderId"] in report["faults"]["orderStatuses"]["wrong"][0]


def _delivered(phone: Phone) -> tuple[Phone, dict[str, Any], dict[str, Any]] | None:
    """The driver's route, and a stop of it that went well."""
    route = phone.client.get("/driver/v1/route", params={"date": DATE}).json()["route"]
    done = [stop for stop in route["stops"] if stop["status"] == "success"] if route else []
    return (phone, route, done[0]) if done else None


def test_photos_that_a_server_will_not_take_are_told_as_trouble(tmp_path: Path, seed):
    server = Server(tmp_path / "data", environment={"CODRIVER_MAX_ATTACHMENT_BYTES": "4000"}).start()
    try:
        company = server.account()
        options = ("--speed", "5000", "--seed", str(seed))
        ended = subprocess.run(command(company, tmp_path, *options), cwd=ROOT, capture_output=True, timeout=150)
    finally:
        server.stop()
    assert ended.returncode == 1
    report = json.loads((tmp_path / "report.json").read_text())
    assert not report["ok"] and report["attachments"]["lost"] == 0
    assert report["attachments"]["acknowledged"] < report["attachments"]["sent"]
    assert report["positions"]["stored"] == report["positions"]["sent"] and report["orderStatuses"]["wrong"] == 0
    assert any("refused with" in trouble for trouble in report["troubles"])


def test_the_demo_ends_by_itself_and_finds_nothing_lost(tmp_path: Path):
    report = tmp_path / "report.json"
    demo = (sys.executable, "-m", "backend.cli", "demo", "--for", "8", "--no-browser", "--port", "0")
    size = ("--drivers", "6", "--orders", "60", "--speed", "120", "--report", str(report))
    ended = subprocess.run([*demo, *size], cwd=ROOT, capture_output=True, text=True, timeout=180)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    told = json.loads(report.read_text())
    assert told["ok"] and told["orders"] == 60 and told["positions"]["stored"] > 100
    assert "/map#key=" in ended.stderr + ended.stdout


def test_ctrl_c_ends_the_demo_clean(tmp_path: Path):
    demo = (sys.executable, "-m", "backend.cli", "demo", "--no-browser", "--port", "0", "--data", str(tmp_path / "d"))
    running = subprocess.Popen(
        [*demo, "--drivers", "3", "--orders", "20", "--speed", "60"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        address = next(line.split()[1] for line in running.stderr or () if line.startswith("map "))
        url, _, key = address.partition("/map#key=")
        events = f"{url}/api/events"
        eventually(lambda: httpx.get(events, params={"key": key}).json()["items"], within_s=60, what="the first event")
        running.send_signal(signal.SIGINT)
        running.send_signal(signal.SIGINT)
        out, trouble = running.communicate(timeout=90)
    finally:
        running.kill()
    assert running.returncode == 0, out + trouble
    assert "Traceback" not in out + trouble
    assert "Nothing lost" in out


def test_the_server_of_a_demo_that_is_killed_ends_with_it(tmp_path: Path):
    data = tmp_path / "d"
    demo = (sys.executable, "-m", "backend.cli", "demo", "--no-browser", "--port", "0", "--data", str(data))
    running = subprocess.Popen([*demo, "--drivers", "3", "--orders", "20"], cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        log = data / "demo.log"
        eventually(lambda: log.exists() and "Codriver serves on" in log.read_text(), within_s=60, what="its server")
        holder = int((data / "codriver.db.lock").read_text())
        assert _runs(holder) and holder != running.pid
    finally:
        running.kill()
        running.wait(60)
    eventually(lambda: not _runs(holder), within_s=90, what="the end of its server")


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
