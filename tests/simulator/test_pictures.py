"""The report as a page: whole, alone, and with nothing of the outside taken for markup."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from simulator.journeys import Journey, journeys
from simulator.pictures import ON_PURPOSE, page
from simulator.report import document
from simulator.tally import Verdict
from simulator.truth import Truth
from tests.chromium import program
from tests.serving import ROOT
from tests.simulator.test_report import MEASURED
from tests.simulator.test_verify import truth

__all__ = ["truth"]
RUN: dict[str, Any] = MEASURED | {
    "histograms": {"acknowledgementMs": {"500": 3}, "mapMs": {}, "pageMs": {}, "latenessMs": {"100": 1}},
    "throughput": {0: 5, 1: 7},
    "injected": {"signal lost": 2},
}


@pytest.fixture
def driven(truth: Truth) -> list[Journey]:
    return journeys(truth, 5)


def test_a_page_says_what_it_shows_and_how_to_run_it_again(driven: list[Journey]):
    assert len(driven) == 1 and len(driven[0].stops) == 8 and 200 < len(driven[0].driven) <= 600
    assert {stop[2] for stop in driven[0].stops} <= {"success", "failed", "rejected"}
    made = page(document(Verdict(), ok=True, **RUN), driven)
    assert made.count("Plotly.newPlot(") >= 4 and "codriver simulate --url http://127.0.0.1 --seed 5" in made
    assert "a phone had no signal" in made and "12 in all, at most 7 in one" in made
    assert '<html lang="en">' in made and "<title>2 drivers, 20 orders, seed 5" in made
    assert made.count('role="img" aria-label="') == 4 and "prefers-color-scheme: dark" in made
    assert '<script src="http' not in made and "<link" not in made.split("</style>")[0]


def test_a_page_shows_how_late_tracking_pages_were_where_somebody_looked_at_them(driven: list[Journey]):
    assert "tracking page" not in page(document(Verdict(), ok=True, **RUN), driven)
    looked_at = RUN | {"histograms": RUN["histograms"] | {"pageMs": {"560": 4}}}
    assert "a position on a tracking page p50 " in page(document(Verdict(), ok=True, **looked_at), driven)


def test_a_page_says_first_what_is_wrong_and_takes_nothing_of_it_for_markup(driven: list[Journey]):
    verdict = Verdict()
    verdict.actions.fault("lost", "<script>alert(1)</script>")
    made = page(document(verdict, ok=False, **RUN), [replace(driven[0], named="<b>Ana</b>")])
    assert "<title>Not ok: " in made and "NOT OK" in made and "survived: nothing" not in made
    assert "&lt;script&gt;alert(1)" in made and "<script>alert(1)" not in made and "<b>Ana" not in made


def test_all_that_goes_wrong_on_purpose_is_explained():
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "simulator").glob("*.py"))
    counted = set(re.findall(r'injected\["([^"]+)"\]|_replan\("([^"]+)"\)', sources))
    names = {name for each in counted for name in each if name}
    assert len(names) >= 9 and names == ON_PURPOSE.keys()


def test_only_faults_are_marked_as_bad(driven: list[Journey]):
    verdict = Verdict()
    verdict.attachments.withheld = 41
    assert "<td>41</td>" in page(document(verdict, ok=True, **RUN), driven)
    verdict.attachments.fault("lost", "a photo")
    assert '<td class="bad">1</td>' in page(document(verdict, ok=False, **RUN), driven)


def test_a_browser_without_a_network_draws_all_of_it(driven: list[Journey], tmp_path: Path):
    file = tmp_path / "report.html"
    file.write_text(page(document(Verdict(), ok=True, **RUN), driven), encoding="utf-8")
    command = [program(), "--headless=new", "--no-sandbox", "--disable-gpu", "--proxy-server=127.0.0.1:9"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=5000", "--window-size=500,900"]
    told = subprocess.run([*command, "--dump-dom", file.as_uri()], capture_output=True, text=True, timeout=200)
    drawn = told.stdout.rpartition("</style>")[2]
    assert drawn.count('class="main-svg"') >= 8 and drawn.count("js-plotly-plot") >= 4, told.stderr
    assert re.search(r"<text[^>]*>[0-9.]+ km</text>", drawn), "the map has a scale"
    assert ">p99</text>" in drawn and ">delivered</text>" in drawn
