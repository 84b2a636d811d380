"""A day's work for a phone, planned and sent over the wire."""

import json
import time
import uuid
from typing import Any

import httpx

from tests.serving import Company, Phone, eventually

DAY = "2026-03-02"
NOON_S = 1_772_452_800.0  # of that day, UTC
PLACES = [(45.80, 15.97), (45.81, 15.98), (45.79, 15.99), (45.82, 15.96), (45.80, 16.00), (45.78, 15.95)]


def sent_day(company: Company, phone: Phone, orders: int = 3, date: str = DAY) -> dict[str, Any]:
    """Orders for this phone's driver alone, planned and sent: the route as the phone has it."""
    external_id = company.client.get(f"/api/drivers/{phone.driver_id}").json()["externalId"]
    body = [
        {
            "operation": "CREATE",
            "orderNo": f"{external_id}-{number}",
            "date": date,
            "type": "D",
            "duration": 5,
            "assignedTo": {"externalId": external_id},
            "location": {
                "address": f"Street {number}",
                "locationNo": f"{external_id}-L{number}",
                "locationName": f"Place {number}",
                "latitude": PLACES[number % len(PLACES)][0],
                "longitude": PLACES[number % len(PLACES)][1],
                "acceptPartialMatch": True,
            },
            "phone": "+385 1 000",
            "notes": "ring twice",
        }
        for number in range(orders)
    ]
    made = company.v1("create_or_update_orders", {"orders": body})
    assert made["success"], made
    # Each order has its driver, so that there is little to search for; usually it takes 2 s of a processor and more.
    assert company.client.patch("/api/settings", json={"planningSeconds": 0.2}).status_code == 200
    plan(company, date)
    sent = company.client.post(f"/api/plans/{date}/send")
    assert sent.status_code == 200, sent.text
    route = route_of(phone, date)
    assert route is not None and len(route["stops"]) >= orders, route
    return route


def plan(company: Company, date: str = DAY) -> None:
    started = company.v1("start_planning", {"date": date})
    assert started["success"], started

    def done() -> bool:
        status = company.v1("get_planning_status", planningId=started["planningId"])
        assert status["status"] not in ("C", "E"), status
        return bool(status["status"] == "F")

    eventually(done, within_s=120, what="the plan")


def route_of(phone: Phone, date: str = DAY) -> dict[str, Any] | None:
    answer = phone.client.get("/driver/v1/route", params={"date": date})
    assert answer.status_code == 200, answer.text
    route: dict[str, Any] | None = answer.json()["route"]
    return route


def order_ids(route: dict[str, Any]) -> list[str]:
    return [stop["orderId"] for stop in route["stops"] if stop["type"] == "order"]


def statuses(phone: Phone, date: str = DAY) -> list[str]:
    route = route_of(phone, date)
    assert route is not None
    return [stop["status"] for stop in route["stops"] if stop["type"] == "order"]


def action(word: str, at_s: float, **fields: Any) -> dict[str, Any]:
    return {"id": str(uuid.uuid4()), "action": word, "timestamp": at_s, **fields}


def fix(at_s: float, **fields: Any) -> dict[str, Any]:
    return {"timestamp": at_s, "latitude": 45.8, "longitude": 16.2, **fields}


def act(phone: Phone, *actions: dict[str, Any]) -> list[dict[str, Any]]:
    answer = phone.client.post("/driver/v1/actions", json={"actions": list(actions)})
    assert answer.status_code == 200, answer.text
    outcomes: list[dict[str, Any]] = answer.json()["actions"]
    return outcomes


def positions(phone: Phone, body: Any) -> httpx.Response:
    """Sends a batch, or these very bytes."""
    content = body if isinstance(body, bytes) else json.dumps({"positions": body}).encode()
    return phone.client.post("/driver/v1/positions", content=content)


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told: dict[str, Any] = answer.json()
    assert told["code"] == code
    return told


def track(company: Company, phone: Phone, from_s: float = NOON_S - 86_400, to_s: float = NOON_S + 86_400) -> list[Any]:
    """The stored positions."""
    params = {"from": _iso(from_s), "to": _iso(to_s)}
    answer = company.client.get(f"/api/drivers/{phone.driver_id}/track", params=params)
    assert answer.status_code == 200, answer.text
    items: list[Any] = answer.json()["items"]
    return items


def _iso(at_s: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_s))
