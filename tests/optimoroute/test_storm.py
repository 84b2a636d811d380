"""Five clients of one account do at once whatever comes into their heads, and what is told at the end is one story."""

import random
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import httpx

from tests.optimoroute.described import undescribed
from tests.serving import Company, Phone, Server, eventually

DATES = ["2026-11-20", "2026-11-21"]
ORDERS, DRIVERS, CLIENTS, REQUESTS = 40, 3, 5, 100


class Client:
    """One of them; draws what it does next from ``rng``."""

    def __init__(self, company: Company, phones: list[Phone], rng: random.Random, jobs: list[int]) -> None:
        self.company, self.phones, self.rng, self.jobs = company, phones, rng, jobs
        self.wire = httpx.Client(base_url=company.server.url, timeout=60, trust_env=False)
        self.wrong: list[str] = []

    def run(self) -> None:
        try:
            for _ in range(REQUESTS):
                self.rng.choice(WHIMS)(self)
        except Exception as error:
            self.wrong.append(f"{error!r}")

    def post(self, method: str, body: Any) -> dict[str, Any]:
        return self._told(method, self.wire.post(f"/v1/{method}", params={"key": self.company.key}, json=body), "POST")

    def get(self, method: str, **query: Any) -> dict[str, Any]:
        return self._told(method, self.wire.get(f"/v1/{method}", params={"key": self.company.key, **query}), "GET")

    def name(self) -> dict[str, str]:
        return {"orderNo": f"A{self.rng.randrange(ORDERS)}"}

    def driver(self) -> dict[str, str]:
        return {"externalId": f"D{self.rng.randrange(DRIVERS)}"}

    def date(self) -> str:
        return self.rng.choice(DATES)

    def _told(self, method: str, answer: httpx.Response, verb: str) -> dict[str, Any]:
        told: dict[str, Any] = answer.json()
        odd = undescribed(self.company.server.url, verb, f"/v1/{method}", told)
        if answer.status_code != 200 or "ERR_INTERNAL" in answer.text or odd or told.get("status") == "E":
            self.wrong.append(f"{method}: {answer.status_code} {answer.text[:500]} {odd}")
        return told


def save(client: Client) -> None:
    rng = client.rng
    orders = []
    for _ in range(rng.randrange(1, 8)):
        place = {"locationNo": f"L{rng.randrange(15)}", "locationName": "x"}
        at = {"latitude": 45.8 + rng.random() / 10, "longitude": 15.9 + rng.random() / 10}
        order = {**client.name(), "date": client.date(), "load1": rng.random() * 3, "location": {**place, **at}}
        order |= {"operation": rng.choice(["MERGE", "SYNC", "CREATE", "UPDATE"]), "type": rng.choice("DPT")}
        order |= {"assignedTo": client.driver()} if rng.random() < 0.2 else {}
        order |= {"timeWindows": [{"twFrom": "08:00", "twTo": "12:00"}]} if rng.random() < 0.2 else {}
        order |= {"relatedOrderNo": client.name()["orderNo"]} if rng.random() < 0.1 else {}
        order |= {"acceptDuplicateOrderNo": True} if rng.random() < 0.1 else {}
        orders.append(order)
    client.post("create_or_update_orders", {"orders": orders})


def delete(client: Client) -> None:
    names = [client.name() for _ in range(3)]
    client.post("delete_orders", {"orders": names, "deleteMultiple": True, "forceDelete": True})


def plan(client: Client) -> None:
    rng = client.rng
    body: dict[str, Any] = {"date": client.date(), "startWith": rng.choice(["EMPTY", "CURRENT"])}
    body |= {
        "lockType": rng.choice(["NONE", "ROUTES", "RESOURCES"]),
        "balancing": rng.choice(["OFF", "ON", "ON_FORCE"]),
    }
    body |= {"dateRange": {"from": DATES[0], "to": DATES[1]}} if rng.random() < 0.1 else {}
    body |= {"useOrderObjects": [client.name()], "includeScheduledOrders": False} if rng.random() < 0.2 else {}
    body |= {"useDrivers": [{"driverExternalId": "D1"}]} if rng.random() < 0.2 else {}
    started = client.post("start_planning", body)
    if started["success"]:
        client.jobs.append(started["planningId"])


def stop(client: Client) -> None:
    for job in client.jobs[-1:]:
        client.get("get_planning_status", planningId=job)
        client.post("stop_planning", {"planningId": job})


def send(client: Client) -> None:
    client.post("send_routes", {"date": client.date()})
    client.get("get_dispatch_status", includeRouteChanges="true")


def look(client: Client) -> None:
    client.get("get_routes", date=client.date(), includeRoutePolyline="true", includeRouteStartEnd="true")
    client.get("get_scheduling_info", **client.name())
    client.get("get_events")


def say(client: Client) -> None:
    words = ["success", "failed", "unscheduled", "servicing", "on_route", "cancelled", "rejected"]
    updates = [{**client.name(), "data": {"status": client.rng.choice(words)}} for _ in range(2)]
    client.post("update_completion_details", {"updates": updates})


def shift(client: Client) -> None:
    change = {"driver": client.driver(), "date": client.date(), "enabled": client.rng.random() < 0.8}
    client.post("update_drivers_parameters", {"updates": [change]})


def drive(client: Client) -> None:
    words = ["on_duty", "off_duty", "start_route", "end_route", "start_service", "success", "failed", "rejected"]
    at_s = time.time() - client.rng.random() * 60
    action = {"id": str(uuid.uuid4()), "action": client.rng.choice(words), "timestamp": at_s, **client.name()}
    answer = client.rng.choice(client.phones).client.post("/driver/v1/actions", json={"actions": [action]})
    if answer.status_code != 200:
        client.wrong.append(answer.text)


WHIMS: list[Callable[[Client], None]] = [save, save, save, delete, plan, plan, stop, send, look, say, shift, drive]


def test_five_clients_at_once_are_told_one_story(server: Server, seed: int) -> None:
    company = server.account()
    quick = {"planningSeconds": 0.2, "maxConcurrentRequests": 0}
    assert company.client.patch("/api/settings", json=quick).status_code == 200
    depot = {"latitude": 45.8, "longitude": 15.97, "address": "Depot"}
    always = {"workTime": {"from": "00:00", "to": "23:59"}, "startLocation": depot}
    drivers = [{"externalId": f"D{number}", "name": f"Driver {number}", **always} for number in range(DRIVERS)]
    assert company.client.put("/api/fleet", json={"drivers": drivers}).status_code == 200
    phones = [company.phone(each["id"]) for each in company.client.get("/api/drivers").json()["items"]]
    jobs: list[int] = []
    clients = [Client(company, phones, random.Random(seed + number), jobs) for number in range(CLIENTS)]
    threads = [threading.Thread(target=each.run, daemon=True) for each in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(200)
    assert not any(thread.is_alive() for thread in threads)
    assert not [wrong for client in clients for wrong in client.wrong], server.tail()
    for job in jobs:
        eventually(
            lambda job=job: company.v1("get_planning_status", planningId=job)["status"] not in ("N", "R"),
            within_s=120,
            what="the end of a planning",
        )
    _one_story(company)


def _one_story(company: Company) -> None:
    """An order stands on one route, of its own date, or on none; and its schedule says the same as the route."""
    on: dict[str, tuple[str, str, int, str]] = {}
    for date in DATES:
        for route in company.v1("get_routes", date=date)["routes"]:
            for stop in route["stops"]:
                if "type" not in stop:
                    assert stop["id"] not in on, (stop, on[stop["id"]])
                    on[stop["id"]] = date, route["driverName"], stop["stopNumber"], stop["scheduledAtDt"]
    asked = {"dateRange": {"from": DATES[0], "to": DATES[1]}, "includeOrderData": True}
    found = company.v1("search_orders", asked | {"includeScheduleInformation": True})["orders"]
    assert on.keys() <= {order["id"] for order in found}
    for order in found:
        told = order["scheduleInformation"]
        where = told and (order["data"]["date"], told["driverName"], told["stopNumber"], told["scheduledAtDt"])
        assert where == on.get(order["id"]), (order, on.get(order["id"]))
