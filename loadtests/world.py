"""What all users of a worker share: the account they belong to, the shape of the load, whether there is a network."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import gevent
import requests
from gevent.event import Event
from locust.env import Environment

from loadtests.shapes import SHAPES, Shape, step

DAYS_BACK = 28
"""Phones' days lie in the past, because they pass faster than real ones and none may be in the future."""
SETUP_TIMEOUT_S = 60


class World:
    """Made at the start of a test, once a worker."""

    def __init__(self, environment: Environment) -> None:
        options = environment.parsed_options
        self.url = str(environment.host).rstrip("/")
        self.key: str = options.key
        self.pace: float = options.pace
        self.scale: float = options.scale
        self.shape: Shape = SHAPES[options.shape]
        self.begun = time.monotonic()
        self.seconds = min(self.shape.seconds, options.seconds or self.shape.seconds)
        self.ended = False
        self.light = Event()
        self.light.set()
        self.in_the_dark: set[Callable[[], None]] = set()
        self._session, self._stranger = _session(), _session()
        self._session.headers["Authorization"] = f"Bearer {self.key}"
        self._worker = getattr(environment.runner, "worker_index", 0)
        self._count, self._names = count(), count()
        self.first_date = (datetime.now(UTC) - timedelta(days=DAYS_BACK)).date()
        date = self.first_date.isoformat()
        routes = self.api("GET", "/api/routes", params={"date": date})["items"] if self._worker == 0 else []
        self._routes = [route for route in routes if route["sent"]]
        orders = self.api("GET", "/api/orders", params={"date": date, "limit": 500})["items"]
        self.trackings = [order["trackingUrl"].rpartition("/")[2] for order in orders if order.get("trackingUrl")]
        gevent.spawn(self._weather)

    @property
    def elapsed(self) -> float:
        """Seconds since the test began."""
        return time.monotonic() - self.begun

    def step(self) -> int | None:
        """The step to the limit that it is time for; none once the test is over."""
        return None if self.ended or self.elapsed > self.seconds else step(self.elapsed)

    def arrivals(self) -> float:
        """Requests a second that are due to arrive now."""
        return self.shape.arrivals(self.elapsed) * self.scale

    def api(self, method: str, path: str, **request: Any) -> Any:
        """A call of the office that belongs to the setting up and is not counted."""
        answer = self._session.request(method, self.url + path, timeout=SETUP_TIMEOUT_S, **request)
        answer.raise_for_status()
        return answer.json()

    def driver(self) -> tuple[str, str, int]:
        """A driver for one phone: its id, its name, its number. The first have a planned route, later ones are new."""
        number = next(self._count)
        if number < len(self._routes):
            route = self._routes[number]
            return route["driverId"], route["externalId"], number
        return (*self.new_driver(), number)

    def new_driver(self) -> tuple[str, str]:
        """Id and name of one more driver."""
        name = f"LOAD-{self._worker}-{next(self._names)}-{time.time_ns() % 10**9}"
        return self.api("POST", "/api/drivers", json={"name": name, "externalId": name})["id"], name

    def pair(self, driver_id: str) -> str:
        """The token of one more phone of a driver."""
        code = self.api("POST", f"/api/drivers/{driver_id}/pairing")["code"]
        device = {"platform": "load", "model": "Phone", "appVersion": "1"}
        answer = self._stranger.post(
            f"{self.url}/driver/v1/pair", json={"code": code, "device": device}, timeout=SETUP_TIMEOUT_S
        )
        answer.raise_for_status()
        return str(answer.json()["token"])

    def office_key(self) -> str:
        """A key of its own for one integration: the requests of a key at the same time are limited."""
        made = self.api(
            "POST", "/api/keys", json={"role": "tenant", "name": f"load {self._worker}/{next(self._count)}"}
        )
        return str(made["key"])

    def _weather(self) -> None:
        """Take the network away, and every open line with it, and give it back when the shape says so."""
        while self.elapsed < self.seconds:
            if not self.shape.dark(self.elapsed):
                self.light.set()
            elif self.light.is_set():
                self.light.clear()
                for hang_up in list(self.in_the_dark):
                    hang_up()
            gevent.sleep(0.1)
        self.light.set()


def _session() -> requests.Session:
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, requests.adapters.HTTPAdapter(pool_maxsize=200))
    return session
