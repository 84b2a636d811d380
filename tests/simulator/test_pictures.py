"""The report as a page: whole, alone, and with nothing of the outside taken for markup."""

from msgspec.structs import replace

from simulator.journeys import journeys
from simulator.pictures import page
from simulator.report import document
from simulator.steps import Send
from simulator.truth import ACKNOWLEDGED, SENT, Phone, Run, Truth
from simulator.verify import Verdict
from tests.simulator.days import DATE, route, steps
from tests.simulator.test_report import MEASURED


def test_a_page_shows_the_journeys_times_and_faults_and_asks_no_other_host_for_anything():
    truth = Truth.begin(Run("http://x", DATE, 7, "http", "", None, 8), None)
    diary = truth.paired(Phone("D1", "DRV001", "<b>Ana</b>", "token", route(8)))
    for step in steps(8):
        if isinstance(step, Send):
            diary.known(step.message.n, SENT | ACKNOWLEDGED)
    diary.recall()
    driven = journeys(truth, 5)
    assert len(driven) == 1 and len(driven[0].stops) == 8 and 200 < len(driven[0].driven) <= 600
    assert {stop[2] for stop in driven[0].stops} <= {"success", "failed", "rejected"}
    verdict = Verdict()
    verdict.actions.fault("lost", "<script>alert(1)</script>")
    measured = MEASURED | {
        "histograms": {"acknowledgementMs": {"500": 3}, "mapMs": {}, "latenessMs": {"100": 1}},
        "throughput": {0: 5, 1: 7},
        "injected": {"signal lost": 2},
    }
    made = page(document(verdict, ok=False, **measured), [replace(driven[0], named="Ana")])
    assert "NOT OK" in made and "&lt;script&gt;alert(1)" in made and "<script>alert(1)" not in made
    assert made.count("Plotly.newPlot(") >= 4 and "signal lost" in made
    assert '<script src="http' not in made and "<link" not in made.split("</style>")[0]
