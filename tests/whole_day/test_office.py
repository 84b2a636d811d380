"""The office changes the day while it is driven: phones take over what their routes become, and so does the truth."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.serving import ROOT, Company, Server

DATE = "2026-03-02"
SCENARIO = """
[office]
changes_per_day = 60
cancelled = 0.3
moved = 0.4
"""


def drive(server: Server, company: Company, folder: Path, *options: str) -> dict[str, Any]:
    """The report of a fleet whose office changes its mind every few minutes."""
    scenario, report = folder / "office.toml", folder / "report.json"
    scenario.write_text(SCENARIO)
    command = [sys.executable, "-m", "backend.cli", "simulate", "--url", server.url, "--key", company.key]
    size = ["--date", DATE, "--drivers", "4", "--orders", "32", "--scenario", str(scenario)]
    kept = ["--state", str(folder / "state.jsonl"), "--verify", "--report", str(report)]
    ended = subprocess.run([*command, *size, *kept, *options], cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert ended.returncode == 0, ended.stdout + ended.stderr + server.tail()
    return json.loads(report.read_text())


@pytest.mark.timeout(400)
@pytest.mark.parametrize("transport", ["http", "ws"])
def test_phones_and_the_truth_follow_an_office_that_cancels_moves_and_plans_anew(
    server: Server, tmp_path: Path, seed: int, transport: str
):
    for speed in ("900", "300"):  # on a machine where hardly a plan comes before the day is over, a slower one
        company, folder = server.account(), tmp_path / speed
        folder.mkdir()
        company.client.patch("/api/settings", json={"planningSeconds": 1})
        options = ("--transport", transport, "--seed", str(seed), "--speed", speed)
        report = drive(server, company, folder, *options)
        assert report["ok"], report
        done = report["injected"]
        print(speed, done)
        if done.get("route changed"):
            break
    assert sum(done.get(what, 0) for what in ("order cancelled", "order moved", "re-planned")) > 0, done
    assert done["route changed"] > 0, done
    assert report["orderStatuses"]["checked"] == 32
    again = drive(server, company, folder, *options)
    for kind in ("positions", "actions", "attachments", "orderStatuses"):
        assert again[kind] == report[kind]
