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
from typing import Any

import pytest

from tests import redis_server
from tests.faults import Machine
from tests.postgresql import Cluster
from tests.redis_server import RedisServer
from tests.serving import ROOT, Company, Server, eventually
from tests.whole_day.bustle import Bustle

DATE = "2026-03-02"
SCENARIOS = ("storm", "hostile", "rural", "city")
FAR = "estimated a time far from the plan"
"""Trouble that a fleet may have: at its speed a server that is away for seconds hears of a van hours later."""
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
        self.process.wait(240)
        self.log.seek(0)
        said = f"{self.scenario}: {self.log.read()[-6000:]}"
        self.log.close()
        report: dict[str, Any] = json.loads(self.report.read_text())
        assert not [trouble for trouble in report["troubles"] if FAR not in trouble], said
        for kind in ("positions", "actions", "attachments"):
            counts = report[kind]
            assert counts["lost"] == counts["duplicated"] == counts["wrong"] == 0, said
            assert counts["acknowledged"] > 0, said
            if kind != "attachments" or "order cancelled" not in report["injected"]:  # which shows its files no more
                assert counts["stored"] >= counts["acknowledged"], said
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

    def kill(self, kind: str, bustle: Bustle) -> float:
        """How many seconds it took to start again."""
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
        begun = time.monotonic()
        self.server.start()
        return time.monotonic() - begun

    def check(self) -> None:
        """The database of a server that was just killed is sound, and each photo that it names is there."""
        self.server.kill()
        shutil.rmtree(self._spare, ignore_errors=True)
        self._spare.mkdir()
        for path in self.data.glob("codriver.db*"):
            shutil.copy(path, self._spare)
        self.server.start()
        with closing(sqlite3.connect(self._spare / "codriver.db")) as copy:
            assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
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
        environment = {"CODRIVER_DATABASE_URL": cluster.fresh(), "CODRIVER_REDIS_URL": redis.url}
        self.server = Server(folder / "data", "--workers", "2", environment=environment).start()

    def kill(self, kind: str, bustle: Bustle) -> float:
        match kind:
            case "all":
                self.server.kill()
                begun = time.monotonic()
                self.server.start()
                return time.monotonic() - begun
            case "postgresql":
                self._cluster.restart("immediate")
            case "redis":
                self._redis.kill()
                self._redis.start()
            case "upload" | "plan":
                wanted = ("by_form", "in_parts") if kind == "upload" else ("plan",)
                bustle.reaches(lambda: bustle.doing in wanted)
        if kind in ("postgresql", "redis"):
            return 0.0
        workers = eventually(self.server.workers, within_s=30, what="workers")
        os.kill(workers[-1] if kind == "the other worker" else workers[0], signal.SIGKILL)
        begun = time.monotonic()
        eventually(lambda: len(set(self.server.workers())) == 2, within_s=60, what="its successor")
        return time.monotonic() - begun

    def check(self) -> None:
        """What it names is there, as ``Bustle.check`` asks."""

    def close(self) -> None:
        self.server.kill()


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
    kills, begun, number = request.config.option.kills, time.monotonic(), 0
    killed: Counter[str] = Counter()
    starts_s: list[float] = []
    reports = []
    fleet: Fleet | None = None
    bustle = Bustle(victim.server, seed)
    try:
        while killed.total() < kills:
            fleet = Fleet(victim.server, victim.server.account(), tmp_path, seed + number, number)
            fleet.reaches(20)
            while killed.total() < kills and not fleet.over():
                fleet.reaches(fleet.acknowledged() + rng.randint(*APART))
                time.sleep(rng.uniform(0, 0.05))  # at any moment of a commit, not right after an answer
                kind = rng.choice(victim.kinds)
                starts_s.append(victim.kill(kind, bustle))
                killed[kind] += 1
            reports.append(fleet.told())
            number += 1
            victim.check()
            took = f"{time.monotonic() - begun:.0f} s, {killed.total()} kills, {number} fleets"
            print(f"{took}: {reports[-1]['positions']}; {len(bustle.batches)} batches beside", flush=True)
        bustle.end()
        print(f"beside the fleets: {bustle.check()}")
        victim.check()
    finally:
        if fleet is not None:
            fleet.process.kill()
    print(
        f"kills: {dict(killed)}; to start again took {statistics.median(starts_s):.2f} s, at most {max(starts_s):.2f}"
    )
    assert sum(report["positions"]["stored"] for report in reports) > 100 * kills
