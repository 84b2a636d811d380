"""Many times more than can be done, from phones that do not listen when they are told to come later."""

import json
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from backend.store.database import Database
from backend.store.tables import chunks
from benchmarks._servers import prepare, tokens_of
from tests.attacks.wires import Vitals, allow_many_files
from tests.faults import Machine
from tests.serving import ROOT, Server, bearer, eventually

PHONES, SIZE = 600, 10
TOKENS = tokens_of(PHONES)


@pytest.fixture
def loaded(tmp_path: Path) -> Iterator[Server]:
    """A server that knows so many phones."""
    allow_many_files()
    prepare(tmp_path / "data", PHONES)
    running = Server(tmp_path / "data").start()
    yield running
    running.kill()


def figure(server: Server, name: str) -> int:
    found = re.search(rf"^{re.escape(name)} (\d+)", httpx.get(f"{server.url}/metrics").text, re.MULTILINE)
    return int(found[1]) if found else 0


def test_phones_are_taken_or_told_to_come_back_and_nothing_else_and_their_actions_go_first(loaded: Server) -> None:
    vitals, over, others = Vitals(loaded), threading.Event(), list[tuple[str, int]]()

    def meanwhile() -> None:
        phone = httpx.Client(base_url=loaded.url, headers=bearer(TOKENS[0]), timeout=100)
        while not over.wait(0.1):
            action = {"id": str(uuid.uuid4()), "action": "on_duty", "timestamp": 1_772_000_000}
            others.append(("act", phone.post("/driver/v1/actions", json={"actions": [action]}).status_code))
            others.append(("live", httpx.get(f"{loaded.url}/healthz", timeout=100).status_code))

    def hiccup() -> None:
        """All that comes meanwhile is there at once: so more than can be done comes also where the phones are slow."""
        assert loaded.process is not None
        while not over.wait(0.3):
            loaded.process.send_signal(signal.SIGSTOP)
            time.sleep(0.2)
            loaded.process.send_signal(signal.SIGCONT)

    working = [threading.Thread(target=each) for each in (meanwhile, hiccup)]
    for each in working:
        each.start()
    asked = {"port": loaded.port, "tokens": TOKENS, "size": SIZE, "rate": 50_000, "seconds": 3.0, "moment": 0}
    try:
        tolds = [offer(asked)]
        while "503" not in tolds[-1]["statuses"] and len(tolds) < 20:  # the phones got no processor
            tolds.append(offer({**asked, "moment": tolds[-1]["moment"]}))
        eventually(lambda: len(others) > 2)
    finally:
        over.set()
        for each in working:
            each.join()
    statuses = sum((Counter(told["statuses"]) for told in tolds), Counter())
    assert set(statuses) == {"200", "503"}, tolds
    assert all(told["without_retry_after"] == told["broken"] == told["unanswered"] == 0 for told in tolds), tolds
    assert {status for _, status in others} == {200}, others
    stored = figure(loaded, "codriver_positions_total") + figure(loaded, "codriver_position_duplicates_total")
    assert stored == SIZE * statuses["200"]
    assert figure(loaded, 'codriver_refusals_total{code="ERR_OVERLOADED"}') == statuses["503"]
    assert loaded.log.read_text().count("\n") < 2000, "a line for each refusal would be work, too"
    few = {**asked, "tokens": TOKENS[:2], "rate": 20, "seconds": 1.0, "moment": tolds[-1]["moment"]}
    assert set(eventually(lambda: offer(few)["statuses"])) == {"200"}, "as soon as it is over all are taken again"
    vitals.check(grown_mb=80)


@pytest.mark.timeout(180)
def test_a_disk_of_two_seconds_a_sync_takes_what_it_can_and_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    """All others are told to come back, however many there are."""
    allow_many_files()
    data = tmp_path / "data"
    prepare(data, PHONES)
    machine = Machine(data, tmp_path / "machine")
    server = Server(data, environment=machine.environment, program="tests.attacks.crowded").start()
    try:
        vitals = Vitals(server)
        machine.orders(only="codriver.db-wal", sync_ms=2000)
        asked = {"port": server.port, "tokens": TOKENS, "size": SIZE, "rate": 2000, "seconds": 6.0, "moment": 0}
        told = offer(asked)
        machine.orders()
        statuses = told["statuses"]
        assert set(statuses) == {"200", "503"}, told
        assert told["without_retry_after"] == told["broken"] == told["unanswered"] == 0, told
        vitals.check(grown_mb=60)
    finally:
        server.kill()
    database = Database.open(data)
    try:
        stored = database.engine.writer.execute(select(func.sum(chunks.c.count))).scalar()
    finally:
        database.close()
    assert stored == SIZE * statuses["200"]


def offer(asked: dict[str, Any]) -> dict[str, Any]:
    program = [sys.executable, str(ROOT / "benchmarks" / "_offering.py")]
    done = subprocess.run(program, input=json.dumps(asked), capture_output=True, text=True, timeout=200, check=True)
    told: dict[str, Any] = json.loads(done.stdout)
    return told
