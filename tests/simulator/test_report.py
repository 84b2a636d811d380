import io
from typing import Any

import pytest
from rich.console import Console

from simulator.fleet import Driven, _cost
from simulator.report import document, table
from simulator.tally import Verdict

MEASURED: dict[str, Any] = {
    "drivers": 2,
    "orders": 20,
    "simulatedSeconds": 3600,
    "wallSeconds": 31.4,
    "acknowledgementMs": {"p50": 2.0, "p99": 3.0},
    "mapMs": {"p50": 0.0, "p99": 0.0},
    "pageMs": {"p50": 0.0, "p99": 0.0},
    "latenessMs": {"p50": 1.0, "p99": 700.0},
    "cpu": 0.25,
    "driversOut": 2,
    "driversPerCore": 8,
    "verified": True,
    "refused": {"ERR_TIMESTAMP_FUTURE": 3},
    "troubles": [],
    "seed": 5,
    "scenario": "0123456789ab",
    "scenarioName": "storm",
    "command": "codriver simulate --url http://127.0.0.1 --seed 5",
}


def test_the_report_has_the_promised_shape():
    report = document(Verdict(), ok=True, **MEASURED)
    counts = ["sent", "acknowledged", "stored", "lost", "duplicated", "wrong", "late", "withheld"]
    for kind in ("positions", "actions", "attachments"):
        assert list(report[kind]) == counts
    assert list(report["orderStatuses"]) == ["checked", "wrong", "late", "success", "failed", "rejected"]
    assert report["acknowledgementMs"] == {"p50": 2.0, "p99": 3.0}
    assert report["mapMs"] == report["pageMs"] == {"p50": 0, "p99": 0}
    assert (report["ok"], report["drivers"], report["wallSeconds"]) == (True, 2, 31.4)


def test_faults_are_counted_and_the_first_examples_kept():
    verdict = Verdict()
    for number in range(19):
        verdict.positions.fault("lost", f"DRV001 fix {number}")
    report = document(verdict, ok=verdict.clean, **MEASURED)
    assert report["positions"]["lost"] == 19 and not report["ok"]
    assert report["faults"]["positions"]["lost"] == [f"DRV001 fix {number}" for number in range(10)]


def test_the_table_says_what_was_found():
    out = io.StringIO()
    verdict = Verdict()
    verdict.actions.fault("duplicated", "success of order 7, twice [sic]")
    table(document(verdict, ok=False, **MEASURED), Console(file=out, width=120))
    text = out.getvalue()
    assert "success of order 7, twice [sic]" in text and "NOT OK" in text
    assert "itself the bottleneck, with 2 drivers on the road" in text
    assert "on the map after: p50 0.0 ms" in text and "tracking page" not in text
    assert "lateness: p99 700.0 ms" in text and "about 8 such drivers at this speed" in text
    assert (
        "seed 5, scenario storm (0123456789ab)" in text and "codriver simulate --url http://127.0.0.1 --seed 5" in text
    )


def test_how_late_tracking_pages_are_is_told_where_somebody_looked_at_them():
    out = io.StringIO()
    looked_at = MEASURED | {"pageMs": {"p50": 520.0, "p99": 1010.0}}
    table(document(Verdict(), ok=True, **looked_at), Console(file=out, width=120))
    assert "on a tracking page after: p50 520.0 ms, p99 1010.0 ms" in out.getvalue()


def test_what_had_to_be_delivered_after_the_day_counts_against_how_many_one_core_can_drive():
    """Ten thousand drivers of whom half of the messages were left over when the day ended: it can drive five."""
    drivers, day_s = 10_000, 136.0
    kept_up = Driven(wall_s=150, cpu_s=137, out_s=drivers * day_s, whole_cpu_s=138)
    behind = Driven(wall_s=150, cpu_s=137, out_s=drivers * day_s, whole_cpu_s=271)
    assert 9_800 < _cost(kept_up)["driversPerCore"] < 10_000 and 4_900 < _cost(behind)["driversPerCore"] < 5_100
    assert _cost(behind)["cpu"] == pytest.approx(0.913, abs=0.001)
