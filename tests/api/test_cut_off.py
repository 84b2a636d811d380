"""Clients go out of reach amid a request: nothing of it is stored, and it is no error of the server's."""

import json
import socket
import time
import uuid

import httpx
import pytest

from tests.api.days import fix
from tests.attacks.wires import text, websocket
from tests.serving import Company, Phone, Server, bearer, eventually

NOW_S = time.time()
POSITIONS = json.dumps({"positions": [fix(NOW_S - 60)]}).encode()
ACTIONS = json.dumps({"actions": [{"id": str(uuid.uuid4()), "action": "on_duty", "timestamp": NOW_S - 60}]}).encode()
PLACE = {"location": {"locationName": "Here", "latitude": 45.8, "longitude": 16.0, "acceptPartialMatch": True}}
ORDER = json.dumps({"operation": "CREATE", "orderNo": "A1", "date": "2026-03-02", "type": "D", **PLACE}).encode()
FLEET = json.dumps({"drivers": [{"externalId": "X1", "name": "Nobody"}]}).encode()
FORM = (
    b'--b\r\nContent-Disposition: form-data; name="kind"\r\n\r\nimage\r\n'
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n\xff\xd8\xff' + b"x" * 200_000
)


@pytest.fixture(scope="module")
def company(server: Server) -> Company:
    return server.account()


@pytest.fixture(scope="module")
def phone(company: Company) -> Phone:
    return company.driver("Ana", externalId="D1")


@pytest.mark.parametrize("ending", ["a length", "chunks"])
@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        pytest.param("POST", "/driver/v1/positions", POSITIONS, "499", id="positions"),
        pytest.param("POST", "/driver/v1/actions", ACTIONS, "499", id="actions"),
        pytest.param("POST", "/driver/v1/attachments", FORM, "4", id="a photo"),
        pytest.param("PUT", "/api/fleet", FLEET, "499", id="a fleet"),
        pytest.param("POST", "/v1/create_order", ORDER, "499", id="an order"),
    ],
)
def test_a_request_that_breaks_off_stores_nothing_and_is_no_bug(
    server: Server, company: Company, phone: Phone, method: str, path: str, body: bytes, status: str, ending: str
) -> None:
    """The body is whole, but not its end: it is shorter than was said, or there is no last chunk."""
    secret = phone.token if path.startswith("/driver") else company.key
    told = f"Content-Length: {len(body) + 1}" if ending == "a length" else "Transfer-Encoding: chunked"
    kind = "multipart/form-data; boundary=b" if body is FORM else "application/json"
    head = f"{method} {path}?key={secret} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {secret}\r\n"
    head += f"Content-Type: {kind}\r\n{told}\r\n\r\n"
    before = server.log.stat().st_size
    with socket.create_connection(("127.0.0.1", server.port)) as one:
        one.sendall(head.encode() + (body if ending == "a length" else b"%x\r\n%b\r\n" % (len(body), body)))
    line = f"{method} {path} {status}"
    eventually(lambda: line in server.log.read_bytes()[before:].decode(), what=f"{line!r} in the log")
    unhurt(server)
    assert company.client.get(f"/api/drivers/{phone.driver_id}/track").json()["items"] == []
    assert [each["externalId"] for each in company.client.get("/api/drivers").json()["items"]] == ["D1"]
    asked = {"dateRange": {"from": "2026-03-01", "to": "2026-03-05"}}
    assert company.v1("get_events")["events"] == [] == company.v1("search_orders", asked)["orders"]
    eventually(lambda: not list((server.data / "uploads").rglob("*.part")), what="an empty folder of uploads")


def test_a_message_that_breaks_off_stores_nothing(server: Server, company: Company, phone: Phone) -> None:
    frame = text(json.dumps({"type": "positions", "id": "m1", "positions": [fix(NOW_S - 30)]}))
    with websocket(server, "/driver/v1/ws", phone.token) as one:
        one.sendall(frame[:-1])
    eventually(lambda: "codriver_phones 0" in httpx.get(f"{server.url}/metrics").text)
    unhurt(server)
    assert company.client.get(f"/api/drivers/{phone.driver_id}/track").json()["items"] == []


def test_what_breaks_off_may_be_sent_again(server: Server, company: Company) -> None:
    phone = company.driver("Eva", externalId="D2")
    head = f"POST /driver/v1/positions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {phone.token}\r\n"
    for cut in (10, len(POSITIONS) - 1):
        with socket.create_connection(("127.0.0.1", server.port)) as one:
            one.sendall(f"{head}Content-Length: {len(POSITIONS)}\r\n\r\n".encode() + POSITIONS[:cut])
    answer = httpx.post(f"{server.url}/driver/v1/positions", content=POSITIONS, headers=bearer(phone.token), timeout=60)
    assert answer.json() == {"accepted": 1, "duplicates": 0, "rejected": []}


def unhurt(server: Server) -> None:
    assert httpx.get(f"{server.url}/healthz").status_code == 200
    told = server.log.read_text()
    assert "bug in" not in told and "Traceback" not in told
