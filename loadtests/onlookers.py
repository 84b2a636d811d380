"""Those who look on: maps in the office, recipients with their parcel's page open, integrations that poll."""

from __future__ import annotations

import json
import random
import time
from typing import Any

import gevent
import websocket
from locust import FastHttpUser, between, task

from loadtests.phones import ANSWER_WITHIN_S, fire
from loadtests.world import World

LONGEST_RETRY_S = 5.0


class Onlooker(FastHttpUser):
    """Keeps one websocket open at ``path``, and opens it anew, each time later, when it breaks."""

    abstract = True
    path = ""
    headers: tuple[str, ...] = ()

    def on_start(self) -> None:
        """Open it."""
        self.world: World = self.environment.world
        self.on = True
        self.reader = gevent.spawn(self._look)

    def on_stop(self) -> None:
        """Close it."""
        self.on = False
        self.reader.kill()

    def opened(self, socket: websocket.WebSocket) -> None:
        """The websocket is open."""

    def told(self, frame: dict[str, Any], length: int) -> None:
        """A frame came."""

    def _look(self) -> None:
        pause = 0.5
        while self.on:
            begun = time.monotonic()
            name = f"{type(self).__name__} connect"
            try:
                socket = websocket.create_connection(
                    self.world.url.replace("http", "ws", 1) + self.path,
                    header=list(self.headers),
                    timeout=ANSWER_WITHIN_S,
                )
                fire("WS", name, begun)
                socket.settimeout(None)
                self.opened(socket)
                pause = 0.5
                while data := socket.recv():
                    self.told(json.loads(data), len(data))
            except (OSError, websocket.WebSocketException) as error:
                if self.on:
                    fire("WS", name, begun, error)
            gevent.sleep(random.uniform(0.5, 1.0) * pause)
            pause = min(LONGEST_RETRY_S, pause * 2)


class Map(Onlooker):
    """A dispatcher's map. What arrives by itself is stamped with the real time, and so tells how late the map is."""

    weight = 2

    path = "/live"

    def on_start(self) -> None:
        """With the account's key."""
        self.headers = (f"Authorization: Bearer {self.environment.world.key}",)
        super().on_start()

    def opened(self, socket: websocket.WebSocket) -> None:
        """Ask for everybody, as the page does."""
        self.newest: dict[str, float] = {}
        socket.send(json.dumps({"type": "subscribe", "id": "load", "drivers": "all", "events": True}))

    def told(self, frame: dict[str, Any], length: int) -> None:
        """Positions must not go back; those of just now tell the delay."""
        if frame["type"] != "positions":
            return
        now = time.time()
        for seen in frame["drivers"]:
            stamp = seen.get("timestamp")
            if stamp is None:
                continue
            older = stamp < self.newest.get(seen["driverId"], 0.0)
            self.newest[seen["driverId"]] = max(stamp, self.newest.get(seen["driverId"], 0.0))
            if older or now - stamp < 60:
                error = RuntimeError("an older position after a newer one") if older else None
                fire("WS", "map sees", time.monotonic() - max(0.0, now - stamp), error, length)

    @task
    def look(self) -> None:
        """The reader does the work."""
        gevent.sleep(1)


class Recipient(Onlooker):
    """Somebody who waits for a parcel."""

    weight = 4
    wait_time = between(10, 20)

    def on_start(self) -> None:
        """Choose an order."""
        codes = self.environment.world.trackings
        self.code = random.choice(codes) if codes else None
        if self.code is not None:
            self.path = f"/t/{self.code}/live"
            super().on_start()

    def on_stop(self) -> None:
        """Close the page."""
        if self.code is not None:
            super().on_stop()

    @task
    def reload(self) -> None:
        """Load the page's data again."""
        if self.code is not None:
            self.client.get(f"/t/{self.code}.json", name="recipient page")


class Office(FastHttpUser):
    """An integration that polls events and looks for orders, with a key of its own."""

    weight = 1
    wait_time = between(1, 3)

    def on_start(self) -> None:
        """Get a key."""
        self.world: World = self.environment.world
        self.key, self.tag = self.world.office_key(), ""

    @task(3)
    def events(self) -> None:
        """What is new since the last time."""
        told = self._v1("GET", "get_events", after_tag=self.tag)
        self.tag = told.get("tag", self.tag)

    @task(1)
    def orders(self) -> None:
        """The orders of the day with all that is known of them."""
        date = self.world.first_date.isoformat()
        wanted = {"dateRange": {"from": date, "to": date}, "includeOrderData": True, "includeScheduleInformation": True}
        self._v1("POST", "search_orders", wanted)

    @task(1)
    def routes(self) -> None:
        """The day's routes."""
        self._v1("GET", "get_routes", date=self.world.first_date.isoformat())

    def _v1(self, verb: str, method: str, content: Any = None, **query: str) -> dict[str, Any]:
        with self.client.request(
            verb,
            f"/v1/{method}",
            params={"key": self.key, **query},
            json=content,
            name=f"office {method}",
            catch_response=True,
        ) as answer:
            told = answer.json() if answer.status_code == 200 else {}
            if not told.get("success"):
                answer.failure(f"HTTP {answer.status_code} {told.get('code')}")
            return told or {}
