"""Traces: what a collector gets of a request, and that nobody notices when it gets nothing."""

import http.server
import json
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from websockets.sync.client import connect

from backend.domain.errors import Refusal
from backend.settings import traces_go_to
from tests.serving import ROOT, Company, Server, bearer, eventually


class Span(NamedTuple):
    name: str
    trace: str
    id: str
    parent: str
    links: list[str]
    told: dict[str, Any]
    seconds: float


class Collector:
    """Takes traces by OTLP over HTTP. ``answer`` is what it does before it answers, and the status."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.answer = lambda: 200
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.path == "/v1/traces"
                collector.bodies.append(body)
                self.send_response(collector.answer())
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def resources(self) -> list[dict[str, Any]]:
        requests = [ExportTraceServiceRequest.FromString(body) for body in list(self.bodies)]
        return [_told(each.resource.attributes) for request in requests for each in request.resource_spans]

    def spans(self) -> list[Span]:
        requests = [ExportTraceServiceRequest.FromString(body) for body in list(self.bodies)]
        return [
            Span(
                span.name,
                span.trace_id.hex(),
                span.span_id.hex(),
                span.parent_span_id.hex(),
                [link.trace_id.hex() for link in span.links],
                _told(span.attributes),
                (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
            )
            for request in requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def span(self, name: str, within_s: float = 30.0, **told: Any) -> Span:
        def found() -> list[Span]:
            return [each for each in self.spans() if each.name == name and told.items() <= each.told.items()]

        return eventually(found, within_s=within_s, what=f"a span {name}")[-1]


def _told(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    one = Collector()
    yield one
    one.close()


@pytest.fixture(scope="module")
def traced(collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    environment["CODRIVER_LOG_FORMAT"] = "json"
    running = Server(tmp_path_factory.mktemp("traced") / "data", environment=environment).start()
    yield running
    running.kill()


@pytest.fixture
def company(traced: Server) -> Company:
    return traced.account()


def parent() -> tuple[dict[str, str], str, str]:
    trace, span = secrets.token_hex(16), secrets.token_hex(8)
    return {"traceparent": f"00-{trace}-{span}-01"}, trace, span


def fix(latitude: float = 45.8) -> dict[str, float]:
    return {"timestamp": time.time() - 5, "latitude": latitude, "longitude": 16.0}


def test_a_batch_of_positions_is_a_span_of_the_callers_trace_and_its_commit_a_child(
    collector: Collector, traced: Server, company: Company
):
    phone = company.driver()
    headers, trace, caller = parent()
    answer = phone.client.post("/driver/v1/positions", json={"positions": [fix(45.8137137)]}, headers=headers)
    named = answer.headers["X-Request-Id"]
    request = collector.span("POST /driver/v1/positions", **{"codriver.request_id": named})
    assert (request.trace, request.parent) == (trace, caller)
    assert request.told == {
        "http.request.method": "POST",
        "http.route": "/driver/v1/positions",
        "http.response.status_code": 200,
        "url.scheme": "http",
        "codriver.request_id": named,
    }
    [commit] = [each for each in collector.spans() if each.name == "commit" and each.parent == request.id]
    assert commit.trace == trace and commit.seconds <= request.seconds
    assert commit.told["codriver.commit.changes"] >= 1
    assert commit.told["codriver.commit.wait_ms"] + commit.told["codriver.commit.took_ms"] <= commit.seconds * 1000 + 1
    [about] = {json.dumps(each, sort_keys=True): each for each in collector.resources()}.values()
    assert about["service.name"] == "codriver" and about["process.pid"] == traced.process.pid
    assert b"45.81371" not in b"".join(collector.bodies), "no position leaves the house"


def test_a_message_on_a_websocket_is_a_trace_linked_to_the_callers(
    collector: Collector, traced: Server, company: Company
):
    phone = company.driver()
    headers, trace, _ = parent()
    address = f"{traced.ws_url}/driver/v1/ws"
    with connect(address, additional_headers=bearer(phone.token) | headers, proxy=None) as socket:
        for number in range(2):
            socket.send(json.dumps({"type": "positions", "id": str(number), "positions": [fix()]}))
            assert json.loads(socket.recv(timeout=40))["type"] == "ack"
    messages = eventually(
        lambda: found if len(found := [each for each in collector.spans() if each.links == [trace]]) == 2 else [],
        what="a span of each message",
    )
    assert {each.name for each in messages} == {"MESSAGE /driver/v1/ws"}
    assert len({each.trace for each in messages} | {trace}) == 3
    for message in messages:
        assert [each.name for each in collector.spans() if each.parent == message.id] == ["commit"]


def test_a_planning_is_a_span_of_the_request_that_began_it(collector: Collector, company: Company):
    place = {"latitude": 45.8, "longitude": 16.0}
    assert company.client.patch("/api/settings", json={"planningSeconds": 0.2}).status_code == 200
    company.driver(startLocation=place, endLocation=place, workTime={"from": "00:00", "to": "23:59"})
    order = {"operation": "CREATE", "orderNo": "A", "type": "D", "date": "2026-03-02", "duration": 5}
    saved = company.v1("create_order", order | {"location": {"locationName": "x", "address": "y", **place}})
    assert saved["success"], saved
    headers, trace, _ = parent()
    body = {"date": "2026-03-02"}
    company.client.post("/v1/start_planning", params={"key": company.key}, json=body, headers=headers)
    plan = collector.span("plan", within_s=90.0)
    assert plan.trace == trace and plan.told["codriver.plan.stops"] == 1
    assert plan.told["codriver.plan.status"] in ("F", "C")


def test_a_line_of_the_log_names_its_trace_and_no_span_names_a_secret(
    collector: Collector, traced: Server, company: Company
):
    headers, trace, _ = parent()
    httpx.get(f"{traced.url}/t/Recipient0Code0Secret.json", params={"key": company.key}, headers=headers)
    answer = httpx.get(f"{traced.url}/nowhere/Recipient0Code0Secret", headers=headers)
    collector.span("GET", **{"codriver.request_id": answer.headers["X-Request-Id"]})
    named = eventually(lambda: len(found := logged(traced, trace)) == 2 and found, what="a line of each request")
    assert [line["status"] for line in named] == [404, 404]
    everything = b"".join(collector.bodies)
    assert b"Recipient0Code0Secret" not in everything and company.key.encode() not in everything


def logged(server: Server, trace: str) -> list[dict[str, Any]]:
    """The whole lines of its log that name a trace."""
    lines = [json.loads(line) for line in server.log.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return [line for line in lines if line.get("trace_id") == trace]


def test_probes_are_not_traced_and_nonsense_from_a_caller_begins_a_trace(collector: Collector, traced: Server):
    for path in ("/healthz", "/readyz", "/metrics"):
        assert httpx.get(traced.url + path, headers=parent()[0]).status_code == 200
    for said in ("nonsense", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "é" * 20):
        headers = [(b"traceparent", said.encode())]
        named = httpx.get(f"{traced.url}/api/settings", headers=headers).headers["X-Request-Id"]
        assert collector.span("GET /api/settings", **{"codriver.request_id": named}).parent == ""
    assert not {each.name for each in collector.spans()} & {"GET /healthz", "GET /readyz", "GET /metrics"}


def test_a_collector_in_trouble_delays_nobody(tmp_path):
    """It refuses, and then it never answers, also while the server stops. The queue to it is soon full."""
    collector, over = Collector(), threading.Event()
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "10"}
    environment |= {"OTEL_BSP_MAX_QUEUE_SIZE": "16", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "8"}
    environment |= {"OTEL_EXPORTER_OTLP_TIMEOUT": "60"}  # whoever waited for the collector would wait as long
    server = Server(tmp_path / "data", environment=environment).start()
    try:
        phone = server.account().driver()
        for trouble in (lambda: 503, lambda: over.wait(100) and 200):
            collector.answer = trouble
            slowest = 0.0
            for _ in range(40):
                began = time.monotonic()
                assert phone.client.post("/driver/v1/positions", json={"positions": [fix()]}).status_code == 200
                slowest = max(slowest, time.monotonic() - began)
            assert slowest < 20
        assert eventually(lambda: collector.bodies)
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 30
    finally:
        over.set()
        server.kill()
        collector.close()


def test_without_a_collector_nothing_of_it_is_imported():
    program = (
        "import sys, backend.serving as serving\n"
        "from backend.app import create_app; from backend.settings import Settings\n"
        "create_app(Settings())\n"
        "with serving._traced() as tracing: assert tracing is None\n"
        "ours = ('opentelemetry.sdk', 'opentelemetry.exporter', 'opentelemetry.trace', 'google', 'requests')\n"
        "print([name for name in sys.modules if name.startswith(ours)])"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert ended.stdout.strip() == "[]", ended.stdout + ended.stderr


def test_the_usual_variables_say_where_traces_go(monkeypatch: pytest.MonkeyPatch):
    assert traces_go_to() == ""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")
    assert traces_go_to() == "http://collector:4318"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://traces/v1/traces")
    assert traces_go_to() == "https://traces/v1/traces"
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert traces_go_to() == ""
    monkeypatch.delenv("OTEL_SDK_DISABLED")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    assert traces_go_to() == ""
    monkeypatch.delenv("OTEL_TRACES_EXPORTER")
    for wrong in ("collector:4318", "http://[collector"):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", wrong)
        with pytest.raises(Refusal, match="OTEL_EXPORTER_OTLP_TRACES_ENDPOINT must begin with http"):
            traces_go_to()
