"""Watchers that read slowly, or not at all, on a busy map over a real server."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.live.hub import STUCK_S
from tests.api.test_health import figure
from tests.api.watching import Watching, narrow, watching
from tests.attacks.wires import text, websocket
from tests.serving import Company, Phone, Server, bearer, eventually

DRIVERS = 200


class Traffic:
    """A fleet that moves all the time, and one phone that goes on and off duty."""

    def __init__(self, company: Company) -> None:
        self.company = company
        names = [{"externalId": f"D{number}", "name": f"Driver {number}"} for number in range(DRIVERS)]
        assert company.client.put("/api/fleet", json={"drivers": names}).status_code == 200
        listed = company.client.get("/api/drivers", params={"limit": 500}).json()["items"]
        self.ids = [each["id"] for each in listed]
        self.phone: Phone = company.phone(self.ids[0])
        self.actions = 0
        self.slowest_s = 0.0
        self.newest: float = 0.0
        self.over = False

    async def run(self) -> None:
        async with httpx.AsyncClient(base_url=self.company.server.url, timeout=60, trust_env=False) as client:
            while not self.over:
                newest = round(time.time(), 3)
                fix = {"timestamp": newest, "latitude": 45.8, "longitude": 16.0, "speed": 1.0, "heading": 90.0}
                updates = [{"driver": {"externalId": f"D{n}"}, "positions": [fix]} for n in range(DRIVERS)]
                began = time.monotonic()
                answer = await client.post(
                    "/v1/update_drivers_positions", params={"key": self.company.key}, json={"updates": updates}
                )
                assert answer.json()["success"], answer.text
                self.newest = newest
                self.slowest_s = max(self.slowest_s, time.monotonic() - began)
                action = "off_duty" if self.actions % 2 else "on_duty"
                made = {"id": str(uuid.uuid4()), "action": action, "timestamp": time.time()}
                answer = await client.post(
                    "/driver/v1/actions", headers=bearer(self.phone.token), json={"actions": [made]}
                )
                assert answer.json()["actions"][0]["success"], answer.text
                self.actions += 1
                await asyncio.sleep(0.1)


@pytest.fixture(scope="module")
def traffic(server: Server) -> Traffic:
    return Traffic(server.account())


def in_order(watcher: Watching, traffic: Traffic) -> None:
    """No driver ever went back, and no event is missing."""
    for driver_id in traffic.ids:
        trail = watcher.trail(driver_id)
        assert trail == sorted(trail)
    sequences = [each["event"]["sequence"] for each in watcher.of("event")]
    assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[Server]:
    """One that sends nobody away for being slow."""
    running = Server(tmp_path / "data", program="tests.api.patient").start()
    yield running
    running.kill()


async def test_a_slow_watcher_gets_fewer_newer_positions_and_every_event(patient: Server) -> None:
    traffic = Traffic(company := patient.account())
    async with watching(company) as fast, watching(company, **narrow(company)) as slow:
        for watcher in (fast, slow):
            await watcher.subscribe(events=True, maxHz=10)
        before = traffic.actions
        moving = asyncio.create_task(traffic.run())
        await slow.until(lambda: slow.of("positions") and slow.of("event"))
        slow.pause()
        paused_at = len(fast.of("positions"))
        await fast.until(lambda: len(fast.of("positions")) >= paused_at + 40, within_s=100)
        slow.resume()
        await slow.until(lambda: slow.trail(traffic.ids[-1])[-1:] > [fast.trail(traffic.ids[-1])[-1] - 0.5])
        traffic.over = True
        await moving
        done = traffic.actions - before
        for watcher in (fast, slow):
            await watcher.until(lambda watcher=watcher: len(watcher.of("event")) >= done)
            await watcher.until(lambda watcher=watcher: watcher.trail(traffic.ids[-1])[-1] >= traffic.newest)
            in_order(watcher, traffic)
        assert slow.of("event") == fast.of("event")
        assert len(slow.of("positions")) < len(fast.of("positions"))


def dropped(server: Server) -> float:
    return figure(server, "codriver_watchers_dropped_total")


class Dripping:
    """A watcher that reads a kilobyte a second."""

    def __init__(self, company: Company) -> None:
        self.socket = websocket(company.server, "/live", company.key, receive_buffer=4096)
        self.socket.sendall(text('{"type": "subscribe", "id": "a", "events": true, "maxHz": 10}'))
        self.socket.setblocking(False)

    async def run(self) -> None:
        with contextlib.suppress(ConnectionError):
            while await asyncio.get_running_loop().sock_recv(self.socket, 1024):
                await asyncio.sleep(1)


async def test_watchers_that_read_hardly_or_not_are_sent_away_and_nobody_else_is_slowed(traffic: Traffic) -> None:
    company = traffic.company
    async with AsyncExitStack() as open_:
        *others, fast = [await open_.enter_async_context(watching(company)) for _ in range(8)]
        stuck = await open_.enter_async_context(watching(company, **narrow(company)))
        for watcher in (*others, fast, stuck):
            await watcher.subscribe(events=True, maxHz=10)
        stuck.pause()
        dripping = Dripping(company)
        drip = asyncio.create_task(dripping.run())
        traffic.slowest_s, before = 0.0, dropped(company.server)
        moving = asyncio.create_task(traffic.run())
        gaps, seen, at = [0.0], 0, time.monotonic()
        sent_away = asyncio.create_task(
            asyncio.to_thread(eventually, lambda: dropped(company.server) >= before + 2, within_s=100)
        )
        while not sent_away.done():
            await asyncio.sleep(0.02)
            if len(fast.of("positions")) > seen:
                gaps.append(time.monotonic() - at)
                seen, at = len(fast.of("positions")), time.monotonic()
        moving.cancel()
        await sent_away
        stuck.resume()
        code: Any = await stuck.code(within_s=60)
        assert code in (4408, 1006), "cut off, with the reason where it could still be read"
        assert max(gaps) < STUCK_S and traffic.slowest_s < STUCK_S, (max(gaps), traffic.slowest_s)
        newest = fast.trail(traffic.ids[0])[-1]
        for watcher in (*others, fast):
            await watcher.until(lambda watcher=watcher: watcher.trail(traffic.ids[0])[-1] >= newest)
            assert len(watcher.of("positions")) > 0.8 * seen
            in_order(watcher, traffic)
        watched = f"{company.server.url}/metrics"
        eventually(lambda: "codriver_watchers 8" in httpx.get(watched).text, what="that nothing waits for the others")
        drip.cancel()
        dripping.socket.close()
