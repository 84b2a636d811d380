"""A short day of a small fleet in a hostile scenario, through a real server, and what is left of it after crashes of
either side.
"""

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import redis_server
from tests.postgresql import Cluster
from tests.redis_server import RedisServer
from tests.serving import ROOT, Company, Server, eventually

DATE = "2026-03-02"
HOSTILE = """
[gps]
accuracy_m = 12
dropouts_per_hour = 3

[network]
gaps_per_hour = 2
gap_s = [60, 1200]
duplicates = 0.2
reordering = 0.2
lost_answers = 0.1

[clock]
offset_s = [-40, 40]

[outcome]
failed = 0.2
rejected = 0.1

[proof]
signature = 0.7
photo = 0.5
most_photos = 2
barcode_trouble = 0.3
later = 0.3

[app]
restarts_per_day = 8
"""


def command(server: Server, company: Company, tmp_path: Path, *options: str) -> list[str]:
    scenario = tmp_path / "hostile.toml"
    scenario.write_text(HOSTILE)
    return [
        *(sys.executable, "-m", "backend.cli", "simulate", "--url", server.url, "--key", company.key),
        *("--date", DATE, "--drivers", "4", "--orders", "30", "--scenario", str(scenario)),
        *("--verify", "--report", str(tmp_path / "report.json"), *options),
    ]


def simulate(server: Server, company: Company, tmp_path: Path, *options: str) -> dict[str, Any]:
    """Run a fleet to its end; its report."""
    ended = subprocess.run(
        command(server, company, tmp_path, *options), cwd=ROOT, capture_output=True, text=True, timeout=170
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr + server.tail()
    return json.loads((tmp_path / "report.json").read_text())


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, postgresql: Cluster) -> Iterator[tuple[Server, RedisServer]]:
    """Two processes on PostgreSQL and Redis behind one address."""
    url = postgresql.fresh()
    with redis_server.running() as redis:
        environment = {"CODRIVER_DATABASE_URL": url, "CODRIVER_REDIS_URL": redis.url}
        server = Server(tmp_path_factory.mktemp("two") / "data", "--workers", "2", environment=environment).start()
        try:
            yield server, redis
        finally:
            server.kill()
    postgresql.drop(url)


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("processes", "transport"), [(1, "http"), (1, "ws"), (2, "ws")])
def test_a_hostile_day_loses_doubles_and_changes_nothing(
    request: pytest.FixtureRequest, seed, tmp_path: Path, processes: int, transport: str
):
    server = request.getfixturevalue("server") if processes == 1 else request.getfixturevalue("two")[0]
    company = server.account()
    report = simulate(
        server, company, tmp_path, "--seed", str(seed), "--transport", transport, "--speed", "3000", "--watch", "3"
    )
    assert report["ok"] and report["orders"] == 30
    for kind in ("positions", "actions", "attachments"):
        counts = report[kind]
        assert counts["sent"] == counts["acknowledged"] == counts["stored"] > 0
        assert counts["lost"] == counts["duplicated"] == counts["wrong"] == 0
    statuses = report["orderStatuses"]
    assert statuses["checked"] == 30 and statuses["wrong"] == 0
    assert statuses["success"] + statuses["failed"] + statuses["rejected"] > 20
    assert report["mapMs"]["p99"] > 0
    assert (report["live"]["maps"], report["live"]["recipients"]) == (4, 3)


@pytest.mark.timeout(240)
def test_a_day_on_a_postgresql_that_crashes_in_between_loses_doubles_and_changes_nothing(
    postgresql: Cluster, seed, tmp_path: Path
):
    url = postgresql.fresh()
    server = Server(tmp_path / "data", environment={"CODRIVER_DATABASE_URL": url}).start()
    try:
        company = server.account()
        state = tmp_path / "state.jsonl"
        options = ("--seed", str(seed), "--speed", "1500", "--transport", "ws", "--state", str(state))
        running = subprocess.Popen(
            command(server, company, tmp_path, *options), cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE
        )

        def acknowledged(count: int) -> bool:
            return state.exists() and state.read_bytes().count(b'"type":"ack"') >= count

        for count in (60, 160):
            eventually(lambda count=count: acknowledged(count), within_s=100, what="acknowledgements")
            postgresql.restart("immediate")
        out, trouble = running.communicate(timeout=170)
        assert running.returncode == 0, f"{out.decode()}{trouble.decode()}{server.tail()}"
        report = json.loads((tmp_path / "report.json").read_text())
        assert report["ok"] and report["positions"]["stored"] == report["positions"]["sent"]
        assert server.stop() == 0
        assert "Traceback" not in server.tail()
    finally:
        server.kill()
    postgresql.drop(url)


@pytest.mark.timeout(240)
def test_a_day_goes_on_when_one_of_two_processes_dies_and_redis_is_restarted(two, seed, tmp_path: Path):
    server, redis = two
    state = tmp_path / "state.jsonl"
    options = ("--seed", str(seed), "--speed", "1500", "--transport", "ws", "--watch", "3", "--state", str(state))
    running = subprocess.Popen(
        command(server, server.account(), tmp_path, *options),
        cwd=ROOT,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def acknowledged(count: int) -> bool:
        return state.exists() and state.read_bytes().count(b'"type":"ack"') >= count

    eventually(lambda: acknowledged(60), within_s=100, what="acknowledgements")
    before = server.workers()
    os.kill(before[0], signal.SIGKILL)
    eventually(lambda: acknowledged(160), within_s=100, what="more acknowledgements after a process died")
    redis.kill()
    redis.start()
    out, trouble = running.communicate(timeout=170)
    assert running.returncode == 0, f"{out}{trouble}{server.tail()}"
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["ok"] and report["positions"]["stored"] == report["positions"]["sent"]
    eventually(lambda: len(server.workers()) == 2 and before[1] in server.workers(), within_s=30)
    assert "Traceback" not in server.log.read_text()
    told = [each for each in figures(server) if each.startswith("codriver_positions_total")]
    assert [each.split("{")[1].split("}")[0] for each in told] == ['process="0"', 'process="1"']
    for name in ("codriver_commit_seconds_count", "codriver_joined"):
        assert all(float(each.split()[-1]) >= 1 for each in figures(server) if each.startswith(name))


def figures(server: Server) -> list[str]:
    return httpx.get(f"{server.url}/metrics").text.splitlines()


@pytest.mark.timeout(240)
def test_two_processes_drive_one_fleet_and_report_as_one(server, company, seed, tmp_path: Path):
    options = ("--seed", str(seed), "--speed", "5000", "--processes", "2", "--watch", "3")
    report = simulate(server, company, tmp_path, *options)
    assert report["ok"] and (report["drivers"], report["orders"]) == (4, 30)
    assert report["orderStatuses"]["checked"] == 30
    assert report["positions"]["stored"] == report["positions"]["sent"] > 1000
    assert sum(report["histograms"]["acknowledgementMs"].values()) > 300
    assert "--processes 2" in report["command"] and report["live"]["maps"] == 5


@pytest.mark.timeout(120)
def test_drivers_whom_nobody_planned_for_make_rounds(server, company, seed, tmp_path: Path):
    options = ("--seed", str(seed), "--speed", "5000", "--orders", "0", "--transport", "ws", "--for", "3")
    report = simulate(server, company, tmp_path, *options)
    assert report["ok"] and (report["drivers"], report["orders"]) == (4, 0)
    assert report["positions"]["stored"] > 300 and report["driversPerCore"] > 4


@pytest.mark.timeout(280)
def test_a_run_goes_on_after_the_server_and_the_simulator_were_killed(tmp_path: Path, seed):
    server = Server(tmp_path / "data").start()
    try:
        company = server.account()
        state = tmp_path / "state.jsonl"
        options = ("--seed", str(seed), "--speed", "400", "--state", str(state))
        running = subprocess.Popen(
            command(server, company, tmp_path, *options), cwd=ROOT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )

        def acknowledged(count: int) -> bool:
            return state.exists() and state.read_bytes().count(b'"type":"ack"') >= count

        eventually(lambda: acknowledged(80), within_s=100, what="the first acknowledgements")
        server.kill()
        server.start()
        eventually(lambda: acknowledged(200), within_s=60, what="more acknowledgements after the server's crash")
        running.send_signal(signal.SIGKILL)
        running.wait(10)
        report = simulate(server, company, tmp_path, "--state", str(state), "--resume", "--speed", "5000")
        assert report["ok"] and report["positions"]["stored"] == report["positions"]["sent"]
        again = simulate(server, company, tmp_path, "--state", str(state))
        assert again["positions"] == report["positions"] and again["actions"] == report["actions"]
    finally:
        server.stop()


@pytest.mark.timeout(240)
def test_what_somebody_else_changed_afterwards_is_found(server, company, seed, tmp_path: Path):
    state = tmp_path / "state.jsonl"
    options = ("--state", str(state), "--seed", str(seed))
    simulate(server, company, tmp_path, *options, "--speed", "5000")
    driver = next(d for d in company.client.get("/api/drivers").json()["items"] if d["externalId"] == "DRV001")
    stranger = company.phone(driver["id"])
    route = stranger.client.get("/driver/v1/route", params={"date": DATE}).json()["route"]
    late = datetime.fromisoformat(route["stops"][-1]["departureTime"]).timestamp() + 7200
    fix = {"timestamp": late, "latitude": 45.8, "longitude": 15.97}
    done = next(stop for stop in route["stops"] if stop["status"] == "success")
    undone = {"id": str(uuid.uuid4()), "action": "failed", "timestamp": late, "orderId": done["orderId"]}
    assert stranger.client.post("/driver/v1/positions", json={"positions": [fix]}).json()["accepted"] == 1
    assert stranger.client.post("/driver/v1/actions", json={"actions": [undone]}).json()["actions"][0]["success"]
    ended = subprocess.run(command(server, company, tmp_path, *options), cwd=ROOT, capture_output=True, timeout=100)
    assert ended.returncode == 1
    report = json.loads((tmp_path / "report.json").read_text())
    assert not report["ok"]
    assert report["positions"]["wrong"] == 1 and report["orderStatuses"]["wrong"] == 1
    assert report["actions"]["wrong"] >= 1
    assert "never sent" in report["faults"]["positions"]["wrong"][0]
    assert done["orderId"] in report["faults"]["orderStatuses"]["wrong"][0]


@pytest.mark.timeout(200)
def test_photos_that_a_server_will_not_take_are_told_as_trouble(tmp_path: Path, seed):
    server = Server(tmp_path / "data", environment={"CODRIVER_MAX_ATTACHMENT_BYTES": "4000"}).start()
    try:
        company = server.account()
        options = ("--speed", "5000", "--seed", str(seed))
        ended = subprocess.run(command(server, company, tmp_path, *options), cwd=ROOT, capture_output=True, timeout=150)
    finally:
        server.stop()
    assert ended.returncode == 1
    report = json.loads((tmp_path / "report.json").read_text())
    assert not report["ok"] and report["attachments"]["lost"] == 0
    assert report["attachments"]["acknowledged"] < report["attachments"]["sent"]
    assert report["positions"]["stored"] == report["positions"]["sent"] and report["orderStatuses"]["wrong"] == 0
    assert any("refused with" in trouble for trouble in report["troubles"])


@pytest.mark.timeout(200)
def test_the_demo_ends_by_itself_and_finds_nothing_lost(tmp_path: Path):
    report = tmp_path / "report.json"
    demo = (sys.executable, "-m", "backend.cli", "demo", "--for", "8", "--no-browser", "--port", "0")
    size = ("--drivers", "6", "--orders", "60", "--speed", "120", "--report", str(report))
    ended = subprocess.run([*demo, *size], cwd=ROOT, capture_output=True, text=True, timeout=180)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    told = json.loads(report.read_text())
    assert told["ok"] and told["orders"] == 60 and told["positions"]["stored"] > 100
    assert "/map#key=" in ended.stderr + ended.stdout


@pytest.mark.timeout(200)
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
