"""A planned day to look at, a phone that drives it, and the map page as a test reads it."""

import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
from playwright.sync_api import Error, Page

from tests.serving import Company, Phone, bearer, eventually

PATIENCE_MS = 60_000
DEPOT = {"latitude": 45.80, "longitude": 15.97, "address": "Depot"}


@dataclass
class Sent:
    """A day that was sent: its date, its route and the phone of its driver."""

    company: Company
    date: str
    route: dict[str, Any]
    phone: Phone

    @property
    def stops(self) -> list[dict[str, Any]]:
        return list(self.route["stops"])

    def at(self, longitude: float, latitude: float = 45.80, **more: float) -> None:
        """The phone is here now. Moves have to be small: a leap of 300 metres in a second is not believed."""
        position = {"timestamp": time.time(), "latitude": latitude, "longitude": longitude, **more}
        answer = self.phone.client.post("/driver/v1/positions", json={"positions": [position]}).json()
        assert answer["accepted"] == 1, answer

    def act(self, action: str, stop: dict[str, Any] | None = None, **form: Any) -> None:
        acted: dict[str, Any] = {"id": str(uuid.uuid4()), "action": action, "timestamp": time.time()}
        if stop is not None:
            acted["orderId"] = stop["orderId"]
        if form:
            acted["form"] = form
        answer = self.phone.client.post("/driver/v1/actions", json={"actions": [acted]}).json()
        assert answer["actions"][0]["success"], answer

    def attach(self, content: bytes, kind: str, stop: dict[str, Any], id_: str | None = None) -> str:
        """The id of a file handed in."""
        id_ = id_ or str(uuid.uuid4())
        answer = self.phone.client.post(
            "/driver/v1/attachments",
            data={"kind": kind, "id": id_, "orderId": stop["orderId"]},
            files={"file": ("photo.png", content, "image/png")},
        )
        assert answer.status_code == 201, answer.text
        return id_

    def tracking_url(self, stop: dict[str, Any]) -> str:
        order = self.company.client.get(f"/api/orders/{stop['orderId']}").json()
        return str(order["trackingUrl"])


def send_day(company: Company, name: str = "Ana", place: str = "Bakery", orders: int = 3) -> Sent:
    """One driver with some orders east of the depot, planned and sent for today."""
    date = datetime.now(UTC).date().isoformat()
    driver = {"externalId": "D1", "name": name, "workTime": {"from": "00:00", "to": "23:59"}, "startLocation": DEPOT}
    assert company.client.put("/api/fleet", json={"drivers": [driver]}).status_code == 200
    assert company.client.patch("/api/settings", json={"planningSeconds": 0.2}).status_code == 200
    listed = [
        {
            "orderNo": f"A{number}",
            "date": date,
            "type": "D",
            "duration": 5,
            "location": {
                "locationName": f"{place} {number}",
                "address": f"Ilica {number}",
                "latitude": 45.80,
                "longitude": 15.98 + number / 100,
            },
        }
        for number in range(orders)
    ]
    assert company.v1("create_or_update_orders", {"orders": listed})["success"]
    job = company.v1("start_planning", {"date": date})["planningId"]

    def planned() -> bool:
        told = company.v1("get_planning_status", planningId=job)
        assert told["status"] in ("N", "R", "F"), told
        return bool(told["status"] == "F")

    eventually(planned, within_s=90, what="the plan")
    sent = company.client.post(f"/api/plans/{date}/send").json()
    assert sent["orders"] == orders, sent
    route = company.client.get("/api/routes", params={"date": date}).json()["items"][0]
    return Sent(company, date, route, company.phone(route["driverId"]))


def viewer_key(company: Company) -> str:
    answer = httpx.post(
        f"{company.server.url}/api/keys",
        json={"role": "viewer", "name": "screen"},
        headers=bearer(company.key),
        timeout=40,
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["key"])


class MapWindow:
    """The live map page, read through ``window.codriver`` and what a person sees."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def ready(self) -> bool:
        ask = "() => window.codriver?.connection() === 'live' && window.codriver.ready()"
        try:
            return bool(self.page.evaluate(ask))
        except Error:  # the page is being loaded anew
            return False

    def connection(self) -> str:
        return str(self.page.evaluate("() => window.codriver.connection()"))

    def orders(self) -> dict[str, str]:
        found: dict[str, str] = self.page.evaluate("() => window.codriver.orders()")
        return found

    def driver(self, external_id: str = "D1") -> dict[str, Any]:
        found: list[dict[str, Any]] = self.page.evaluate("() => window.codriver.drivers()")
        return next(each for each in found if each["externalId"] == external_id)

    def longitude(self) -> float | None:
        """Where the van is drawn now."""
        found: float | None = self.driver().get("longitude")
        return found

    def hold_clock(self) -> None:
        """From now on the page's animations go by a clock that stands still, and is moved by ``pass_ms`` alone."""
        self.page.evaluate("() => { window.held = performance.now(); performance.now = () => window.held; }")

    def pass_ms(self, ms: int) -> list[float]:
        """Where the van is drawn twenty times a second while so many milliseconds pass on the held clock."""
        found: list[float] = self.page.evaluate(
            """(ms) => Array.from({ length: ms / 50 }, () => {
              window.held += 50;
              return window.codriver.drivers()[0].longitude;
            })""",
            ms,
        )
        return found

    def drawn(self) -> dict[str, int]:
        found: dict[str, int] = self.page.evaluate("() => window.codriver.drawn()")
        return found
