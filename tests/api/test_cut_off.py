"""Phones go out of reach amid a request: nothing of it is stored, and it is no error of the server's."""

import json
import socket
import time

import httpx
import pytest

from tests.serving import Company, Server, eventually


@pytest.mark.parametrize("path", ["positions", "actions"])
def test_a_request_that_breaks_off_stores_nothing_and_is_no_bug(server: Server, company: Company, path: str) -> None:
    phone = company.driver()
    body = json.dumps({"positions": [{"timestamp": time.time(), "latitude": 1, "longitude": 2}]}).encode()
    head = (
        f"POST /driver/v1/{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {phone.token}\r\n"
        f"Content-Length: {len(body) + 1}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port)) as one:
        one.sendall(head.encode() + body)
    line = f"POST /driver/v1/{path} 400"
    eventually(lambda: line in server.tail(), what=f"{line!r} in the log")
    assert "bug in" not in server.tail() and "Traceback" not in server.tail()
    assert httpx.get(f"{server.url}/healthz").status_code == 200
    track = company.client.get(f"/api/drivers/{phone.driver_id}/track")
    assert track.status_code == 200 and track.json()["items"] == []
