"""``make load``: a server of its own on an empty data folder, an account with a sent plan, and locust against it.

python -m loadtests.run --locust PATH [--shape steady] [further options of locust]

The exit code is locust's: 1 where a gate was not passed, 3 where the load generator was too slow itself.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from simulator.account import SetupFailed
from simulator.crew import prepare
from simulator.options import Options

ROOT = Path(__file__).resolve().parents[1]
DAYS_BACK = 28
"""As in ``loadtests.world``, which is of another environment."""
DRIVERS, ORDERS = 25, 250
STOP_S = 30
INTERRUPTED = 130
MEANT = {
    0: "passed",
    1: "NOT PASSED: see the lines above that begin with GATE",
    3: "NOT MEASURED: the load generator was too slow itself, see the line above that begins with GENERATOR",
}
"""Exit codes of ``loadtests.gates``, which is of another environment."""


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--locust", default="locust", help="The locust to run.")
    parser.add_argument("--shape", default="steady")
    own, further = parser.parse_known_args()
    with tempfile.TemporaryDirectory(prefix="codriver-load-") as scratch, _serving(Path(scratch)) as (url, server):
        key = _account(Path(scratch))
        date = (datetime.now(UTC) - timedelta(days=DAYS_BACK)).date().isoformat()
        print(f"planning {ORDERS} orders for {DRIVERS} drivers …", flush=True)
        try:
            asyncio.run(prepare(Options(url=url, key=key, date=date, drivers=DRIVERS, orders=ORDERS)))
        except (SetupFailed, OSError) as error:
            raise SystemExit(f"the account could not be prepared: {error}") from error
        command = [own.locust, "-f", "loadtests/locustfile.py", "--headless", "--host", url, "--shape", own.shape]
        environment = {**os.environ, "CODRIVER_KEY": key, "PYTHONPATH": str(ROOT)}
        begun = time.monotonic()
        load = subprocess.Popen([*command, "--only-summary", *further], cwd=ROOT, env=environment)
        try:
            code = load.wait()
        except KeyboardInterrupt:  # locust got it too, and tells what it measured so far
            code = _ended(load) or INTERRUPTED
        if server.poll() is not None:
            print(f"the server ended by itself: {(Path(scratch) / 'server.log').read_text()[-2000:]}")
            return 1
        if waits := _processor(server.pid):
            used, waited = waits
            print(
                f"the server used {used:.1f} s of a processor in {time.monotonic() - begun:.0f} s, and waited "
                f"{waited:.1f} s until it got one"
            )
        print(MEANT.get(code, f"locust ended with exit code {code}"))
        return code


@contextmanager
def _serving(data: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A server, and its address. Its input is held open, so that it ends with a load test that is killed."""
    command = [sys.executable, "-m", "backend.cli", "serve", "--port", "0", "--data", str(data), "--ends-with-input"]
    pipe = subprocess.PIPE
    with (data / "server.log").open("wb") as log:
        server = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=log, text=True, cwd=ROOT)
    try:
        told = server.stdout.readline() if server.stdout else ""
        found = re.search(r"http://\S+", told)
        if found is None:
            raise SystemExit(f"the server did not start: {(data / 'server.log').read_text()[-2000:]}")
        yield found[0], server
    finally:
        server.terminate()
        _ended(server)


def _ended(process: subprocess.Popen[Any]) -> int:
    """The exit code of a process that was told to end, which is killed where it does not."""
    try:
        return process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _processor(pid: int) -> tuple[float, float] | None:
    """Seconds for which a process's threads had a processor, and for which they were ready and had none: it is then
    the machine that is too small or busy, not the server that is slow. Linux alone tells it.
    """
    counted = []
    for entry in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with suppress(OSError):  # a thread that ended just now
            counted.append(entry.read_text().split())
    return (sum(int(c[0]) for c in counted) / 1e9, sum(int(c[1]) for c in counted) / 1e9) if counted else None


def _account(data: Path) -> str:
    """The tenant key of a new account."""
    command = [sys.executable, "-m", "backend.cli", "account", "create", "Load", "--data", str(data)]
    made = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True).stdout
    return made.split()[-1]


if __name__ == "__main__":
    sys.exit(main())
