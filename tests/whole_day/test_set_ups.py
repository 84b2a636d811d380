"""The same day over each way to run the product: nobody who uses it can tell one from the other."""

import random
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.serving import eventually
from tests.whole_day.hostile import Running, simulate
from tests.whole_day.set_ups import SetUp

pytestmark = pytest.mark.timeout(280)
BEGUN, APART = 40, 15
"""So many acknowledgements before the first trouble, and between two."""


def check(report: dict[str, Any]) -> None:
    """Nothing is lost, doubled or changed, and all of it was seen."""
    assert report["ok"] and report["orders"] == 30
    for kind in ("positions", "actions", "attachments"):
        counts = report[kind]
        assert counts["sent"] == counts["acknowledged"] == counts["stored"] > 0
        assert counts["lost"] == counts["duplicated"] == counts["wrong"] == 0
    statuses = report["orderStatuses"]
    assert statuses["checked"] == 30 and statuses["wrong"] == 0
    assert statuses["success"] + statuses["failed"] + statuses["rejected"] > 20
    assert (report["live"]["maps"], report["live"]["recipients"]) == (4, 3)


@pytest.mark.parametrize("transport", ["http", "ws"])
def test_a_hostile_day_loses_doubles_and_changes_nothing(
    set_up: SetUp, seed: int, tmp_path: Path, transport: str
) -> None:
    options = ("--seed", str(seed), "--transport", transport, "--speed", "3000", "--watch", "3")
    report = simulate(set_up.company(), tmp_path, *options)
    check(report)
    assert report["mapMs"]["p99"] > 0
    assert "Traceback" not in set_up.log()


def test_the_same_day_goes_on_through_every_trouble(
    set_up: SetUp, seed: int, rng: random.Random, tmp_path: Path
) -> None:
    """Processes are killed and replaced, and what they share crashes, is restarted or frozen, while fleets drive."""
    troubles = rng.sample(set_up.troubles, len(set_up.troubles))
    options = ("--seed", str(seed), "--transport", "ws", "--speed", "300", "--watch", "3")
    with Running(set_up.company(), tmp_path, *options) as running:
        count = BEGUN
        while troubles and running.reaches(count):
            troubles.pop()()
            count = running.acknowledged() + APART
        check(running.told())
    assert len(troubles) <= len(set_up.troubles) / 2, "the day was over before half of them had come"
    assert "Traceback" not in set_up.log()
    eventually(lambda: healthy(set_up), within_s=60, what="health")


def healthy(set_up: SetUp) -> bool:
    """Whether every process serves, and those that are several hear one another."""
    told = [httpx.get(f"{server.url}/metrics").text.splitlines() for server in set_up.servers]
    joined = [each for lines in told for each in lines if each.startswith("codriver_joined")]
    stored = sum(
        float(each.split()[-1]) for lines in told for each in lines if each.startswith("codriver_positions_total")
    )
    return len(joined) == set_up.processes and all(each.endswith(" 1.0") for each in joined) and stored > 0
