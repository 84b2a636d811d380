"""The servers that are measured: a data folder with drivers, processes, and what the machine and they say of them."""

import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from backend.domain.accounts import Account, Device, Office, Role, Settings
from backend.domain.drivers import Driver
from backend.service.identity import digest
from backend.store import fleet, people
from backend.store.database import Connection, Database
from backend.store.sqlite.engine import Sqlite

FIRST_S = 1_767_000_000
KEY = "tenant"


def prepare(folder: Path, drivers: int) -> list[str]:
    """A data folder with an account, whose key is ``KEY``, and as many drivers with phones; the phones' tokens."""
    database = Database.open(folder)
    account = Account("a" * 32, "Benchmark", Settings())
    conn = writer(database)
    now_ms = FIRST_S * 1000
    ids = [driver_id(number) for number in range(drivers)]
    tokens = tokens_of(drivers)
    with conn.begin():
        people.add_account(conn, account, now_ms)
        people.add_key(conn, Office("b" * 32, account, Role.TENANT), "Office", digest(KEY), now_ms)
        fleet.add_drivers(conn, account.id, [Driver(id, f"Driver {n}", external_id(n)) for n, id in enumerate(ids)])
        for id, token in zip(ids, tokens, strict=True):
            device = Device(id, account, id)
            people.add_device(conn, device, digest(token), platform="", model="", app_version="", now_ms=now_ms)
    database.close()
    return tokens


def writer(database: Database) -> Connection:
    """The connection of a store on SQLite that writes."""
    assert isinstance(database.engine, Sqlite)
    return database.engine.writer


def tokens_of(drivers: int) -> list[str]:
    return [f"token-of-phone-{number:06d}-which-is-as-long" for number in range(drivers)]


def driver_id(number: int) -> str:
    return f"{number:032x}"


def external_id(number: int) -> str:
    return f"D{number}"


class Served(NamedTuple):
    port: int
    pid: int


@contextmanager
def serving(folder: Path, **environment: str) -> Iterator[Served]:
    """Codriver on a data folder, killed at the end as by a power cut."""
    with process(serve(folder), **environment) as served:
        yield served


@contextmanager
def process(command: list[str], **environment: str) -> Iterator[Served]:
    """A server that tells in its first line where it serves."""
    started, port = start(command, environment)
    try:
        yield Served(port, started.pid)
    finally:
        started.kill()
        started.wait()


def serve(folder: Path, port: int = 0) -> list[str]:
    """The command that serves a data folder, on any free port or this one."""
    return [sys.executable, "-m", "backend.cli", "serve", "--port", str(port), "--data", str(folder)]


def start(
    command: list[str], environment: Mapping[str, str], stderr: IO[str] | None = None
) -> tuple["subprocess.Popen[str]", int]:
    """Such a server, and its port."""
    started = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        env={**importing(), **environment},
    )
    assert started.stdout is not None
    line = started.stdout.readline()
    if "serves on" not in line:
        started.kill()
        started.wait()
        raise SystemExit(f"the server did not start: {line}")
    return started, int(line.rsplit(":", 1)[1])


def importing() -> dict[str, str]:
    """The environment of a process that can import what this one can."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def metric(port: int, name: str) -> float:
    """What a server says of itself; of several values of this name the first."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        found = re.search(rf"^{name}(?:_total)?(?:{{.*}})? (\S+)", answer.read().decode(), re.MULTILINE)
    assert found is not None, name
    return float(found[1])


def processor_s(pid: int) -> float:
    """What a process has used of the processor, in user and system mode. Linux; elsewhere 0."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_kb(pid: int) -> float:
    """The memory of a process. Linux."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1024
