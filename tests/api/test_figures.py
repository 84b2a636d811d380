"""What Prometheus is told: in its form, by its customs, all of it explained, and enough for the alerts."""

import json
import math
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
import yaml
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from websockets.sync.client import connect

from backend.api import health
from backend.app import OneOf, open_desk
from backend.service import figures
from backend.service.desk import Clock
from backend.service.figurefiles import Figure, FigureFiles
from backend.settings import Settings
from tests.api.test_health import figure
from tests.api.test_optimoroute_planning import DAY, fleet, orders
from tests.serving import ROOT, Company, Server, bearer, eventually

PAGE = ROOT / "docs" / "deployment.md"
ALERTS = ROOT / "deploy" / "alerts.yaml"
# What https://prometheus.io/docs/practices/naming and promtool's `check metrics` ask for
BASE_UNITS = ("seconds", "bytes", "ratio", "info", "total")
NO_BASE_UNITS = ("milliseconds", "ms", "minutes", "hours", "kilobytes", "megabytes", "mb", "percent")
OF_KINDS = ("_counter", "_gauge", "_histogram", "_summary")


@pytest.fixture(scope="module")
def told(server: Server) -> list[Metric]:
    httpx.get(f"{server.url}/api/settings")  # so that there is a refusal
    return read(httpx.get(f"{server.url}/metrics").text)


def read(text: str) -> list[Metric]:
    return list(text_string_to_metric_families(text))


def names(told: list[Metric]) -> set[str]:
    """As they are written in a query, without what the parts of a histogram have behind it."""
    return {f"{each.name}_total" if each.type == "counter" else each.name for each in told}


def test_names_and_kinds_are_as_is_the_custom(told: list[Metric]):
    assert len(told) > 20
    for metric in told:
        assert re.fullmatch(r"(codriver|process)_[a-z][a-z0-9_]*", metric.name), metric.name
        assert not metric.name.endswith((*OF_KINDS, "_total", "_count", "_sum", "_bucket")), metric.name
        assert not set(metric.name.split("_")) & set(NO_BASE_UNITS), metric.name
        assert metric.documentation and metric.type in ("counter", "gauge", "histogram"), metric
        for sample in metric.samples:
            expected = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_count", "_sum"]}[metric.type]
            assert sample.name in [metric.name + end for end in expected]
            assert set(sample.labels) <= {"process", "code", "state", "le"}
            assert math.isfinite(sample.value) and (sample.value >= 0), sample
    series = [(sample.name, *sorted(sample.labels.items())) for metric in told for sample in metric.samples]
    assert len(series) == len(set(series))


def test_histograms_only_grow_from_bound_to_bound(told: list[Metric]):
    histograms = [metric for metric in told if metric.type == "histogram"]
    assert {"codriver_commit_seconds", "codriver_position_store_seconds"} <= {metric.name for metric in histograms}
    for metric in histograms:
        assert metric.name.endswith(BASE_UNITS)
        bounds = [(float(each.labels["le"]), each.value) for each in metric.samples if each.name.endswith("_bucket")]
        assert bounds == sorted(bounds) and bounds[-1][0] == math.inf
        [count] = [each.value for each in metric.samples if each.name.endswith("_count")]
        assert count == bounds[-1][1]


def test_what_comes_in_is_counted(server: Server, company: Company):
    counters = ("positions_total", "position_rejections_total", "actions_total")
    counters += ("position_store_seconds_count", "position_age_seconds_count", "commit_seconds_count")

    def told() -> list[float]:
        return [figure(server, f"codriver_{name}") for name in counters]

    phone = company.driver("Ana")
    before = told()
    fixes = [{"timestamp": time.time() - second, "latitude": 45.8, "longitude": 16.0} for second in (1, 2)]
    phone.client.post("/driver/v1/positions", json={"positions": [*fixes, {**fixes[0], "latitude": 91}]})
    action = {"id": str(uuid.uuid4()), "action": "on_duty", "timestamp": time.time()}
    phone.client.post("/driver/v1/actions", json={"actions": [action]})
    more = [after - earlier for after, earlier in zip(told(), before, strict=True)]
    assert more[:5] == [2, 1, 1, 1, 1] and more[5] >= 2
    assert figure(server, "codriver_log_bytes") > 0


def test_sockets_are_counted_while_they_are_open(server: Server, company: Company):
    def told() -> list[float]:
        return [figure(server, name) for name in ("codriver_watchers", "codriver_phones")]

    assert eventually(lambda: told() == [0, 0]), "those of other tests are closed by now"
    with ExitStack() as open_:
        for path, secret in (("/live", company.key), ("/driver/v1/ws", company.driver("Ana").token)):
            url = f"{server.ws_url}{path}"
            open_.enter_context(connect(url, additional_headers=bearer(secret), proxy=None))
        assert eventually(lambda: told() == [1, 1])
    assert eventually(lambda: told() == [0, 0])


def test_plannings_are_counted_while_they_run_and_as_they_end(server: Server, company: Company):
    fleet(company)
    orders(company)
    company.client.patch("/api/settings", json={"planningSeconds": 60}).raise_for_status()
    stopped = 'codriver_plannings_total{state="stopped"}'
    running, before = 'codriver_planner_jobs{state="running"}', figure(server, stopped)
    job = company.v1("start_planning", {"date": DAY})["planningId"]
    assert eventually(lambda: figure(server, running) == 1)
    assert company.v1("stop_planning", {"planningId": job})["success"]
    assert eventually(lambda: (figure(server, stopped), figure(server, running)) == (before + 1, 0))


def test_several_processes_are_told_apart(server: Server, tmp_path: Path):
    first, second = FigureFiles(tmp_path, 0), FigureFiles(tmp_path, 1)
    first.post([Figure("codriver_positions", True, "Positions stored", 3.0)])
    refused = Figure("codriver_refusals", True, "Requests refused", {"ERR_OVERLOADED": 2.0}, "code")
    second.post([Figure("codriver_positions", True, "Positions stored", 4.0), refused])
    text = health.exposition(first.all()).decode()
    assert 'codriver_positions_total{process="0"} 3.0' in text and 'codriver_positions_total{process="1"} 4.0' in text
    assert 'codriver_refusals_total{code="ERR_OVERLOADED",process="1"} 2.0' in text
    assert text.count("# TYPE codriver_positions_total counter") == 1


async def test_a_disk_that_takes_no_figures_does_not_keep_those_that_are_there_to_itself(tmp_path: Path):
    folder = tmp_path / "figures"
    folder.mkdir()
    async with open_desk(Settings(data_dir=tmp_path / "data"), Clock(), "", OneOf(0, 2, folder)) as desk:
        before = figures.every(desk)["0"]
        (folder / "0.new").mkdir()  # what is written first
        assert {each.name for each in figures.every(desk)["0"]} == {each.name for each in before}


def test_every_figure_is_explained_with_its_alert_and_nothing_else_is(told: list[Metric]):
    page = PAGE.read_text()
    table = page[page.index("## Watching it") : page.index("## Logs")]
    explained = {name for row in re.findall(r"^\| (`[^|]*) \|", table, re.M) for name in re.findall(r"`(\w+)`", row)}
    assert explained == names(told)


def rules() -> Iterator[dict[str, str]]:
    [group] = yaml.safe_load(ALERTS.read_text())["groups"]
    yield from group["rules"]


def test_alerts_ask_for_figures_that_there_are_and_say_what_to_do(told: list[Metric]):
    known = {name for each in names(told) for name in (each, f"{each}_bucket", f"{each}_count", f"{each}_sum")}
    found = list(rules())
    assert len(found) >= 10
    for rule in found:
        asked = set(re.findall(r"\b(?:codriver|process)_\w+", rule["expr"]))
        assert asked <= known, rule["alert"]
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"] and rule["annotations"]["description"]
        assert rule["alert"] in PAGE.read_text(), f"{rule['alert']} is not on the page"


def test_what_the_framework_refuses_is_counted_by_its_code(server: Server, company: Company):
    def refused() -> dict[str, float]:
        told = read(httpx.get(f"{server.url}/metrics").text)
        [metric] = [each for each in told if each.name == "codriver_refusals"]
        return {sample.labels["code"]: sample.value for sample in metric.samples}

    before = refused()
    httpx.get(f"{server.url}/nowhere")
    httpx.put(f"{server.url}/healthz")
    company.client.put("/api/fleet", content=b"[" * 100)
    after = refused()
    assert after["ERR_NOT_FOUND"] == before.get("ERR_NOT_FOUND", 0) + 1
    assert after["ERR_METHOD_NOT_ALLOWED"] == before.get("ERR_METHOD_NOT_ALLOWED", 0) + 1
    assert sum(after.values()) == sum(before.values()) + 3


@pytest.mark.parametrize("path", ["/live", "/driver/v1/ws"])
def test_a_frame_that_is_refused_is_counted_by_its_code(server: Server, company: Company, path: str):
    secret = company.key if path == "/live" else company.driver("Ana").token
    with connect(f"{server.ws_url}{path}", additional_headers=bearer(secret), proxy=None) as socket:
        socket.send("nonsense")
        code = json.loads(socket.recv(timeout=60))["code"]
        before = figure(server, f'codriver_refusals_total{{code="{code}"}}')
        socket.send("nonsense")
        assert json.loads(socket.recv(timeout=60))["code"] == code
    assert figure(server, f'codriver_refusals_total{{code="{code}"}}') == before + 1
