"""The load tests themselves, run by locust against a server that is held up. `make load` makes their environment."""

import contextlib
import csv
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from tests.serving import ROOT, Server, eventually

LOCUST = ROOT / ".venv-load" / "bin" / "locust"
SECONDS = 10
STALL_S = 2.0


def stored(server: Server) -> float:
    """Positions that the server has taken so far."""
    lines = httpx.get(f"{server.url}/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("codriver_positions_total"))


@pytest.mark.skipif(not LOCUST.exists(), reason="there is no .venv-load: make .make/load")
def test_what_comes_by_itself_while_the_server_stalls_counts_from_when_it_was_due(tmp_path: Path):
    """Two processes share the requests; thirty a second go on coming, so that a stall of two seconds is felt by sixty
    of them. Users who wait for their answers would have sent eight, and called it a good day.
    """
    server = Server(tmp_path / "data").start()
    command = [str(LOCUST), "-f", "loadtests/locustfile.py", "--headless", "--host", server.url, "--only-summary"]
    command += ["--seconds", str(SECONDS), "--processes", "2", "--csv", str(tmp_path / "load")]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])  # its processes would meet at the same port in every run on this machine
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
            eventually(lambda: stored(server) > 300, within_s=60, what="the first arrivals")
            assert server.process is not None
            server.process.send_signal(signal.SIGSTOP)
            time.sleep(STALL_S)  # what is tested is this: a server that does nothing for so long
            server.process.send_signal(signal.SIGCONT)
            said, _ = load.communicate(timeout=120)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(load.pid, signal.SIGKILL)  # with its workers
            load.wait(10)
    finally:
        server.kill()
    with (tmp_path / "load_stats.csv").open(newline="") as file:
        row = next(row for row in csv.DictReader(file) if row["Type"] == "OPEN")
    assert int(row["Request Count"]) > 0.6 * 30 * SECONDS and row["Failure Count"] == "0", said
    assert float(row["99%"]) > 0.75 * STALL_S * 1000 and float(row["90%"]) > 300, said
    assert "GATE OPEN arriving positions" in said, said
    assert load.returncode == (3 if "GENERATOR" in said else 1), f"a crowded machine holds the load itself up: {said}"
