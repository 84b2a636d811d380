"""A server is told to end while phones send and maps are watched: in order, in time, and all it acknowledged stays."""

import contextlib
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as websocket_client

from tests.attacks.wires import text, websocket
from tests.serving import Company, Phone, Server, bearer, eventually

FIRST_S = 1_772_400_000
DAY = {"from": "2026-03-01T00:00:00Z", "to": "2026-03-03T00:00:00Z"}


class Work:
    """Phones that send over both wires as fast as they are answered, watchers, and one who reads nothing."""

    def __init__(self, server: Server, company: Company) -> None:
        self.server, self.company, self.over = server, company, threading.Event()
        self.phones = [company.driver(f"Driver {number}") for number in range(8)]
        self.acknowledged: dict[str, list[int]] = {phone.driver_id: [] for phone in self.phones}
        self.statuses: set[int] = set()
        self.farewells: list[tuple[str, list[str], int]] = []
        self.working = [
            *(threading.Thread(target=self.by_http, args=(phone,)) for phone in self.phones[:4]),
            *(threading.Thread(target=self.by_websocket, args=(phone,)) for phone in self.phones[4:]),
            *(threading.Thread(target=self.watch) for _ in range(4)),
        ]

    def __enter__(self) -> "Work":
        self.stuck = websocket(self.server, "/live", self.company.key, receive_buffer=4096)
        self.stuck.sendall(text('{"type": "subscribe", "id": "a", "maxHz": 10}'))
        for each in self.working:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for each in self.working:
            each.join(60)
        self.stuck.close()

    def by_http(self, phone: Phone) -> None:
        client = httpx.Client(base_url=self.server.url, headers=bearer(phone.token), timeout=60)
        with contextlib.suppress(httpx.TransportError):
            for number in range(1_000_000):
                if self.over.is_set():
                    return
                answer = client.post("/driver/v1/positions", json={"positions": [_fix(number)]})
                self.statuses.add(answer.status_code)
                if answer.status_code == 200:
                    self.acknowledged[phone.driver_id].append(FIRST_S + number)

    def by_websocket(self, phone: Phone) -> None:
        number = 0

        def react(told: dict[str, Any]) -> dict[str, Any]:
            nonlocal number
            if told.get("type") == "ack":
                self.acknowledged[phone.driver_id].append(FIRST_S + int(told["id"]))
                number += 1
            return {"type": "positions", "id": str(number), "positions": [_fix(number)]}

        self._talk("/driver/v1/ws", phone.token, react)

    def watch(self) -> None:
        def react(told: dict[str, Any]) -> dict[str, Any] | None:
            return None if told else {"type": "subscribe", "id": "a", "events": True, "maxHz": 10}

        self._talk("/live", self.company.key, react)

    def _talk(self, path: str, secret: str, react: Callable[[dict[str, Any]], Any]) -> None:
        said: list[str] = []
        with websocket_client(self.server.ws_url + path, additional_headers=bearer(secret), max_size=None) as one:
            try:
                told: dict[str, Any] = {}
                while not self.over.is_set():
                    if answer := react(told):
                        one.send(json.dumps(answer))
                    told = json.loads(one.recv(timeout=100))
                    said.append(told["type"])
            except ConnectionClosed as end:
                self.farewells.append((path, said, end.rcvd.code if end.rcvd else 1006))

    def count(self) -> int:
        return sum(map(len, self.acknowledged.values()))


def _fix(number: int) -> dict[str, float]:
    return {"timestamp": FIRST_S + number, "latitude": 45.8, "longitude": 16.0}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    running = Server(tmp_path / "data").start()
    yield running
    running.kill()


@pytest.mark.parametrize("ending", ["SIGTERM", "SIGTERM twice", "SIGTERM and then SIGKILL"])
def test_what_was_acknowledged_before_the_end_is_there_after_it(server: Server, ending: str) -> None:
    company = server.account()
    with Work(server, company) as work:
        eventually(lambda: min(map(len, work.acknowledged.values())) > 5, within_s=100)
        assert server.process is not None
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        if ending != "SIGTERM":
            time.sleep(0.1)
            server.process.send_signal(signal.SIGTERM if ending == "SIGTERM twice" else signal.SIGKILL)
        code, seconds = server.process.wait(100), time.monotonic() - began
    if ending == "SIGTERM and then SIGKILL":
        assert code in (0, -signal.SIGKILL)
    else:
        assert code == 0 and seconds < 30
        assert [code for _, _, code in work.farewells] == [1012] * 8
        assert all("drain" in said for _, said, _ in work.farewells)
        phones = [said for path, said, _ in work.farewells if path == "/driver/v1/ws"]
        assert all("drain" in said[-2:] for said in phones), "at the end, or before the last answer"
    assert work.statuses <= {200, 503}
    assert "Traceback" not in server.tail() and "bug in" not in server.tail()
    server.process = None
    server.start()
    for phone in work.phones:
        answer = company.client.get(f"/api/drivers/{phone.driver_id}/track", params={**DAY, "limit": 10_000})
        stored = [int(each["timestamp"]) for each in answer.json()["items"]]
        assert len(stored) == len(set(stored)) and set(work.acknowledged[phone.driver_id]) <= set(stored)
