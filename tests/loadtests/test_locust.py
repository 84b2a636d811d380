"""The load tests themselves, run by locust against a server that is held up. `make load` makes their environment."""

import contextlib
import csv
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.serving import ROOT, Server, eventually, held_port

LOCUST = ROOT / ".venv-load" / "bin" / "locust"
RATE = 30  # requests a second that are due in this shape
SECONDS = 200
STALL_S = 2.0


def told(file: Path) -> dict[str, str]:
    """What is told of the requests that come by themselves; nothing before there are any, or while it is written."""
    with contextlib.suppress(OSError), file.open(newline="") as rows:
        return next((row for row in csv.DictReader(rows) if row["Type"] == "OPEN" and row.get("100%")), {})
    return {}


def arrived(file: Path) -> int:
    return int(told(file).get("Request Count", 0))


@pytest.mark.skipif(not LOCUST.exists(), reason="there is no .venv-load: make .make/load")
def test_what_comes_by_itself_while_the_server_stalls_counts_from_when_it_was_due(tmp_path: Path):
    """Two processes share the requests; thirty a second go on coming, so that a stall of two seconds is felt by sixty
    of them. Users who wait for their answers would have sent eight, and called it a good day. On a machine that is slow
    to see the first arrivals the stall is longer, so that it is as large a part of the run.
    """
    server = Server(tmp_path / "data").start()
    command = [str(LOCUST), "-f", "loadtests/locustfile.py", "--headless", "--host", server.url, "--only-summary"]
    command += ["--seconds", str(SECONDS), "--processes", "2", "--csv", str(tmp_path / "load")]
    stats = tmp_path / "load_stats.csv"
    held = held_port()
    port = str(held.getsockname()[1])  # its processes would meet at the same port in every run on this machine
    command += ["--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--master-port", port]
    try:
        key = server.account().key
        load = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "CODRIVER_KEY": key, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            eventually(lambda: arrived(stats), within_s=120, what="the first arrivals")
            began = time.monotonic()
            eventually(lambda: arrived(stats) > 3 * RATE, within_s=60, what="more of them")
            stall_s = max(STALL_S, (time.monotonic() - began) / 2)
            assert server.process is not None
            server.process.send_signal(signal.SIGSTOP)
            time.sleep(stall_s)  # what is tested is this: a server that does nothing for so long
            server.process.send_signal(signal.SIGCONT)
            due = arrived(stats) + RATE * stall_s
            eventually(lambda: arrived(stats) > due, within_s=60, what="what was due meanwhile")
            load.send_signal(signal.SIGINT)  # it ends as after its last second
            said, _ = load.communicate(timeout=120)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(load.pid, signal.SIGKILL)  # with its workers
            load.wait(60)
    finally:
        server.kill()
    row = told(stats)
    assert arrived(stats) > due and row["Failure Count"] == "0", said
    assert float(row["99%"]) > 0.75 * stall_s * 1000 and float(row["90%"]) > 300, said
    assert "GATE OPEN arriving positions" in said, said
    assert load.returncode == (3 if "GENERATOR" in said else 1), f"a crowded machine holds the load itself up: {said}"
