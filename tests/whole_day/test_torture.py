"""A server that is killed again and again while fleets drive: `make torture` kills it two hundred times."""

import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.serving import ROOT, Company, Server, eventually

DATE = "2026-03-02"
SCENARIOS = ("storm", "hostile", "rural", "city")
APART = (15, 120)
"""So many acknowledgements between two kills."""


class Fleet:
    """One run of the simulator, which keeps its truth in a file."""

    def __init__(self, server: Server, company: Company, folder: Path, seed: int, number: int) -> None:
        self.state, self.report = folder / f"state-{number}.jsonl", folder / f"report-{number}.json"
        self.scenario = SCENARIOS[number % len(SCENARIOS)]
        command = [sys.executable, "-m", "backend.cli", "simulate", "--url", server.url, "--key", company.key]
        size = ["--date", DATE, "--drivers", "6", "--orders", "48", "--speed", "600", "--watch", "1"]
        chance = ["--seed", str(seed), "--scenario", self.scenario, "--transport", ("ws", "http")[number % 2]]
        kept = ["--state", str(self.state), "--verify", "--report", str(self.report)]
        self.log = (folder / f"fleet-{number}.log").open("w+")
        self.process = subprocess.Popen([*command, *size, *chance, *kept], cwd=ROOT, stdout=self.log, stderr=self.log)

    def acknowledged(self) -> int:
        return self.state.read_bytes().count(b'"type":"ack"') if self.state.exists() else 0

    def over(self) -> bool:
        return self.process.poll() is not None

    def reaches(self, count: int) -> None:
        """Wait for so many acknowledgements, or the end."""
        eventually(lambda: self.over() or self.acknowledged() >= count, within_s=120, what=f"{count} acknowledgements")

    def told(self) -> dict[str, Any]:
        """The report, once the fleet has come home."""
        code = self.process.wait(240)
        self.log.seek(0)
        assert code == 0, f"{self.scenario}: {self.log.read()[-6000:]}"
        self.log.close()
        return json.loads(self.report.read_text())


@pytest.mark.timeout(7200)
def test_nothing_acknowledged_is_lost_or_doubled_however_often_the_server_is_killed(
    tmp_path: Path, seed: int, request: pytest.FixtureRequest
) -> None:
    kills, rng = request.config.option.kills, random.Random(seed)
    server = Server(tmp_path / "data").start()
    killed = number = 0
    fleet = None
    reports = []
    try:
        while killed < kills:
            fleet = Fleet(server, server.account(), tmp_path, seed + number, number)
            fleet.reaches(20)
            while killed < kills and not fleet.over():
                fleet.reaches(fleet.acknowledged() + rng.randint(*APART))
                time.sleep(rng.uniform(0, 0.05))  # at any moment of a commit, not right after an answer
                server.kill()
                server.start()
                killed += 1
            reports.append(fleet.told())
            number += 1
            print(f"{killed} kills, {number} fleets: {reports[-1]['positions']}", flush=True)
    finally:
        if fleet is not None:
            fleet.process.kill()
        server.kill()
    assert all(report["ok"] for report in reports)
    assert sum(report["positions"]["stored"] for report in reports) > 100 * kills
