"""Open arrival: requests that come when they are due, whether or not those before are answered.

A closed user waits for its answer before it asks again, and so asks less of a slow server: its times look better than
what phones on the road would see ("coordinated omission"). Here the clock of a request begins when it is due.
"""

from __future__ import annotations

import time

import gevent
from gevent.pool import Pool
from geventhttpclient import HTTPClient
from locust import User, task

from loadtests.phones import ANSWER_WITHIN_S, fire
from loadtests.shapes import ARRIVING, FIXES
from loadtests.world import World
from simulator.wire import Position, encode

DRIVERS = 100
OPEN_AT_ONCE = 400


class Arrivals(User):
    """Batches of ten fixes of many drivers, at the shape's rate; one such user in all."""

    fixed_count = 1

    def on_start(self) -> None:
        """Log in the drivers."""
        self.world: World = self.environment.world
        self.tokens = [self.world.pair(self.world.new_driver()[0]) for _ in range(DRIVERS)]
        self.client = HTTPClient.from_url(
            self.world.url,
            concurrency=OPEN_AT_ONCE,
            connection_timeout=ANSWER_WITHIN_S,
            network_timeout=ANSWER_WITHIN_S,
        )
        self.pool = Pool(OPEN_AT_ONCE)
        self.sent = 0

    def on_stop(self) -> None:
        """Leave."""
        self.pool.kill(timeout=5)
        self.client.close()

    @task
    def arrive(self) -> None:
        """The requests that are due, one by one."""
        due = time.monotonic()
        while True:
            due += 1 / max(0.1, self.world.arrivals())
            gevent.sleep(max(0.0, due - time.monotonic()))
            if self.pool.full():
                fire("OPEN", ARRIVING, due, RuntimeError(f"{OPEN_AT_ONCE} requests are open already"))
                continue
            self.pool.spawn(self._one, self.tokens[self.sent % DRIVERS], due)
            self.sent += 1

    def _one(self, token: str, due: float) -> None:
        now = time.time()
        fixes = [
            Position(round(now - (FIXES - 1 - i) * 0.1, 3), 45.8 + i * 1e-5, 15.97, 5.0, 8.0, 90.0)
            for i in range(FIXES)
        ]
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        error: Exception | None = None
        try:
            answer = self.client.post("/driver/v1/positions", encode({"positions": fixes}).decode(), headers)
            answer.read()
            if answer.status_code != 200:
                error = RuntimeError(f"HTTP {answer.status_code}")
        except Exception as trouble:  # a connection that broke in any way is one failed request
            error = trouble
        fire("OPEN", ARRIVING, due, error)
