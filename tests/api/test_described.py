"""What the office, operators and phones are answered is what the OpenAPI document describes."""

import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.api.days import DAY, NOON_S, act, action, fix, order_ids, positions, sent_day
from tests.optimoroute.described import undescribed
from tests.serving import Company, Phone, Server

PLACE = {"latitude": 45.8, "longitude": 15.9, "address": "Depot"}
DRIVER: dict[str, Any] = {
    "name": "Ana",
    "externalId": "D1",
    "serial": "001",
    "phone": "+385 1",
    "email": "ana@example.com",
    "subcontractor": "Fast",
    "workTime": {"from": "00:00", "to": "23:59"},
    "startLocation": PLACE,
    "endLocation": PLACE,
    "skills": ["SK1"],
    "vehicle": "V1",
    "overtimeMinutes": 30,
    "costPerHour": 12.5,
    "breaks": [{"from": "12:00", "to": "13:00", "durationMinutes": 30}],
}


class Office:
    """Asks as the office, and remembers which of the document's operations were answered, and how well described."""

    def __init__(self, company: Company) -> None:
        self.company = company
        self.seen: set[tuple[str, str]] = set()
        self.misfits: list[str] = []

    def ask(self, verb: str, path: str, body: Any = None, client: httpx.Client | None = None, **names: str) -> Any:
        """``path`` as in the document, its parameters by name; the others are the query."""
        within = {name: text for name, text in names.items() if "{" + name + "}" in path}
        query = {name: text for name, text in names.items() if name not in within}
        answer = (client or self.company.client).request(verb, path.format(**within), json=body, params=query)
        assert answer.is_success, answer.text
        if answer.status_code == 204:
            return None
        told = answer.json()
        self.seen.add((verb, path))
        self.misfits += [
            f"{verb} {path}: {each}"
            for each in undescribed(self.company.server.url, verb, path, told, answer.status_code)
        ]
        return told


@pytest.fixture(scope="module")
def office(server: Server) -> Iterator[Office]:
    yield Office(server.account())


@pytest.fixture(scope="module")
def phone(office: Office) -> Phone:
    """A driver with everything that a driver can have, on the way through a day."""
    codes = {"skills": [{"code": "SK1"}], "vehicleFeatures": [{"code": "FR"}]}
    vehicle = {"externalId": "V1", "registration": "ZG 1", "features": ["FR"], "capacity1": 10, "costPerKm": 1}
    office.ask("PUT", "/api/fleet", {**codes, "vehicles": [vehicle], "locations": [{"locationNo": "L1", **PLACE}]})
    made = office.ask("POST", "/api/drivers", DRIVER)
    phone = office.company.phone(made["id"])
    route = sent_day(office.company, phone, orders=2)
    first, *_ = order_ids(route)
    where = {"position": fix(NOON_S)}
    act(phone, action("on_duty", NOON_S - 60), action("start_route", NOON_S - 30))
    done = action("success", NOON_S + 60, orderId=first, form={"note": "left with the neighbour"}, **where)
    act(phone, action("start_service", NOON_S, orderId=first, **where), done)
    assert positions(phone, [fix(NOON_S + n, battery=0.5) for n in range(3)]).status_code == 200
    return phone


def test_every_answer_is_as_it_is_described(office: Office, phone: Phone) -> None:
    ask = office.ask
    every = {
        thing: ask("GET", f"/api/{thing}", limit="1")["items"][0]["id"]
        for thing in ("drivers", "vehicles", "locations")
    }
    for thing, given in (
        ("drivers", {"name": "Ivo"}),
        ("vehicles", {"registration": "ZG 2"}),
        ("locations", {"address": "Nowhere"}),
    ):
        one = "{" + thing[:-1] + "_id}"
        names = {one.strip("{}"): every[thing]}
        ask("POST", f"/api/{thing}", given)
        ask("GET", f"/api/{thing}/{one}", **names)
        ask("PATCH", f"/api/{thing}/{one}", {}, **names)
        ask("GET", f"/api/{thing}", limit="1")
    for thing in ("skills", "vehicle-features"):
        ask("POST", f"/api/{thing}", {"code": "X", "name": "Extra"})
        ask("GET", f"/api/{thing}")
    ask("GET", "/api/settings")
    ask("PATCH", "/api/settings", {"customFields": [{"key": "n", "type": "number", "decimals": 1}]})
    ask("POST", "/api/keys", {"role": "customer", "name": "Shop", "customer": "Shop"})
    ask("GET", "/api/keys")
    named = {"driver_id": phone.driver_id}
    ask("POST", "/api/drivers/{driver_id}/pairing", **named)
    ask("GET", "/api/drivers/{driver_id}/devices", **named)
    ask("POST", "/api/drivers/{driver_id}/messages", {"text": "Call me"}, **named)
    ask("POST", "/driver/v1/messages", {"id": str(uuid.uuid4()), "text": "In a minute"}, client=phone.client)
    ask("GET", "/api/drivers/{driver_id}/messages", **named)
    ask("GET", "/driver/v1/messages", client=phone.client, limit="1")
    ask("GET", "/api/drivers/{driver_id}/track", **named)
    ask("GET", "/driver/v1/route", client=phone.client, date=DAY)
    ask("GET", "/api/routes", date=DAY)
    orders = ask("GET", "/api/orders", date=DAY)["items"]
    for order in orders:
        ask("GET", "/api/orders/{order_id}", order_id=order["id"])
    ask("GET", "/api/events")
    ask("GET", "/api/plans/{date}", date=DAY)
    ask("POST", "/api/plans/{date}/send", date=DAY)
    ask("GET", "/t/{tracking}", tracking=orders[0]["trackingUrl"].rsplit("/", 1)[1] + ".json")
    ask("GET", "/healthz")
    ask("GET", "/readyz")
    assert not office.misfits, "\n".join(office.misfits)
    document = office.company.client.get("/schema/openapi.json").json()
    operations = {
        (verb.upper(), path)
        for path, item in document["paths"].items()
        for verb, operation in item.items()
        if path.startswith("/api/") and any("content" in each for each in operation["responses"].values())
        if "204" not in operation["responses"]
    }
    assert operations - office.seen == set(), "these were not asked"
