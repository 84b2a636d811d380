"""A server that is killed again and again while fleets drive: `make torture` kills it two hundred times.

On SQLite it dies at random moments of the traffic, right at a change of a file or amid it, in an upload, in a planning,
and while it starts; on PostgreSQL and Redis any of its two processes dies, all of it does, or one of the engines.
"""

import json
import os
import random
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest

from tests import redis_server
from tests.faults import Machine
from tests.postgresql import Cluster
from tests.redis_server import RedisServer
from tests.serving import ROOT, Company, Server, eventually
from tests.whole_day.bustle import Bustle

DATE = "2026-03-02"
SCENARIOS = ("storm", "hostile", "rural", "city")
APART = (15, 120)
"""So many acknowledgements between two kills."""
PATIENCE_S = 300.0
"""For a long run beside others on a busy machine. How long a start took is told in the end."""
OLD = 20
"""How many of the batches, files and orders that were compared before are compared again after each fleet."""


POSITIONS = "SELECT coalesce(sum(count), 0) FROM chunks WHERE driver_id = ?"


class Start(NamedTuple):
    """How long it took to serve again after a kill, and what the server said of where the time went."""

    after: str
    took_s: float
    said: str


class Toll:
    """What a run has done so far, for whoever is to judge its end."""

    def __init__(self, seed: int) -> None:
        self.seed, self.begun = seed, time.monotonic()
        self.killed: Counter[str] = Counter()
        self.starts: list[Start] = []
        self.reports: list[dict[str, Any]] = []
        self.compared: list[str] = []

    def __str__(self) -> str:
        took = f"{time.monotonic() - self.begun:.0f} s, {self.killed.total()} kills, {len(self.reports)} fleets"
        return f"{took}: {self.compared[-1] if self.compared else 'nothing compared yet'}"

    def slowest(self) -> str:
        longest = sorted(self.starts, key=lambda start: -start.took_s)[:5]
        half = statistics.median(start.took_s for start in self.starts)
        lines = [f"to start again took {half:.2f} s; the longest:"]
        return "\n".join([*lines, *(f"  {start.took_s:.2f} s after {start.after}: {start.said}" for start in longest)])

    def alarm(self, fleet: "Fleet | None", bustle: Bustle, server: Server) -> str:
        """All that there is to judge what stopped the run."""
        parts = [f"STOPPED. Repeat with --seed {self.seed}. {dict(self.killed)}", *self.compared]
        parts.append(f"beside the fleets: amid {bustle.doing}, trouble: {bustle.trouble!r}")
        if self.starts:
            parts.append(self.slowest())
        if fleet is not None:
            parts.append(f"{fleet.state}: {fleet.acknowledged()} acknowledgements; {fleet.reported()}; {fleet.said()}")
        return "\n".join([*parts, f"the server's log, {server.log}:", server.tail()])


class Fleet:
    """One run of the simulator, which keeps its truth in a file."""

    def __init__(self, server: Server, company: Company, folder: Path, seed: int, number: int) -> None:
        self.state, self.report = folder / f"state-{number}.jsonl", folder / f"report-{number}.json"
        self.scenario = SCENARIOS[number % len(SCENARIOS)]
        command = [sys.executable, "-m", "backend.cli", "simulate", "--url", server.url, "--key", company.key]
        size = ["--date", DATE, "--drivers", "6", "--orders", "48", "--speed", "600", "--watch", "1"]
        chance = ["--seed", str(seed), "--scenario", self.scenario, "--transport", ("ws", "http")[number % 2]]
        kept = ["--state", str(self.state), "--verify", "--report", str(self.report)]
        self.log = folder / f"fleet-{number}.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen([*command, *size, *chance, *kept], cwd=ROOT, stdout=log, stderr=log)

    def acknowledged(self) -> int:
        return self.state.read_bytes().count(b'"type":"ack"') if self.state.exists() else 0

    def over(self) -> bool:
        return self.process.poll() is not None

    def reaches(self, count: int) -> None:
        """Wait for so many acknowledgements, or the end."""
        eventually(
            lambda: self.over() or self.acknowledged() >= count, within_s=PATIENCE_S, what=f"{count} acknowledgements"
        )

    def reported(self) -> str:
        """All of its report that a reader can judge."""
        if not self.report.exists():
            return "no report"
        parts = json.loads(self.report.read_text()) | {"histograms": "left out"}
        return "\n".join(f"{name}: {json.dumps(part)}" for name, part in parts.items())

    def said(self) -> str:
        return f"{self.scenario}: {self.log.read_text()[-6000:]}"

    def told(self) -> dict[str, Any]:
        """The report, once the fleet has come home."""
        self.process.wait(2 * PATIENCE_S)
        said = self.said()
        report: dict[str, Any] = json.loads(self.report.read_text())
        assert not report["troubles"], said
        for kind in ("positions", "actions", "attachments"):
            counts = report[kind]
            assert counts["lost"] == counts["duplicated"] == counts["wrong"] == 0, said
            assert counts["acknowledged"] > 0, said
            assert counts["stored"] + counts["withheld"] >= counts["acknowledged"], said
        assert report["orderStatuses"]["wrong"] == 0, said
        return report


class OnSqlite:
    """One process, on a machine that can end it at any change of a file, where such a machine can be had."""

    kinds = ("traffic", "traffic", "change", "amid a change", "upload", "plan", "start")

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.data, self._spare, self._rng = folder / "data", folder / "spare", rng
        try:
            self._machine: Machine | None = Machine(self.data, folder / "machine")
        except pytest.skip.Exception as told:
            print(told)
            self._machine = None
        self.server = Server(self.data, environment=self._machine.environment if self._machine else {}).start()

    def kill(self, kind: str, bustle: Bustle) -> Start:
        match kind:
            case "change" | "amid a change" if self._machine is not None:
                process = self.server.process
                self._machine.orders(die_at=self._rng.randint(1, 300), torn=int(kind != "change"))
                bustle.reaches(lambda: process and process.poll() is not None)
                self._machine.orders()
            case "upload" | "plan":
                wanted = ("by_form", "in_parts") if kind == "upload" else ("plan",)
                bustle.reaches(lambda: bustle.doing in wanted)
                time.sleep(self._rng.uniform(0, 0.1))
            case "start":
                self.server.kill()
                self.server.launch()
                time.sleep(self._rng.uniform(0.2, 1.5))  # from its imports to its first answers
        self.server.kill()
        return started(self.server, kind)

    def check(self, bustle: Bustle) -> None:
        """The database of a server that was just killed is sound, has each position once, and each photo it names."""
        least = bustle.acknowledged
        self.server.kill()
        shutil.rmtree(self._spare, ignore_errors=True)
        self._spare.mkdir()
        for path in self.data.glob("codriver.db*"):
            shutil.copy(path, self._spare)
        self.server.start(PATIENCE_S)
        with closing(sqlite3.connect(self._spare / "codriver.db")) as copy:
            assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            stored = copy.execute(POSITIONS, (bustle.phone.driver_id,)).fetchone()[0]
            assert least <= stored <= bustle.sent, f"{stored} are stored of at least {least}, at most {bustle.sent}"
            for (sha256,) in copy.execute("SELECT DISTINCT sha256 FROM attachments"):
                assert (self.data / "media" / sha256[:2] / sha256).exists(), "a row without its file"
        known = {path.stem for path in (self.data / "uploads").glob("*.upload")}
        lost = [path for path in (self.data / "uploads").glob("*.part") if path.stem not in known]
        assert len(lost) <= 8, f"parts that nobody can take up again: {len(lost)}"  # what is arriving now

    def close(self) -> None:
        self.server.kill()


class OnPostgresql:
    """Two processes behind one address, with a PostgreSQL and a Redis of their own."""

    kinds = ("a worker", "a worker", "the other worker", "all", "postgresql", "redis", "upload", "plan")

    def __init__(self, folder: Path, rng: random.Random, cluster: Cluster, redis: RedisServer) -> None:
        self._rng, self._cluster, self._redis = rng, cluster, redis
        self._url = cluster.fresh()
        environment = {"CODRIVER_DATABASE_URL": self._url, "CODRIVER_REDIS_URL": redis.url}
        self.server = Server(folder / "data", "--workers", "2", environment=environment).start()

    def kill(self, kind: str, bustle: Bustle) -> Start:
        match kind:
            case "all":
                self.server.kill()
                return started(self.server, kind)
            case "postgresql":
                self._cluster.restart("immediate")
            case "redis":
                self._redis.kill()
                self._redis.start()
            case "upload" | "plan":
                wanted = ("by_form", "in_parts") if kind == "upload" else ("plan",)
                bustle.reaches(lambda: bustle.doing in wanted)
        if kind in ("postgresql", "redis"):
            return Start(kind, 0.0, "the server lived on")
        workers = eventually(self.server.workers, within_s=PATIENCE_S, what="workers")
        os.kill(workers[-1] if kind == "the other worker" else workers[0], signal.SIGKILL)
        begun = time.monotonic()
        eventually(lambda: len(set(self.server.workers())) == 2, within_s=PATIENCE_S, what="its successor")
        return Start(kind, time.monotonic() - begun, "until its successor was there")

    def check(self, bustle: Bustle) -> None:
        """Each position is there once."""
        least = bustle.acknowledged
        with psycopg.connect(self._url) as connection:
            row = connection.execute(POSITIONS.replace("?", "%s"), (bustle.phone.driver_id,)).fetchone()
        assert row is not None and least <= row[0] <= bustle.sent, f"{row} of at least {least}, at most {bustle.sent}"

    def close(self) -> None:
        self.server.kill()


def started(server: Server, after: str) -> Start:
    """Start it again."""
    said, begun = server.log.stat().st_size, time.monotonic()
    server.start(PATIENCE_S)
    took_s = time.monotonic() - begun
    lines = server.log.read_bytes()[said:].decode(errors="replace").splitlines()
    told = [line.split(" INFO ", 1)[-1] for line in lines if "opened in" in line or "ready after" in line]
    return Start(after, took_s, "; ".join(told))


@pytest.fixture
def victim(request: pytest.FixtureRequest, tmp_path: Path, rng: random.Random) -> Iterator[OnSqlite | OnPostgresql]:
    with ExitStack() as stack:
        if request.config.option.database == "postgresql":
            cluster = request.getfixturevalue("postgresql")
            made = OnPostgresql(tmp_path, rng, cluster, stack.enter_context(redis_server.running()))
            stack.callback(made.close)
            yield made
        else:
            alone = OnSqlite(tmp_path, rng)
            stack.callback(alone.close)
            yield alone


@pytest.mark.timeout(7200)
def test_nothing_acknowledged_is_lost_or_doubled_however_often_the_server_is_killed(
    victim: OnSqlite | OnPostgresql, tmp_path: Path, seed: int, rng: random.Random, request: pytest.FixtureRequest
) -> None:
    kills, toll = request.config.option.kills, Toll(seed)
    fleet: Fleet | None = None
    bustle = Bustle(victim.server, seed)
    try:
        while toll.killed.total() < kills:
            number = len(toll.reports)
            fleet = Fleet(victim.server, victim.server.account(), tmp_path, seed + number, number)
            fleet.reaches(20)
            while toll.killed.total() < kills and not fleet.over():
                fleet.reaches(fleet.acknowledged() + rng.randint(*APART))
                time.sleep(rng.uniform(0, 0.05))  # at any moment of a commit, not right after an answer
                kind = rng.choice(victim.kinds)
                toll.starts.append(victim.kill(kind, bustle))
                toll.killed[kind] += 1
            toll.reports.append(fleet.told())
            victim.check(bustle)
            toll.compared.append(f"{toll.reports[-1]['positions']}; beside: {bustle.check(old=OLD)}")
            print(toll, flush=True)
        bustle.end()
        toll.compared.append(f"all that was sent beside the fleets: {bustle.check()}")
        victim.check(bustle)
    except BaseException:
        print(toll.alarm(fleet, bustle, victim.server), flush=True)
        raise
    finally:
        if fleet is not None:
            fleet.process.kill()
    print(f"{toll}\nkills: {dict(toll.killed)}; {toll.slowest()}")
    assert sum(report["positions"]["stored"] for report in toll.reports) > 100 * kills
