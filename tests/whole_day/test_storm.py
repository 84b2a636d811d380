"""The storm preset, as it is, against a server that is killed in the middle of it; the simulator too, in any order."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.serving import ROOT, Company, Server, eventually

DATE = "2026-03-02"


class Storm:
    """A small fleet in the storm preset that keeps its truth in a file."""

    def __init__(self, server: Server, company: Company, folder: Path, seed: int) -> None:
        self.server, self.company, self.folder, self.seed = server, company, folder, seed
        self.state, self.report = folder / "state.jsonl", folder / "report.json"
        self.running: subprocess.Popen[str] | None = None

    def begin(self, *options: str, speed: int = 1500) -> None:
        command = [sys.executable, "-m", "backend.cli", "simulate", "--url", self.server.url, "--date", DATE]
        size = ["--key", self.company.key, "--drivers", "4", "--orders", "20", "--speed", str(speed)]
        chance = ["--scenario", "storm", "--transport", "ws", "--seed", str(self.seed)]
        kept = ["--state", str(self.state), "--verify", "--report", str(self.report)]
        self.running = subprocess.Popen(
            [*command, *size, *chance, *kept, *options],
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def acknowledged(self) -> int:
        return self.state.read_bytes().count(b'"type":"ack"') if self.state.exists() else 0

    def reaches(self, more: int) -> bool:
        """Wait until so many more messages are acknowledged, in the middle of whatever goes on then; False where the
        fleet is home before."""
        wanted, running = self.acknowledged() + more, self.running
        assert running is not None

        def there() -> bool:
            return self.acknowledged() >= wanted or running.poll() is not None

        eventually(there, within_s=150, what=f"{wanted} acknowledgements")
        return running.poll() is None

    def kill(self) -> None:
        assert self.running is not None
        self.running.send_signal(signal.SIGKILL)
        self.running.communicate(timeout=100)

    def told(self) -> dict:
        assert self.running is not None
        out, _ = self.running.communicate(timeout=170)
        assert self.running.returncode == 0, out[-6000:] + self.server.tail()
        return json.loads(self.report.read_text())


@pytest.mark.timeout(280)
@pytest.mark.parametrize("killed", ["server", "server simulator", "simulator server simulator"])
def test_a_storm_ends_well_whoever_is_killed_in_the_middle_of_it(tmp_path: Path, seed: int, killed: str):
    server = Server(tmp_path / "data").start()
    storm = Storm(server, server.account(), tmp_path, seed)
    try:
        storm.begin()
        for number, victim in enumerate(killed.split()):
            if not storm.reaches(50):  # while the server was away the day went on, for long on a busy machine
                assert number > 0
                break
            if victim == "server":
                server.kill()
                server.start()
            else:
                storm.kill()
                storm.begin("--resume")
        report = storm.told()
        assert report["ok"] is True and report["scenarioName"] == "storm" and report["seed"] == seed
        assert report["positions"]["stored"] == report["positions"]["sent"] > 1000
        assert report["attachments"]["stored"] == report["attachments"]["sent"] > 10
        assert report["orderStatuses"]["checked"] == 20
        storm.begin()
        again = storm.told()
        for kind in ("positions", "actions", "attachments", "orderStatuses", "seed", "scenario"):
            assert again[kind] == report[kind]
        assert "--scenario storm" in again["command"] and f"--seed {seed}" in again["command"]
    finally:
        if storm.running is not None and storm.running.poll() is None:
            storm.kill()
        server.kill()
