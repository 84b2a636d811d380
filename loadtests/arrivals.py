"""Open arrival: requests that come when they are due, whether or not those before are answered.

A closed user waits for its answer before it asks again, and so asks less of a slow server: its times look better than
what phones on the road would see ("coordinated omission"). Here the clock of a request begins when it is due.
"""

from __future__ import annotations

import random
import time

import gevent
from gevent.pool import Pool
from geventhttpclient import HTTPClient
from locust import User, task

from loadtests.phones import ANSWER_WITHIN_S, fire
from loadtests.shapes import ARRIVING, FIXES, LANES
from loadtests.world import World
from simulator.wire import Position, encode

OPEN_AT_ONCE = 2000 // LANES
LOGIN_AT_ONCE = 4


class Arrivals(User):
    """A lane: batches of ten fixes of its own drivers, at its share of the shape's rate. There are always ``LANES`` of
    them, which locust deals out evenly to its processes.
    """

    fixed_count = LANES

    def on_start(self) -> None:
        """Log in the drivers."""
        self.world: World = self.environment.world
        logging_in = Pool(LOGIN_AT_ONCE)
        numbers = range(self.world.shape.arriving // LANES)
        self.tokens = logging_in.map(lambda _: self.world.pair(self.world.new_driver()[0]), numbers)
        self.told = [time.time()] * len(self.tokens)
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
        due = time.monotonic() + random.uniform(-1, 0) * self._apart()
        while True:
            due += self._apart()
            if (ahead := due - time.monotonic()) > 0:  # who is late does not wait for a turn between two of them
                gevent.sleep(ahead)
            if self.pool.full():
                fire("OPEN", ARRIVING, due, RuntimeError(f"{OPEN_AT_ONCE} requests of a lane are open already"))
                continue
            self.pool.spawn(self._one, self.sent % len(self.tokens), due)
            self.sent += 1

    def _apart(self) -> float:
        return LANES / max(0.1, self.world.arrivals())

    def _one(self, driver: int, due: float) -> None:
        """The fixes since this driver's last, up to the moment when they were due."""
        begun, self.told[driver] = self.told[driver], time.time() - (time.monotonic() - due)
        apart = (self.told[driver] - begun) / FIXES
        fixes = [
            Position(round(begun + i * apart, 3), 45.8 + i * 1e-5, 15.97, 5.0, 8.0, 90.0) for i in range(1, FIXES + 1)
        ]
        headers = {"Authorization": f"Bearer {self.tokens[driver]}", "Content-Type": "application/json"}
        error: Exception | None = None
        try:
            answer = self.client.post("/driver/v1/positions", encode({"positions": fixes}).decode(), headers)
            answer.read()
            if answer.status_code != 200:
                error = RuntimeError(f"HTTP {answer.status_code}")
        except Exception as trouble:  # a connection that broke in any way is one failed request
            error = trouble
        fire("OPEN", ARRIVING, due, error)
