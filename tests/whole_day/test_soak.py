"""Day after day on one server: what it takes up in a day it gives back. `make soak` drives a whole week."""

import contextlib
import json
import os
import re
import subprocess
import sys
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.serving import ROOT, Server, eventually

FIRST = date(2026, 3, 2)
GROWTH = 1.2
"""Of memory, from after the first day to after the last: allocators keep some, caches fill."""
SLACK_BYTES = 24 << 20
SOCKETS = 8
"""The server's own: where it listens, the loop's, its planner's, and one of this test's client."""


def drive(server: Server, key: str, day: date, folder: Path, seed: int) -> dict:
    report = folder / f"{day}.json"
    command = [sys.executable, "-m", "backend.cli", "simulate", "--url", server.url, "--key", key]
    command += ["--date", day.isoformat(), "--drivers", "8", "--orders", "80", "--speed", "3000", "--scenario", "city"]
    command += ["--transport", ("ws", "http")[day.day % 2], "--watch", "4", "--verify", "--report", str(report)]
    ended = subprocess.run([*command, "--seed", str(seed)], cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert ended.returncode == 0, ended.stdout + ended.stderr + server.tail()
    return json.loads(report.read_text())


def open_files(server: Server) -> Counter[str]:
    """How many, by what they are: connections, database, pipes."""
    assert server.process is not None
    found: Counter[str] = Counter()
    for entry in Path(f"/proc/{server.process.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found[re.sub(r"\W.*", "", Path(os.readlink(entry)).name)] += 1
    return found


def resident_bytes(server: Server) -> int:
    assert server.process is not None
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


@pytest.mark.timeout(7200)
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads what a process holds from /proc")
def test_memory_and_files_are_given_back_day_after_day(tmp_path: Path, seed: int, request: pytest.FixtureRequest):
    server = Server(tmp_path / "data").start()
    try:
        company = server.account()
        drive(server, company.key, FIRST, tmp_path, seed)
        # Connections that clients left behind end by their deadlines.
        eventually(lambda: open_files(server)["socket"] <= SOCKETS, within_s=90, what="the end of the connections")
        files = open_files(server)
        before = resident_bytes(server)
        for later in range(1, request.config.option.days):
            report = drive(server, company.key, FIRST + timedelta(days=later), tmp_path, seed + later)
            print(f"day {later + 1}: {report['positions']['stored']} positions, {resident_bytes(server) >> 20} MB")
        eventually(lambda: open_files(server)["socket"] <= SOCKETS, within_s=90, what="the end of the connections")
        assert open_files(server).total() <= files.total() + 2, f"{files} after a day, {open_files(server)} after all"
        after = resident_bytes(server)
        assert after < GROWTH * before + SLACK_BYTES, f"{before >> 20} MB after a day, {after >> 20} MB after all"
    finally:
        server.kill()
