"""What becomes of a planning whose own process dies, as an office sees it at either of two servers."""

import os
import signal
from pathlib import Path

import pytest

from tests.api.days import DAY, plan, route_of, sent_day
from tests.postgresql import children
from tests.serving import Company, eventually


def planners(company: Company) -> list[int]:
    """The processes in which its server plans."""
    assert company.server.process is not None
    found = children(company.server.process.pid)
    return [pid for pid in found if "backend.planning.jobprocess" in _of(pid, "cmdline")]


def zombies(company: Company) -> list[int]:
    assert company.server.process is not None
    found = children(company.server.process.pid)
    return [pid for pid in found if _of(pid, "stat").rpartition(")")[2].split()[:1] == ["Z"]]


def _of(pid: int, what: str) -> str:
    """Nothing of one that has ended since."""
    try:
        return Path(f"/proc/{pid}/{what}").read_text()
    except OSError:
        return ""


def planned(company: Company) -> list[list[str]]:
    """The orders of each route, in their order."""
    routes = company.v1("get_routes", date=DAY)["routes"]
    return [[stop["id"] for stop in route["stops"]] for route in routes]


@pytest.mark.timeout(400)
@pytest.mark.parametrize("end", [signal.SIGSEGV, signal.SIGKILL])
def test_a_planning_whose_process_dies_has_failed_at_both_servers_and_leaves_the_plan_as_it_was(
    companies: tuple[Company, Company], end: signal.Signals
) -> None:
    """As one that uses up the machine's memory does."""
    here, there = companies
    phone = here.driver("Ana", externalId=f"D{end}", workTime={"from": "08:00", "to": "17:00"})
    sent = sent_day(here, phone)
    before = planned(there)
    here.client.patch("/api/settings", json={"planningSeconds": 60})
    job = here.v1("start_planning", {"date": DAY})["planningId"]
    (victim,) = eventually(lambda: planners(here), within_s=100)
    eventually(lambda: there.v1("get_planning_status", planningId=job)["percentageComplete"] > 0, within_s=100)
    os.kill(victim, end)
    for company in companies:
        eventually(lambda at=company: at.v1("get_planning_status", planningId=job)["status"] == "E", within_s=100)
    eventually(lambda: "has failed: The planning" in here.server.tail(), what="a line in the log")
    eventually(lambda: not planners(here) and not zombies(here))
    now = route_of(phone)
    assert planned(there) == before and now is not None
    assert (now["version"], [stop["orderId"] for stop in now["stops"]]) == (
        sent["version"],
        [stop["orderId"] for stop in sent["stops"]],
    )
    here.client.patch("/api/settings", json={"planningSeconds": 1})
    plan(there)
