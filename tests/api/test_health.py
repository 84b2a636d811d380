"""What operators ask: up, ready, and how it is doing."""

import time
from pathlib import Path

import httpx

from tests.serving import Company, Server, codriver


def figure(server: Server, name: str) -> float:
    lines = httpx.get(f"{server.url}/metrics").text.splitlines()
    return float(next(line.rpartition(" ")[2] for line in lines if line.startswith(name + " ")))


def test_it_is_up_and_ready(server: Server) -> None:
    assert httpx.get(f"{server.url}/healthz").json() == {"status": "ok"}
    assert httpx.get(f"{server.url}/readyz").json() == {"status": "ok"}


def test_the_figures_count_what_was_stored_and_what_was_refused(server: Server, company: Company) -> None:
    phone = company.driver()
    stored, again = figure(server, "codriver_positions_total"), figure(server, "codriver_position_duplicates_total")
    fixes = [{"timestamp": time.time() - second, "latitude": 45.8, "longitude": 16.0} for second in range(3)]
    for _ in range(2):
        phone.client.post("/driver/v1/positions", json={"positions": fixes})
    assert figure(server, "codriver_positions_total") == stored + 3
    assert figure(server, "codriver_position_duplicates_total") == again + 3
    httpx.get(f"{server.url}/api/settings")
    assert figure(server, 'codriver_refusals_total{code="ERR_UNAUTHENTICATED"}') >= 1
    assert figure(server, "codriver_commit_seconds_count") >= 1
    assert figure(server, 'codriver_commit_seconds_bucket{le="+Inf"}') >= 1
    assert figure(server, 'codriver_position_age_seconds_bucket{le="10.0"}') >= 1
    assert figure(server, 'codriver_planner_jobs{state="running"}') == 0
    assert figure(server, "codriver_watchers") == figure(server, "codriver_event_lag_seconds") == 0


def test_refusals_of_every_dialect_are_counted(server: Server, company: Company) -> None:
    unknown = 'codriver_refusals_total{code="AUTH_KEY_UNKNOWN"}'
    httpx.get(f"{server.url}/v1/get_events", params={"key": "nobody"})
    before = figure(server, unknown)
    httpx.get(f"{server.url}/v1/get_events", params={"key": "nobody"})
    assert figure(server, unknown) == before + 1


def test_what_it_cannot_start_for_is_told_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "codriver.db").write_text("no database")
    ended = codriver("serve", "--port", 0, "--data", tmp_path)
    assert ended.returncode == 3 and "ERR_STORAGE_DAMAGED" in ended.stderr and "Traceback" not in ended.stderr
