"""What nobody foresaw: answered in the words of each dialect without a detail, counted, and found in the log."""

import json
from collections.abc import Iterator

import httpx
import pytest
from websockets.sync.client import connect

from tests.api import days
from tests.api.buggy import SAID
from tests.api.test_health import figure
from tests.serving import Company, Phone, Server, bearer, eventually

COUNTED = 'codriver_refusals_total{code="ERR_INTERNAL"}'
POSITIONS = {"positions": [days.fix(days.NOON_S)]}
ACTIONS = {"actions": [days.action("on_duty", days.NOON_S)]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("buggy") / "data", program="tests.api.buggy").start()
    yield running
    running.kill()


@pytest.fixture
def phone(company: Company) -> Phone:
    return company.driver("Ana")


def bugs(server: Server) -> float:
    """How many were counted; there is no such figure before the first."""
    return figure(server, COUNTED) if COUNTED in httpx.get(f"{server.url}/metrics").text else 0


def traced(server: Server, request_id: str) -> None:
    """The log has a trace of the bug, and names the request."""

    def found() -> bool:
        before, _, trace = server.log.read_text().partition(f"(request {request_id})\nTraceback")
        return " ERROR " in before.rpartition("\n")[2] and f"ZeroDivisionError: {SAID}" in trace

    eventually(found, what=f"a trace of {request_id}")


@pytest.mark.parametrize(("path", "sent"), [("/driver/v1/positions", POSITIONS), ("/driver/v1/actions", ACTIONS)])
def test_a_bug_is_a_problem_without_a_detail_counted_and_logged_with_the_name_of_its_request(
    server: Server, phone: Phone, path: str, sent: dict
) -> None:
    before = bugs(server)
    answer = phone.client.post(path, json=sent)
    assert answer.status_code == 500 and answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert (told["status"], told["code"]) == (500, "ERR_INTERNAL")
    assert SAID not in answer.text and "ZeroDivision" not in answer.text
    assert bugs(server) == before + 1
    traced(server, answer.headers["X-Request-Id"])


def test_a_bug_behind_the_other_api_is_told_in_its_own_form(server: Server, company: Company) -> None:
    before = bugs(server)
    answer = company.client.post("/v1/get_orders", params={"key": company.key}, json={"orders": [{"orderNo": "A"}]})
    assert answer.status_code == 200
    told = answer.json()
    assert (told["success"], told["code"]) == (False, "ERR_INTERNAL")
    assert SAID not in answer.text and "ZeroDivision" not in answer.text
    assert bugs(server) == before + 1
    traced(server, answer.headers["X-Request-Id"])


def test_a_bug_behind_a_frame_is_told_in_a_frame_and_the_socket_goes_on(
    server: Server, company: Company, phone: Phone
) -> None:
    before = bugs(server)
    frames = {"/driver/v1/ws": {"type": "positions", **POSITIONS}, "/live": {"type": "subscribe"}}
    for (path, frame), secret in zip(frames.items(), (phone.token, company.key), strict=True):
        headers = {**bearer(secret), "X-Request-Id": f"buggy-{path[1:].replace('/', '-')}"}
        with connect(f"{server.ws_url}{path}", additional_headers=headers, proxy=None) as socket:
            for number in range(2):
                socket.send(json.dumps({**frame, "id": str(number)}))
                told = json.loads(socket.recv(timeout=60))
                assert (told["type"], told["id"], told["code"]) == ("error", str(number), "ERR_INTERNAL")
                assert SAID not in json.dumps(told)
        traced(server, headers["X-Request-Id"])
    assert bugs(server) == before + 4
