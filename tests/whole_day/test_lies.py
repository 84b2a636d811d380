"""What the verifier is worth: it names each lie of a server that otherwise does everything right."""

import asyncio
import io
from typing import Any

import pytest
from rich.console import Console

from simulator import fleet
from simulator.fleet import simulate
from simulator.options import Options
from simulator.report import table
from tests.serving import Server
from tests.whole_day.liar import Liar, listening

DATE = "2026-03-02"
SCENARIO = """
reporting = {period_s = 4, standing_period_s = 6}
network = {gaps_per_hour = 0, duplicates = 0, reordering = 0, lost_answers = 0}
outcome = {failed = 0, rejected = 0}
proof = {photo = 1, resumable = 0, later = 0}
app = {restarts_per_day = 0}
devices = {dying = 0}
"""


async def run(tmp_path, seed: int, *lies: str) -> tuple[dict[str, Any], dict[str, int], str]:
    """The report of a day through a server that tells these lies, how often it told each, and the table's text."""
    server = Server(tmp_path / "data")
    listener = listening()
    server.environment["CODRIVER_PUBLIC_URL"] = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.start()
    try:
        company = server.account()
        liar = Liar(server.url, listener, *lies)
        async with liar.lying():
            options = Options(
                url=liar.url,
                key=company.key,
                date=DATE,
                drivers=3,
                orders=18,
                speed=3000.0,
                watch=2,
                seed=seed,
                scenario=SCENARIO,
                verify=True,
            )
            out = io.StringIO()
            report = await simulate(options, Console(file=io.StringIO()))
            table(report, Console(file=out, width=200))
            return report, liar.told, out.getvalue()
    finally:
        server.stop()


async def test_each_lie_is_named_and_nothing_else(tmp_path, seed: int):
    report, told, text = await run(tmp_path, seed, "drop", "double", "swap", "misapply", "late", "rewind")
    assert not report["ok"]
    assert set(told) == {"drop", "double", "swap", "misapply", "late", "rewind"}, told
    assert report["positions"]["lost"] == told["drop"] > 0
    assert report["actions"]["duplicated"] == 1
    assert report["attachments"]["wrong"] == 2
    assert report["orderStatuses"]["wrong"] == 1
    assert report["positions"]["late"] > 0
    assert any("got an older position after a newer one" in trouble for trouble in report["troubles"])
    faults = report["faults"]
    assert "DRV" in faults["positions"]["lost"][0] and "DRV" in faults["positions"]["late"][0]
    assert "is servicing, should be success" in faults["orderStatuses"]["wrong"][0]
    assert "not what was handed in" in faults["attachments"]["wrong"][0]
    assert "again: CODRIVER_KEY=… codriver simulate" in text and f"--seed {seed}" in text


async def test_the_same_way_without_lies_is_clean(tmp_path, seed: int):
    report, told, _ = await run(tmp_path, seed)
    assert report["ok"] and not told, report


async def test_a_run_ends_although_the_server_never_takes_a_file(tmp_path, seed: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fleet, "PATIENCE_S", 5.0)
    async with asyncio.timeout(120):
        report, told, _ = await run(tmp_path, seed, "deaf")
    assert told["deaf"] > 1 and not report["ok"]
    assert any("never acknowledged" in trouble for trouble in report["troubles"]), report["troubles"]
    assert report["attachments"]["sent"] > report["attachments"]["acknowledged"] > 0
