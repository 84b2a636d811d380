"""A server with an account, its drivers and their phones, and what the machine says of its process."""

import os
import re
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backend.domain.accounts import Account, Device, Office, Role, Settings
from backend.domain.drivers import Driver
from backend.service.identity import digest
from backend.store import fleet, people
from backend.store.database import Database

ROOT = Path(__file__).resolve().parents[2]
FIRST_MS = 1_767_000_000_000
KEY = "key-of-the-office-of-the-benchmark"


class Served:
    """`codriver serve` with a fleet of ``drivers``. ``port`` is where it listens, ``tokens`` are the phones'."""

    def __init__(self, folder: Path, drivers: int) -> None:
        self.folder, self.key = folder, KEY
        self.names = [f"D{number}" for number in range(drivers)]
        self.tokens = [f"token-of-phone-{number:06d}-which-is-as-long" for number in range(drivers)]
        self._prepare()
        self.process, self.port = self._start(0)

    def again(self) -> None:
        """Another process at the same address, once the first was stopped."""
        self.process, self.port = self._start(self.port)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def metric(self, name: str) -> float:
        """What `/metrics` says."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
            found = re.search(rf"^{name}(?:_total)?(?:{{.*}})? ([0-9.]+)", answer.read().decode(), re.MULTILINE)
        assert found, name
        return float(found[1])

    def processor_s(self) -> float:
        return processor_s(self.process.pid)

    def _start(self, port: int) -> tuple["subprocess.Popen[str]", int]:
        command = [sys.executable, "-m", "backend.cli", "serve", "--port", str(port), "--data", str(self.folder)]
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=(self.folder / "log").open("a"),
            text=True,
            cwd=ROOT,
            env=environment(),
        )
        assert process.stdout
        line = process.stdout.readline()
        if "serves on" not in line:
            raise SystemExit(f"the server did not start: {line}")
        return process, int(line.rsplit(":", 1)[1])

    def _prepare(self) -> None:
        database = Database.open(self.folder)
        account = Account("a" * 32, "Benchmark", Settings())
        conn = database.engine.writer
        with conn.begin():
            people.add_account(conn, account, FIRST_MS)
            people.add_key(conn, Office("b" * 32, account, Role.TENANT), "office", digest(KEY), FIRST_MS)
            drivers = [Driver(f"{number:032x}", name, name) for number, name in enumerate(self.names)]
            fleet.add_drivers(conn, account.id, drivers)
            for number, token in enumerate(self.tokens):
                device = Device(f"{number:032x}", account, f"{number:032x}")
                people.add_device(conn, device, digest(token), platform="", model="", app_version="", now_ms=FIRST_MS)
        database.close()


def environment() -> dict[str, str]:
    """For processes of ours."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), *sys.path]))}


@contextmanager
def served(drivers: int) -> Iterator[Served]:
    with tempfile.TemporaryDirectory() as folder:
        server = Served(Path(folder), drivers)
        try:
            yield server
        finally:
            server.stop()


def processor_s(pid: int) -> float:
    """What a process has used of the processor, in user and system mode, seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_kb(pid: int) -> int:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1])
